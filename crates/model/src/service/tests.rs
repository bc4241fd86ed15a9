//! What holds of a service.

use std::collections::HashMap;

use super::*;
use crate::policy::Policy;
use crate::replica::Failure;
use crate::spec::Check;

const NOW: Moment = Moment::from_nanos(1);

fn service(count: u16, spec: Spec) -> Service {
    let service = Service::new("web", spec);
    let replica = |n: u16| {
        let addr = SocketAddr::from(([127, 0, 0, 1], n));
        let replica = service.replica(Card::new(format!("web-{n}"), n.into()), addr, Readiness::Starting);
        replica.set_readiness(Readiness::Ready, NOW);
        replica
    };
    service.with_replicas((1..=count).map(replica).collect(), count.into())
}

fn pick(service: &Service) -> Result<Lease, NoReplica> {
    service.pick(&Tried::default(), Wanted::Any, NOW)
}

#[test]
fn every_policy_reaches_every_replica() {
    for policy in Policy::ALL {
        let service = service(5, Spec { policy, ..Spec::default() });
        let mut seen = HashMap::new();
        for _ in 0..500 {
            let lease = pick(&service).expect("ready");
            *seen.entry(lease.replica().name().to_owned()).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 5, "{policy} starves somebody: {seen:?}");
    }
}

#[test]
fn round_robin_goes_on_where_it_was_after_a_change() {
    let service = service(3, Spec { policy: Policy::RoundRobin, ..Spec::default() });
    let first = pick(&service).expect("ready").replica().id();
    let service = service.with_replicas(service.ready().to_vec(), 3);
    assert_ne!(pick(&service).expect("ready").replica().id(), first);
}

#[test]
fn why_there_is_none() {
    assert_eq!(pick(&service(0, Spec::default())).err(), Some(NoReplica::NoneReady));
    let limited = service(1, Spec { replica_limit: Some(1), ..Spec::default() });
    let lease = pick(&limited).expect("the first");
    assert_eq!(pick(&limited).err(), Some(NoReplica::Busy));
    let mut tried = Tried::default();
    tried.add(lease.replica().id());
    assert_eq!(limited.pick(&tried, Wanted::Any, NOW).err(), Some(NoReplica::Tried));
    let checked = Check { question: Question::Tcp, ..Check::default() };
    let checked = service(1, Spec { check: checked, ..Spec::default() });
    assert_eq!(pick(&checked).err(), Some(NoReplica::NoneReady), "not checked yet");
    assert!(checked.ready()[0].change_health(Health::Down, Health::Up));
    assert!(pick(&checked).is_ok());
}

#[test]
fn at_most_half_are_out_and_with_more_all_are_used() {
    let service = service(4, Spec::default());
    let reached = || {
        let ids: std::collections::BTreeSet<_> =
            (0..400).map(|_| pick(&service).expect("one").replica().number()).collect();
        ids.into_iter().collect::<Vec<_>>()
    };
    for (out, left) in [(0, vec![2, 3, 4]), (1, vec![3, 4]), (2, vec![1, 2, 3, 4])] {
        let lease = service.ready()[out].claim(9, NOW).expect("ready");
        assert!((0..5).any(|_| lease.failed(Failure::Other, NOW)));
        drop(lease);
        assert_eq!(reached(), left);
    }
    assert!(service.ready()[0].readmit(service.spec(), NOW));
    assert_eq!(reached(), [1, 4], "half are out");
    assert!(service.ready()[0].claim(9, NOW).expect("ready").failed(Failure::Refused, NOW));
    assert_eq!(reached(), [2, 3, 4], "two of three; the one that refuses is of no use to anybody");
}

#[test]
fn what_is_wanted_is_had_while_it_can_be_had() {
    let service = service(5, Spec::default());
    let pick = |wanted| service.pick(&Tried::default(), wanted, NOW).expect("one").replica().number();
    assert!((0..20).all(|_| pick(Wanted::Number(3)) == 3));
    let hashed = pick(Wanted::Hash(77));
    assert!((0..20).all(|_| pick(Wanted::Hash(77)) == hashed));
    service.ready()[2].set_readiness(Readiness::Draining, NOW);
    assert_ne!(pick(Wanted::Number(3)), 3);
}

#[test]
fn those_who_wait_go_out_as_replicas_become_free() {
    let spec = Spec { replica_limit: Some(1), ..Spec::default() };
    let service = service(1, spec);
    let is_called =
        |place: &Place| place.poll_called(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready();
    let lease = pick(&service).expect("the first");
    let (second, third) = (service.join().expect("room"), service.join().expect("room"));
    second.wait_on();
    drop(lease);
    assert!(is_called(&second) && !is_called(&third));
    let lease = pick(&service).expect("free again");
    second.serve();
    assert_eq!(pick(&service).err(), Some(NoReplica::Busy));
    third.wait_on();
    drop(lease);
    assert!(is_called(&third));
}

#[test]
fn nobody_waits_where_nobody_may() {
    let hold = |time, requests| {
        let limits = crate::spec::HoldLimits { time: Duration::from_secs(time), requests, body: 0 };
        service(0, Spec { hold: limits, ..Spec::default() })
    };
    assert_eq!(hold(0, 1).join().err(), Some(NoPlace::Off));
    assert_eq!(hold(1, 1).with_forgotten(true).join().err(), Some(NoPlace::Forgotten));
    let one = hold(1, 1);
    let place = one.join().expect("room");
    assert_eq!(one.join().err(), Some(NoPlace::Full));
    drop(place);
    assert!(one.join().is_ok());
}

#[test]
fn retries_are_a_share_of_the_requests_and_of_nothing_else() {
    let retry = crate::spec::RetryLimits { percent: 20, per_second: 0 };
    let service = service(2, Spec { retry, replica_limit: Some(1), ..Spec::default() });
    service.tick(NOW);
    for _ in 0..50 {
        let lease = pick(&service).expect("free");
        let mut tried = Tried::default();
        tried.add(lease.replica().id());
        let _retry = service.pick(&tried, Wanted::Any, NOW).expect("the other");
        assert!((0..10).all(|_| pick(&service).is_err()), "both are busy");
    }
    let draw = || (0..100).map_while(|_| service.retry(NOW)).collect::<Vec<_>>();
    assert_eq!(draw().len(), 10);
    // They were not made, and so they are still there.
    draw().into_iter().for_each(Retry::make);
    assert_eq!(draw().len(), 0);
}

#[test]
fn a_service_has_no_more_requests_than_it_may() {
    let service = service(1, Spec { service_limit: Some(2), ..Spec::default() });
    let entries = (service.enter().expect("one"), service.enter().expect("two"));
    assert_eq!(service.enter().err(), Some(Crowded { limit: 2 }));
    drop(entries);
    assert!(service.enter().is_ok());
}
