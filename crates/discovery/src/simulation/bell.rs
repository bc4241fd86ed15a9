//! Who was woken: the event loop of the simulation.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Those who were woken, in that order.
#[derive(Clone, Debug, Default)]
pub(super) struct Woken(Arc<Mutex<Vec<u64>>>);

struct Bell {
    number: u64,
    woken: Woken,
}

impl Woken {
    /// What wakes a request.
    pub(super) fn bell(&self, number: u64) -> Waker {
        Waker::from(Arc::new(Bell { number, woken: self.clone() }))
    }

    /// Those who were woken since the last call.
    pub(super) fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.woken.0.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
    }
}
