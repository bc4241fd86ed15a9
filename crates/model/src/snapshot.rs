//! One immutable world, and the cell in which it is swapped.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::alarm::Alarm;
use crate::service::Service;

/// Everything the request's way needs to know, as it was at one moment.
#[derive(Debug)]
pub struct Snapshot {
    default: Result<Arc<Service>, Unrouted>,
}

impl Snapshot {
    /// A snapshot in which every request goes to `service`.
    pub fn of(service: Arc<Service>) -> Self {
        Self { default: Ok(service) }
    }

    /// A snapshot that knows no service, and why.
    pub fn unrouted(reason: impl Into<String>) -> Self {
        Self { default: Err(Unrouted { reason: reason.into() }) }
    }

    /// All services that it knows.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.default.iter()
    }

    /// The service that a request belongs to.
    ///
    /// # Errors
    /// [`Unrouted`] when no service is known for it.
    pub fn route(&self) -> Result<&Arc<Service>, &Unrouted> {
        self.default.as_ref()
    }
}

/// No service is known for a request: why, and what the user can write to change that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrouted {
    /// One line for the log and for the body of the 503.
    pub reason: String,
}

/// The cell both ways meet in: one writes, any number read, and nobody waits.
#[derive(Debug)]
pub struct Published {
    current: ArcSwap<Snapshot>,
    alarm: Alarm,
}

impl Published {
    /// A cell that starts with `first`.
    pub fn new(first: Snapshot) -> Arc<Self> {
        Arc::new(Self { current: ArcSwap::from_pointee(first), alarm: Alarm::default() })
    }

    /// The world as it is now. Costs no lock; hold it for one request, not longer.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Swaps the whole world at once: a reader sees the old one or the new one, never a mix. Those who wait for a replica are
    /// called, where there are replicas now, or where their service is no longer known.
    pub fn publish(&self, next: Snapshot) {
        let next = Arc::new(next);
        let last = self.current.swap(Arc::clone(&next));
        let stays = |service: &Service| next.services().any(|other| Arc::ptr_eq(other.state(), service.state()));
        last.services()
            .filter(|service| service.state().waiting() > 0 && !stays(service))
            .for_each(|gone| gone.dismiss());
        next.services().for_each(|service| service.admit());
        self.alarm.ring();
    }

    /// Where replicas are reported that must be looked after.
    pub fn alarm(&self) -> &Alarm {
        &self.alarm
    }
}
