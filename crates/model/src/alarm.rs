//! How the request's way says that a replica has failed, without waiting for whoever looks after it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::replica::Replica;

/// Replicas that were taken out and must be looked after. A replica is taken out once before it comes back, so there are no
/// more of them than there are replicas.
#[derive(Debug, Default)]
pub struct Alarm {
    failed: Mutex<Vec<Arc<Replica>>>,
    bell: Notify,
}

impl Alarm {
    /// Reports a replica that was taken out.
    pub fn raise(&self, replica: &Arc<Replica>) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(replica));
        self.ring();
    }

    /// Says that there is something new: a failed replica, or another snapshot.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits until there is something new. For one listener.
    pub async fn heard(&self) {
        self.bell.notified().await;
    }

    /// The replicas reported since the last call.
    pub fn take(&self) -> Vec<Arc<Replica>> {
        std::mem::take(&mut *self.failed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
