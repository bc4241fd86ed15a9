//! What is known of a service and its replicas survives every change elsewhere.

use divisi_model::spec::Affinity;
use divisi_model::{Health as Fitness, Lease, Place, ReplicaId, Tried, Wanted};

use super::*;

/// A service with two replicas of which everything is known that can be, and what must be found again.
struct Known {
    replica: Arc<Replica>,
    other: ReplicaId,
    state: Arc<divisi_model::state::State>,
    lease: Lease,
    waiting: Place,
    latency: Option<Duration>,
}

impl Known {
    fn of(world: &World) -> Self {
        let (service, now) = (world.service(), Moment::of(world.now));
        let pick = |number| service.pick(&Tried::default(), Wanted::Number(number), now).expect("ready");
        let lease = pick(1);
        let answered = pick(1);
        answered.answered(true, Moment::of(world.now + Duration::from_millis(30)));
        drop(answered);
        let replica = Arc::clone(lease.replica());
        assert!(replica.change_health(Fitness::Up, Fitness::Ejected));
        let (waiting, state) = (service.join().expect("room"), Arc::clone(service.state()));
        let latency = replica.latency();
        assert!(latency.is_some());
        Self { other: service.ready()[1].id(), replica, state, lease, waiting, latency }
    }

    fn assert_kept(&self, world: &World, after: &str) {
        let service = world.service();
        let same = service.numbered(1).unwrap_or_else(|| panic!("not ready after {after}"));
        assert!(Arc::ptr_eq(same, &self.replica), "another replica after {after}");
        assert!(Arc::ptr_eq(service.state(), &self.state), "another service after {after}");
        assert_eq!((same.in_flight(), same.latency()), (1, self.latency), "after {after}");
        assert_eq!((same.readiness(), same.health()), (Readiness::Ready, Fitness::Ejected), "after {after}");
        assert_eq!(service.state().waiting(), 1, "after {after}");
        assert!(!same.is_cut(Moment::of(world.now + Duration::from_secs(86_400))), "after {after}");
    }
}

fn stranger(id: &str, service: &str) -> Container {
    let mut stranger = container(id, 1);
    stranger.identity.as_mut().expect("labelled").key.service = service.into();
    stranger
}

fn bare() -> Container {
    container("a", 1)
}

#[test]
fn a_replica_is_untouched_by_whatever_happens_to_others() {
    let mut world = World::with(&[bare(), container("b", 2)]);
    let known = Known::of(&world);
    let of_b = [
        What::Signalled(1),
        What::Paused,
        What::Unpaused,
        What::Health(Health::Unhealthy),
        What::Health(Health::Healthy),
        What::Renamed,
        What::Rewired,
        What::Signalled(15),
        What::Ended,
        What::Started,
    ];
    for what in of_b {
        world.event_of("b", 2, what);
        world.commit();
        known.assert_kept(&world, &format!("{what:?}"));
    }
    world.table.inspected(&"b".into(), u64::MAX, Some(container("b", 2)), world.now);
    world.commit();
    world.accept_all();
    known.assert_kept(&world, "the other's restart");
    assert_ne!(world.ready()[1].id(), known.other, "which is a fresh replica");
    world.event_of("c", 3, What::Started);
    world.table.inspected(&"c".into(), u64::MAX, Some(container("c", 3)), world.now);
    world.commit();
    world.accept_all();
    known.assert_kept(&world, "a third");
    assert_eq!(world.names(), ["a", "b", "c"]);
    drop((known.lease, known.waiting));
}

