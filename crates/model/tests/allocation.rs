//! The pick path allocates nothing: no lock, no string, no heap between the snapshot and the lease.

use std::net::SocketAddr;

use divisi_model::{Policy, Published, Readiness, Replica, Service, Snapshot, Tried};

#[test]
fn picking_allocates_nothing() {
    for policy in Policy::ALL {
        let addr = SocketAddr::from(([127, 0, 0, 1], 80));
        let replicas = (0..10).map(|n| Replica::new(format!("web-{n}"), addr, Readiness::Ready)).collect();
        let published = Published::new(Snapshot::of(Service::new("web", policy, replicas, 10).into()));
        let pick = || {
            let snapshot = published.load();
            let service = snapshot.route().expect("routed");
            let mut tried = Tried::default();
            let lease = service.pick(&tried).expect("ready");
            tried.add(lease.replica().id());
        };
        // The first pick of a thread sets up its random numbers and its place among the readers.
        pick();
        let counted = allocation_counter::measure(|| (0..100).for_each(|_| pick()));
        assert_eq!(counted.count_total, 0, "{policy}");
    }
}
