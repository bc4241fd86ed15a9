//! A container of a service, and the lease that counts a request in flight.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

/// Names a replica for as long as the program runs; never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplicaId(u64);

impl ReplicaId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The number behind the name, for tables keyed by it.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Whether a replica may get requests, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Readiness {
    /// Its container runs, but nothing says yet that it can answer.
    Starting,
    /// It gets requests.
    Ready,
    /// Its HEALTHCHECK says that it cannot answer.
    Unhealthy,
    /// Frozen by `docker pause`.
    Paused,
    /// Its stop has begun: no new requests, those in flight finish.
    Draining,
    /// Its container has ended.
    Gone,
}

impl Readiness {
    const ALL: [Self; 6] = [Self::Starting, Self::Ready, Self::Unhealthy, Self::Paused, Self::Draining, Self::Gone];

    fn from_u8(byte: u8) -> Self {
        Self::ALL.get(usize::from(byte)).copied().unwrap_or(Self::Gone)
    }
}

/// A container of a service, at one address.
///
/// The same replica keeps its `Arc` from snapshot to snapshot, and with it its count in flight.
#[derive(Debug)]
pub struct Replica {
    id: ReplicaId,
    name: String,
    addr: SocketAddr,
    /// `ip:port` as text, because response headers and `Host` want it on every request.
    authority: String,
    readiness: AtomicU8,
    in_flight: AtomicUsize,
}

impl Replica {
    /// A replica at `addr`; `name` is what people call it (`project-service-1`).
    pub fn new(name: impl Into<String>, addr: SocketAddr, readiness: Readiness) -> Arc<Self> {
        Arc::new(Self {
            id: ReplicaId::next(),
            name: name.into(),
            addr,
            authority: addr.to_string(),
            readiness: AtomicU8::new(readiness as u8),
            in_flight: AtomicUsize::new(0),
        })
    }

    /// Its name in tables of ours.
    pub fn id(&self) -> ReplicaId {
        self.id
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it listens, as `ip:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether it may get requests now.
    pub fn readiness(&self) -> Readiness {
        Readiness::from_u8(self.readiness.load(Ordering::SeqCst))
    }

    /// Changes whether it may get requests; returns what it was. From the moment in which anything but
    /// [`Readiness::Ready`] is set no new lease is given, and [`in_flight`](Self::in_flight) counts every one given before.
    pub fn set_readiness(&self, next: Readiness) -> Readiness {
        Readiness::from_u8(self.readiness.swap(next as u8, Ordering::SeqCst))
    }

    /// Requests that hold a lease on it now.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// A lease on it, unless it may not get requests.
    ///
    /// It counts first and looks second: whoever sets another readiness and then reads the count sees this lease, or this
    /// call sees the readiness. Both operations are `SeqCst` for that reason.
    pub fn claim(self: &Arc<Self>) -> Option<Lease> {
        let lease = Lease::count(self);
        (self.readiness() == Readiness::Ready).then_some(lease)
    }
}

/// A picked replica, counted in flight until this is dropped, be it by success, error, cancellation or panic.
#[derive(Debug)]
pub struct Lease {
    replica: Arc<Replica>,
}

impl Lease {
    fn count(replica: &Arc<Replica>) -> Self {
        replica.in_flight.fetch_add(1, Ordering::SeqCst);
        Self { replica: Arc::clone(replica) }
    }

    /// The replica that was picked.
    pub fn replica(&self) -> &Arc<Replica> {
        &self.replica
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.replica.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(readiness: Readiness) -> Arc<Replica> {
        Replica::new("web-1", SocketAddr::from(([127, 0, 0, 1], 80)), readiness)
    }

    #[test]
    fn a_lease_counts_until_it_is_dropped() {
        let replica = replica(Readiness::Ready);
        let lease = replica.claim().expect("ready");
        assert_eq!(replica.in_flight(), 1);
        drop(lease);
        assert_eq!(replica.in_flight(), 0);
    }

    #[test]
    fn only_a_ready_replica_gives_a_lease() {
        for readiness in Readiness::ALL {
            let replica = replica(readiness);
            assert_eq!(replica.claim().is_some(), readiness == Readiness::Ready, "{readiness:?}");
            assert_eq!(replica.in_flight(), 0, "a refused claim is not counted");
        }
    }

    #[test]
    fn readiness_survives_the_atomic() {
        let replica = replica(Readiness::Starting);
        for readiness in Readiness::ALL {
            replica.set_readiness(readiness);
            assert_eq!(replica.readiness(), readiness);
        }
    }

    /// Invariant 4: after the drain has begun, a count of zero means that nobody holds a lease and nobody will.
    #[test]
    fn a_drain_never_misses_a_claim() {
        for _ in 0..200 {
            let replica = replica(Readiness::Ready);
            std::thread::scope(|scope| {
                let claimer = scope.spawn(|| replica.claim());
                let drainer = scope.spawn(|| {
                    replica.set_readiness(Readiness::Draining);
                    replica.in_flight()
                });
                let seen = drainer.join().expect("drainer");
                let lease = claimer.join().expect("claimer");
                assert!(lease.is_none() || seen == 1, "a lease was given that the drain did not see");
            });
        }
    }
}