#[test]
fn a_replica_is_untouched_by_lists() {
    let mut world = World::with(&[bare(), container("b", 2)]);
    let known = Known::of(&world);
    world.list(&[bare(), container("b", 2)]);
    world.commit();
    known.assert_kept(&world, "the same list");
    world.list(&[bare(), container("b", 2), container("c", 3), stranger("db", "db")]);
    world.commit();
    world.accept_all();
    known.assert_kept(&world, "a longer list");
    world.list(&[bare()]);
    world.commit();
    known.assert_kept(&world, "a shorter list");
    world.table.begin_list();
    world.table.abandon_list();
    world.commit();
    known.assert_kept(&world, "a list that failed");
    world.table.begin_list();
    let lost = Unreadable { id: Some("a".into()), name: "a".to_owned(), why: "it is wrong".to_owned() };
    world.table.apply_list(List { containers: Vec::new(), unreadable: vec![lost] }, world.now);
    world.commit();
    known.assert_kept(&world, "a list that names it and cannot be read");
    world.table.inspection_failed(&"a".into(), Some("it is wrong".to_owned()), world.now);
    world.commit();
    known.assert_kept(&world, "an inspection that failed");
    drop((known.lease, known.waiting));
}

#[test]
fn a_service_is_untouched_by_other_services() {
    let mut world = World::with(&[bare(), container("b", 2)]);
    let known = Known::of(&world);
    for service in ["db", "api", "cache"] {
        world.event_of_service(service, service, What::Started);
        world.table.inspected(&service.into(), u64::MAX, Some(stranger(service, service)), world.now);
        world.commit();
        known.assert_kept(&world, "another service");
        world.event_of_service(service, service, What::Signalled(15));
        world.event_of_service(service, service, What::Ended);
        world.commit();
        known.assert_kept(&world, "another service's end");
    }
    drop((known.lease, known.waiting));
}

/// Where the service was found unnamed, a second one makes the choice unclear, until one of them goes.
#[test]
fn a_service_is_the_same_after_a_time_of_unclear_choice() {
    let own = Own { identity: Some(Identity { key: key("lb"), number: 1 }), ..Own::outside() };
    let mut world = World::of(&Settings::default());
    world.table.set_own(own, world.now);
    world.list(&[bare(), container("b", 2)]);
    world.commit();
    world.accept_all();
    let known = Known::of(&world);
    world.list(&[bare(), container("b", 2), stranger("api", "api")]);
    assert!(world.commit());
    let reason = world.routed.as_ref().and_then(|snapshot| snapshot.route().err()).map(|err| err.reason.clone());
    assert!(reason.is_some_and(|reason| reason.contains("api, web")));
    world.list(&[bare(), container("b", 2)]);
    assert!(world.commit());
    known.assert_kept(&world, "the choice was unclear");
    drop((known.lease, known.waiting));
}

#[test]
fn a_replica_is_untouched_by_the_labels_of_another() {
    let mut world = World::with(&[bare(), container("b", 2)]);
    let known = Known::of(&world);
    let labels = [("divisi.sticky", "true"), ("divisi.weight", "5"), ("divisi.health", "tcp"), ("divisi.hold", "1s")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let newer = Container { labels: Said::labels(labels), created: 1, ..container("c", 3) };
    world.event_of("c", 3, What::Started);
    world.table.inspected(&"c".into(), u64::MAX, Some(newer), world.now);
    world.commit();
    assert!(matches!(world.service().spec().affinity, Affinity::Cookie(_)));
    known.assert_kept(&world, "another's labels");
    drop((known.lease, known.waiting));
}

#[test]
fn waiting_requests_outlive_a_redeployment() {
    let mut world = World::with(&[bare()]);
    let (waiting, state) = (world.service().join().expect("room"), Arc::clone(world.service().state()));
    world.event("a", What::Signalled(15));
    world.event("a", What::Ended);
    world.commit();
    assert_eq!(world.service().state().waiting(), 1);
    world.event("z", What::Started);
    world.table.inspected(&"z".into(), u64::MAX, Some(container("z", 1)), world.now);
    world.commit();
    world.accept_all();
    assert_eq!(world.names(), ["z"]);
    assert!(Arc::ptr_eq(world.service().state(), &state));
    assert_eq!(state.waiting(), 1);
    drop(waiting);
}
