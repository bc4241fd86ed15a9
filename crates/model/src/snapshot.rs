//! One immutable world, and the cell in which it is swapped.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::alarm::Alarm;
use crate::engine::EngineState;
use crate::moment::Moment;
use crate::route::{Asked, Route, RoutingTable};
use crate::service::Service;
use crate::tcp::{Listening, Ports};

/// Where a service stands in its snapshots: always in the same place, which another one gets when it is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub usize);

/// Everything the request's way needs to know, as it was at one moment.
#[derive(Debug)]
pub struct Snapshot {
    services: Vec<Option<Arc<Service>>>,
    routes: RoutingTable,
    ports: Arc<Ports>,
    fallback: Result<Slot, Unrouted>,
    made_at: Moment,
}

impl Snapshot {
    /// A snapshot in which every request goes to `service`.
    pub fn of(service: Arc<Service>) -> Self {
        Self::new(vec![Some(service)], RoutingTable::default(), Ok(Slot(0)))
    }

    /// A snapshot that knows no service, and why.
    pub fn unrouted(reason: impl Into<String>) -> Self {
        Self::new(Vec::new(), RoutingTable::default(), Err(Unrouted::unknown(reason)))
    }

    /// The services by slot, the routes to them, and where requests go for which there is no route.
    pub fn new(services: Vec<Option<Arc<Service>>>, routes: RoutingTable, fallback: Result<Slot, Unrouted>) -> Self {
        Self { services, routes, ports: Arc::default(), fallback, made_at: Moment::now() }
    }

    /// The same with these ports open for TCP.
    pub fn with_ports(self, ports: Arc<Ports>) -> Self {
        Self { ports, ..self }
    }

    /// All services that it knows.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.iter().flatten()
    }

    /// The service in that slot.
    pub fn service(&self, slot: Slot) -> Option<&Arc<Service>> {
        self.services.get(slot.0)?.as_ref()
    }

    /// How many slots there are, empty ones counted.
    pub fn slots(&self) -> usize {
        self.services.len()
    }

    /// All routes.
    pub fn routes(&self) -> &RoutingTable {
        &self.routes
    }

    /// The ports that are open for TCP. The same `Arc` as in the last snapshot where nothing about them has changed.
    pub fn ports(&self) -> &Arc<Ports> {
        &self.ports
    }

    /// Where requests go for which there is no route.
    ///
    /// # Errors
    /// Nowhere, and why.
    pub fn fallback(&self) -> Result<Slot, &Unrouted> {
        self.fallback.as_ref().copied()
    }

    /// The route of a request; None where it goes the [`fallback`](Self::fallback)'s way.
    pub fn find(&self, asked: &impl Asked) -> Option<&Route> {
        self.routes.find(asked)
    }

    /// The service of the requests for which there is no route.
    ///
    /// # Errors
    /// There is none, and why.
    pub fn route(&self) -> Result<&Arc<Service>, Unrouted> {
        let slot = self.fallback.as_ref().map_err(Clone::clone)?;
        self.service(*slot).ok_or_else(|| Unrouted::unknown("the service is gone"))
    }

    /// When it was made.
    pub fn made_at(&self) -> Moment {
        self.made_at
    }

    /// Those of `services` that are other ones than in the same slots of `last`, with what was there.
    fn changes<'a>(
        &'a self,
        last: &'a Self,
    ) -> impl Iterator<Item = (Option<&'a Arc<Service>>, Option<&'a Arc<Service>>)> {
        let slots = (0..self.services.len().max(last.services.len())).map(Slot);
        let both = slots.map(|slot| (last.service(slot), self.service(slot)));
        both.filter(|(was, is)| was.map(Arc::as_ptr) != is.map(Arc::as_ptr))
    }
}

/// No service is known for a request: why, and what the user can write to change that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrouted {
    /// One line for the log and for the body of the response.
    pub reason: String,
    /// Whether there are routes, and none is for that request: then it is the client who asks for what is not there (404), and
    /// else the proxy that does not know (503).
    pub is_known: bool,
}

impl Unrouted {
    /// Nothing is known of where requests belong.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_known: false }
    }

    /// It is known that the request belongs nowhere.
    pub fn nowhere(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_known: true }
    }
}

/// The cell both ways meet in: one writes, any number read, and nobody waits.
#[derive(Debug)]
pub struct Published {
    current: ArcSwap<Snapshot>,
    alarm: Alarm,
    engine: EngineState,
    listening: Listening,
}

impl Published {
    /// A cell that starts with `first`.
    pub fn new(first: Snapshot) -> Arc<Self> {
        let current = ArcSwap::from_pointee(first);
        let (alarm, engine, listening) = Default::default();
        Arc::new(Self { current, alarm, engine, listening })
    }

    /// The world as it is now. Costs no lock; hold it for one request, not longer.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The world as it is now, to be kept as long as one likes.
    pub fn keep(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Swaps the whole world at once: a reader sees the old one or the new one, never a mix. Those who wait for a replica are
    /// called, where there are replicas now, or where their service is no longer known.
    pub fn publish(&self, next: Snapshot) {
        let next = Arc::new(next);
        let last = self.current.swap(Arc::clone(&next));
        for (was, is) in next.changes(&last) {
            if let Some(gone) = was.filter(|was| is.is_none_or(|is| !Arc::ptr_eq(was.state(), is.state()))) {
                gone.dismiss();
            }
            if let Some(service) = is {
                service.admit();
            }
        }
        self.alarm.ring();
    }

    /// Where replicas are reported that must be looked after.
    pub fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    /// How the change's way stands with the engine.
    pub fn engine(&self) -> &EngineState {
        &self.engine
    }

    /// At which ports the request's way listens.
    pub fn listening(&self) -> &Listening {
        &self.listening
    }
}
