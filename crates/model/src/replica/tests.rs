//! What holds of a replica.

use super::*;

const NOW: Moment = Moment::from_nanos(1);

fn replica(readiness: Readiness) -> Arc<Replica> {
    let addr = SocketAddr::from(([127, 0, 0, 1], 80));
    Replica::new(&Arc::default(), Card::new("web-1", 1), addr, readiness, Health::Up)
}

fn claim(replica: &Arc<Replica>) -> Option<Lease> {
    replica.claim(usize::MAX, NOW)
}

#[test]
fn a_lease_counts_until_it_is_dropped() {
    let replica = replica(Readiness::Ready);
    let lease = claim(&replica).expect("ready");
    assert_eq!(replica.in_flight(), 1);
    drop(lease);
    assert_eq!(replica.in_flight(), 0);
}

#[test]
fn only_a_ready_replica_gives_a_lease() {
    for readiness in Readiness::ALL {
        let replica = replica(readiness);
        assert_eq!(claim(&replica).is_some(), readiness == Readiness::Ready, "{readiness:?}");
        assert_eq!(replica.in_flight(), 0, "a refused claim is not counted");
    }
}

#[test]
fn no_more_leases_than_the_limit() {
    let replica = replica(Readiness::Ready);
    let leases: Vec<_> = (0..5).map_while(|_| replica.claim(3, NOW)).collect();
    assert_eq!((leases.len(), replica.in_flight()), (3, 3));
}

#[test]
fn readiness_survives_the_atomic() {
    let replica = replica(Readiness::Starting);
    for readiness in Readiness::ALL {
        replica.set_readiness(readiness, NOW);
        assert_eq!(replica.readiness(), readiness);
    }
    for health in [Health::Up, Health::Ejected, Health::Down] {
        assert_eq!(Health::from_u8(health as u8), health);
    }
}

#[test]
fn it_is_known_since_when_it_is_what_it_is() {
    let replica = replica(Readiness::Starting);
    let later = |seconds| Moment::now() + Duration::from_secs(seconds);
    let (ready, still, made) = (later(60), later(120), replica.changed_at());
    replica.set_readiness(Readiness::Ready, ready);
    replica.set_readiness(Readiness::Ready, still);
    assert_eq!(replica.changed_at(), ready);
    assert!(replica.change_health(Health::Up, Health::Down));
    assert!(replica.changed_at() >= made && replica.changed_at() < ready, "now");
}

#[test]
fn failures_in_a_row_take_it_out_for_a_time_that_doubles() {
    let (replica, spec) = (replica(Readiness::Ready), Spec::default());
    let at = |millis: u64| Moment::from_nanos(millis * 1_000_000);
    let lease = claim(&replica).expect("ready");
    assert!((0..4).all(|_| !lease.failed(Failure::Other, at(0))));
    (0..2).for_each(|_| assert!(!lease.answered(true, at(0))));
    assert!(!lease.failed(Failure::Other, at(0)), "two good answers make up for a failure");
    assert!(lease.failed(Failure::Other, at(1000)));
    assert_eq!((replica.health(), replica.retry_at(&spec)), (Health::Ejected, at(2000)));
    assert!(replica.readmit(&spec, at(2000)));
    assert!(lease.failed(Failure::Other, at(2500)), "once is enough after a return");
    assert_eq!(replica.retry_at(&spec), at(4500));
    assert!(replica.readmit(&spec, at(4500)));
    (0..8).for_each(|_| assert!(!lease.answered(true, at(4600))));
    assert!((0..4).all(|_| !lease.failed(Failure::Other, at(70_000))));
    assert!(lease.failed(Failure::Other, at(70_000)));
    assert_eq!(replica.retry_at(&spec), at(71_000), "old ejections are forgotten");
}

#[test]
fn one_that_fails_every_second_request_is_taken_out() {
    let replica = replica(Readiness::Ready);
    let lease = claim(&replica).expect("ready");
    let ejected_after = (0..100).position(|n| lease.answered(n % 2 == 0, NOW));
    assert!(ejected_after.is_some_and(|n| n < 25), "{ejected_after:?}");
    let replica = self::replica(Readiness::Ready);
    let lease = claim(&replica).expect("ready");
    assert!((0..1000).all(|n| !lease.answered(n % 4 != 0, NOW)), "one of four is borne");
}

#[test]
fn a_refusal_takes_it_out_until_it_accepts() {
    let replica = replica(Readiness::Ready);
    let lease = claim(&replica).expect("ready");
    assert!(lease.failed(Failure::Refused, NOW));
    assert!(!lease.failed(Failure::Refused, NOW), "it is out already");
    assert!(replica.health() == Health::Down && replica.has_refused());
    assert!(replica.change_health(Health::Down, Health::Up) && !replica.has_refused());
}

#[test]
fn one_at_which_requests_failed_is_down_when_it_refuses() {
    let (replica, rules) = (replica(Readiness::Ready), Spec::default().ejection);
    let lease = claim(&replica).expect("ready");
    assert!((1..rules.failures).all(|_| !lease.failed(Failure::Other, NOW)) && lease.failed(Failure::Other, NOW));
    assert_eq!(replica.health(), Health::Ejected);
    assert!(lease.failed(Failure::Refused, NOW));
    assert!(replica.health() == Health::Down && replica.has_refused());
}

#[test]
fn a_fresh_replica_takes_up_its_share_slowly() {
    let now = NOW + Duration::from_secs(60);
    let replica = replica(Readiness::Starting);
    replica.set_readiness(Readiness::Ready, now);
    let window = Duration::from_secs(10);
    assert_eq!(replica.cost(None, window, now), 1.0, "an idle one gets its turn");
    let _lease = claim(&replica);
    assert_eq!(replica.cost(None, window, now), 11.0);
    assert_eq!(replica.cost(None, window, now + window / 2), 3.0);
    assert_eq!(replica.cost(None, window, now + window), 2.0);
    assert_eq!(replica.cost(None, Duration::ZERO, now), 2.0);
    replica.state.set_roster(std::slice::from_ref(&replica));
    assert_eq!(replica.cost(None, window, now + window / 2), 2.0, "nobody is older");
}

/// Invariant 4: after the drain has begun, a count of zero means that nobody holds a lease and nobody will.
#[test]
fn a_drain_never_misses_a_claim() {
    for _ in 0..200 {
        let replica = replica(Readiness::Ready);
        std::thread::scope(|scope| {
            let claimer = scope.spawn(|| claim(&replica));
            let drainer = scope.spawn(|| {
                replica.set_readiness(Readiness::Draining, NOW);
                replica.in_flight()
            });
            let seen = drainer.join().expect("drainer");
            let lease = claimer.join().expect("claimer");
            assert!(lease.is_none() || seen == 1, "a lease was given that the drain did not see");
        });
    }
}
