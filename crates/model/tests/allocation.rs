//! The pick path allocates nothing: no lock, no string, no heap between the snapshot and the lease.

use std::net::SocketAddr;

use divisi_model::{Card, Moment, Policy, Published, Readiness, Service, Snapshot, Spec, Tried, Wanted};

#[test]
fn picking_allocates_nothing() {
    for policy in Policy::ALL {
        for wanted in [Wanted::Any, Wanted::Number(3), Wanted::Hash(7)] {
            let addr = SocketAddr::from(([127, 0, 0, 1], 80));
            let service = Service::new("web", Spec { policy, ..Spec::default() });
            let replica = |n| service.replica(Card::new(format!("web-{n}"), n), addr, Readiness::Ready);
            let service = service.with_replicas((1..=10).map(replica).collect(), 10);
            let published = Published::new(Snapshot::of(service.into()));
            let pick = || {
                let snapshot = published.load();
                let service = snapshot.route().expect("routed");
                let mut tried = Tried::default();
                let lease = service.pick(&tried, wanted, Moment::now()).expect("ready");
                lease.answered(true, Moment::now());
                tried.add(lease.replica().id());
            };
            // The first pick of a thread sets up its random numbers and its place among the readers.
            pick();
            let counted = allocation_counter::measure(|| (0..100).for_each(|_| pick()));
            assert_eq!(counted.count_total, 0, "{policy} {wanted:?}");
        }
    }
}
