//! A Compose service: its ready replicas and how to pick among them.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::policy::Policy;
use crate::replica::{Lease, Replica, ReplicaId};

/// A service and the replicas that may get its requests, at one moment.
#[derive(Debug)]
pub struct Service {
    name: String,
    policy: Policy,
    ready: Box<[Arc<Replica>]>,
    known: usize,
    cursor: Arc<AtomicUsize>,
}

impl Service {
    /// A service with its `ready` replicas. `known` counts all of them, ready or not, for the message to the client.
    pub fn new(name: impl Into<String>, policy: Policy, ready: Vec<Arc<Replica>>, known: usize) -> Self {
        Self { name: name.into(), policy, ready: ready.into(), known, cursor: Arc::default() }
    }

    /// The same service with other replicas; whose turn it is in a round is kept.
    pub fn with_replicas(&self, ready: Vec<Arc<Replica>>, known: usize) -> Self {
        Self {
            name: self.name.clone(),
            policy: self.policy,
            ready: ready.into(),
            known,
            cursor: Arc::clone(&self.cursor),
        }
    }

    /// Its name in the Compose file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The replicas that get its requests.
    pub fn ready(&self) -> &[Arc<Replica>] {
        &self.ready
    }

    /// Picks a replica that was not tried yet and counts the request in flight on it.
    ///
    /// # Errors
    /// [`NoReplica`] when every ready replica was tried, or none is ready.
    pub fn pick(&self, tried: &Tried) -> Result<Lease, NoReplica> {
        let count = self.ready.len();
        if count > 0 {
            let first = self.policy.choose(&self.ready, &self.cursor);
            let in_turn = self.ready[first..].iter().chain(&self.ready[..first]);
            let lease = in_turn.filter(|replica| !tried.contains(replica.id())).find_map(Replica::claim);
            if let Some(lease) = lease {
                return Ok(lease);
            }
        }
        Err(NoReplica { known: self.known })
    }
}

/// No replica can take the request now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoReplica {
    /// How many replicas the service has, ready or not.
    pub known: usize,
}

/// The replicas that one request was already sent to. Holds a few and no heap: a request is not tried for ever.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    ids: [ReplicaId; Self::MOST],
    len: usize,
}

impl Tried {
    /// How many attempts one request gets. Most end with a refused connection, which is cheap: a service scaled down at once
    /// has several replicas that refuse before the engine says so, beside others that would answer.
    pub const MOST: usize = 16;

    /// Notes a replica. Returns false when no further attempt is allowed.
    pub fn add(&mut self, id: ReplicaId) -> bool {
        if self.len < Self::MOST {
            self.ids[self.len] = id;
            self.len += 1;
        }
        self.len < Self::MOST
    }

    /// Whether the request was sent to this replica before.
    pub fn contains(&self, id: ReplicaId) -> bool {
        self.ids[..self.len].contains(&id)
    }

    /// How many replicas it was sent to.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it was sent to none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::SocketAddr;

    use super::*;
    use crate::replica::Readiness;

    fn replicas(count: u16) -> Vec<Arc<Replica>> {
        (1..=count)
            .map(|n| Replica::new(format!("web-{n}"), SocketAddr::from(([127, 0, 0, 1], n)), Readiness::Ready))
            .collect()
    }

    #[test]
    fn no_replica_is_said_with_counts() {
        let service = Service::new("web", Policy::P2c, Vec::new(), 3);
        let none = service.pick(&Tried::default()).expect_err("none ready");
        assert_eq!(none, NoReplica { known: 3 });
    }

    #[test]
    fn every_policy_passes_over_what_was_tried_and_what_drains() {
        for policy in Policy::ALL {
            let all = replicas(4);
            let service = Service::new("web", policy, all.clone(), 4);
            let mut tried = Tried::default();
            tried.add(all[0].id());
            tried.add(all[1].id());
            all[2].set_readiness(Readiness::Draining);
            for _ in 0..50 {
                let lease = service.pick(&tried).expect("one is left");
                assert_eq!(lease.replica().id(), all[3].id(), "{policy}");
            }
            tried.add(all[3].id());
            assert!(service.pick(&tried).is_err(), "{policy}");
        }
    }

    #[test]
    fn every_policy_reaches_every_replica() {
        for policy in Policy::ALL {
            let service = Service::new("web", policy, replicas(5), 5);
            let mut seen = HashMap::new();
            for _ in 0..500 {
                let lease = service.pick(&Tried::default()).expect("ready");
                *seen.entry(lease.replica().name().to_owned()).or_insert(0) += 1;
            }
            assert_eq!(seen.len(), 5, "{policy} starves somebody: {seen:?}");
        }
    }

    #[test]
    fn round_robin_goes_on_where_it_was_after_a_change() {
        let service = Service::new("web", Policy::RoundRobin, replicas(3), 3);
        let first = service.pick(&Tried::default()).expect("ready").replica().id();
        let service = service.with_replicas(service.ready().to_vec(), 3);
        assert_ne!(service.pick(&Tried::default()).expect("ready").replica().id(), first);
    }

    #[test]
    fn a_request_is_not_tried_for_ever() {
        let mut tried = Tried::default();
        let more = replicas(20).iter().filter(|replica| tried.add(replica.id())).count();
        assert_eq!(more, Tried::MOST - 1);
        assert_eq!(tried.len(), Tried::MOST);
    }
}
