//! A connection without a replica waits for one, in the same line and within the same bounds as a request.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use divisi_model::spec::{Affinity, HashKey, HoldLimits};
use divisi_model::{Health, Policy, Spec};
use divisi_testkit::client::Closed;
use divisi_testkit::replica::Replica;
use divisi_testkit::wait;

use crate::stage::{Stage, greeting};
use crate::support::{Nobody, settings, spec};

fn patient() -> Spec {
    Spec { hold: HoldLimits { time: Duration::from_secs(30), ..HoldLimits::default() }, ..spec() }
}

#[test]
fn a_connection_is_held_until_there_is_a_replica() {
    let replica = Replica::start(greeting).lenient();
    let stage = Stage::with(settings(), patient(), &[], None);
    let (mut silent, mut early) = (stage.connect(), stage.connect());
    early.send("early");
    wait::until("both wait", || stage.service.state().waiting() == 2);
    stage.ready(&[stage.member(1, replica.addr())]);
    assert_eq!(silent.read_until("hello\r\n"), b"220 hello\r\n");
    assert_eq!(early.read_until("early"), b"220 hello\r\nearly", "what it had sent is still there");
    drop((silent, early));
    wait::until("both are over", || stage.service.state().streams().read().endings == [2, 0, 0]);
    assert_eq!(stage.service.state().counts().held, 2);
}

#[test]
fn who_leaves_waits_no_longer_and_who_only_ended_its_side_does() {
    let replica = Replica::start(greeting).lenient();
    let stage = Stage::with(settings(), patient(), &[], None);
    let (leaver, mut spoken, mut resetter) = (stage.connect(), stage.connect(), stage.connect());
    resetter.send("something");
    spoken.send("all that I have").finish();
    wait::until("all wait", || stage.service.state().waiting() == 3);
    drop(leaver);
    resetter.reset();
    wait::until("two have left", || stage.service.state().waiting() == 1);
    stage.ready(&[stage.member(1, replica.addr())]);
    assert_eq!(spoken.read_to_close(), (b"220 hello\r\nall that I havebye".to_vec(), Closed::Fin));
    wait::until("all are over", || stage.service.state().streams().read().endings == [1, 0, 2]);
}

#[test]
fn who_waits_too_long_or_finds_the_line_full_is_closed() {
    let limits = HoldLimits { time: Duration::from_millis(300), requests: 1, ..HoldLimits::default() };
    let stage = Stage::with(settings(), Spec { hold: limits, ..spec() }, &[], None);
    let mut first = stage.connect();
    wait::until("it waits", || stage.service.state().waiting() == 1);
    assert_eq!(stage.connect().read_to_close().0, b"");
    assert_eq!(stage.service.state().waiting(), 1, "the first one still does");
    assert_eq!(first.read_to_close().0, b"");
    wait::until("both are counted", || stage.service.state().streams().read().endings == [0, 0, 2]);
}

#[test]
fn a_replica_that_refuses_costs_nobody_a_connection() {
    let replica = Replica::start(greeting).lenient();
    let nobody = Nobody::new();
    let stage = Stage::before(&[nobody.addr(), replica.addr()]);
    for _ in 0..4 {
        assert_eq!(stage.connect().read_until("hello\r\n"), b"220 hello\r\n");
    }
    assert_eq!(stage.members[0].health(), Health::Down, "it is out after the first refusal");
    assert_eq!(stage.proxy.published.alarm().take().len(), 1, "and somebody looks after it");
    assert_eq!(stage.service.state().counts().retries, 1);
}

#[test]
fn where_all_refuse_the_next_one_is_waited_for() {
    let nobody = Nobody::new();
    let replica = Replica::start(greeting).lenient();
    let stage = Stage::with(settings(), patient(), &[nobody.addr()], None);
    let mut client = stage.connect();
    wait::until("it waits", || stage.service.state().waiting() == 1);
    stage.ready(&[stage.member(2, replica.addr())]);
    assert_eq!(client.read_until("hello\r\n"), b"220 hello\r\n");
}

#[test]
fn limits_of_service_and_replica_hold() {
    let replica = Replica::start(greeting).lenient();
    let spec = Spec { service_limit: Some(2), replica_limit: Some(1), ..patient() };
    let stage = Stage::with(settings(), spec, &[replica.addr()], None);
    let mut first = stage.connect();
    first.read_until("hello\r\n");
    let mut second = stage.connect();
    wait::until("the second waits for the first", || stage.service.state().waiting() == 1);
    assert_eq!(stage.connect().read_to_close().0, b"", "a third is one too many");
    first.finish();
    assert_eq!(second.read_until("hello\r\n"), b"220 hello\r\n");
}

#[test]
fn connections_of_one_client_come_to_one_replica_where_that_is_wanted() {
    let replicas: Vec<_> = (0..4).map(|_| Replica::start(greeting).lenient()).collect();
    let addrs: Vec<SocketAddr> = replicas.iter().map(Replica::addr).collect();
    let used = |affinity: Affinity| {
        let spec = Spec { affinity, policy: Policy::RoundRobin, ..spec() };
        let stage = Stage::with(settings(), spec, &addrs, None);
        let before: Vec<usize> = replicas.iter().map(|replica| replica.record().accepted).collect();
        for _ in 0..8 {
            stage.connect().read_until("hello\r\n");
        }
        let after = replicas.iter().map(|replica| replica.record().accepted);
        after
            .zip(before)
            .enumerate()
            .filter(|(_, (after, before))| after > before)
            .map(|(at, _)| at)
            .collect::<HashSet<_>>()
    };
    assert_eq!(used(Affinity::None).len(), 4);
    let one = used(Affinity::Hash(HashKey::Client));
    assert_eq!(one.len(), 1);
    assert_eq!(used(Affinity::Cookie("divisi".into())), one, "there are no cookies here; the address is all there is");
}
