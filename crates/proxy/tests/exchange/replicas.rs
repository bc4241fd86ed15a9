//! Which replica gets a request, and what happens when it does not take it.

use std::sync::Arc;

use divisi_model::{Card, Moment, Readiness, Service, Snapshot};
use divisi_testkit::replica::Replica;

use crate::support::{GET, Nobody, Proxy, settings, spec};

const POST: &str = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn requests_are_spread() {
    let replicas = [Replica::named("a"), Replica::named("b"), Replica::named("c")];
    let proxy = Proxy::before(&[&replicas[0], &replicas[1], &replicas[2]]);
    let mut client = proxy.connect();
    for _ in 0..30 {
        client.exchange(GET);
    }
    assert_eq!(replicas.map(|replica| replica.requests().len()), [10, 10, 10]);
}

#[test]
fn a_replica_that_refuses_connections_costs_no_request() {
    let (nobody, replica) = (Nobody::new(), Replica::named("a"));
    let proxy = Proxy::at(settings(), &[nobody.addr(), replica.addr()]);
    let mut client = proxy.connect();
    for request in [GET, POST].repeat(5) {
        assert_eq!(client.exchange(request).text(), "a");
    }
    assert_eq!(replica.requests().len(), 10);
}

#[test]
fn a_body_that_waits_for_a_connection_is_not_lost_in_a_retry() {
    let (nobody, replica) = (Nobody::new(), Replica::answering(|request| divisi_testkit::replica::ok(&request.body)));
    let proxy = Proxy::at(settings(), &[nobody.addr(), replica.addr()]);
    for _ in 0..4 {
        assert_eq!(proxy.fetch(POST).text(), "hello");
    }
}

#[test]
fn when_every_replica_refuses_the_client_is_told() {
    let (one, other) = (Nobody::new(), Nobody::new());
    let proxy = Proxy::at(settings(), &[one.addr(), other.addr()]);
    let mut client = proxy.connect();
    let response = client.exchange(GET);
    assert!([502, 503].contains(&response.status()), "{:?}", response.head);
    assert!(!response.body.is_empty(), "it says what happened");
    assert!([502, 503].contains(&client.exchange(GET).status()), "and the connection goes on");
}

#[test]
fn with_no_replica_ready_the_client_is_told_to_come_back() {
    let service = Service::new("web", spec()).with_replicas(Vec::new(), 3);
    let proxy = Proxy::serving(settings(), Snapshot::of(Arc::new(service)), Vec::new());
    let mut client = proxy.connect();
    for _ in 0..2 {
        let response = client.exchange(GET);
        assert_eq!(response.status(), 503);
        assert!(response.head.has("retry-after"));
        assert!(response.text().contains("web") && response.text().contains('3'), "{}", response.text());
    }
}

#[test]
fn with_no_service_known_the_client_is_told_why() {
    let proxy = Proxy::serving(settings(), Snapshot::unrouted("two services have a port: write --service"), Vec::new());
    let response = proxy.fetch(GET);
    assert_eq!(response.status(), 503);
    assert!(response.text().contains("two services have a port: write --service"), "{}", response.text());
}

#[test]
fn a_new_snapshot_counts_from_the_next_request_on() {
    let (old, new) = (Replica::named("old"), Replica::named("new"));
    let proxy = Proxy::before(&[&old]);
    let mut client = proxy.connect();
    assert_eq!(client.exchange(GET).text(), "old");
    proxy.ready(&[proxy.service.replica(Card::new("web-2", 2), new.addr(), Readiness::Ready)]);
    assert_eq!(client.exchange(GET).text(), "new");
}

#[test]
fn a_replica_that_drains_gets_nothing_new() {
    let (leaving, staying) = (Replica::named("leaving"), Replica::named("staying"));
    let proxy = Proxy::before(&[&leaving, &staying]);
    proxy.members[0].set_readiness(Readiness::Draining, Moment::now());
    for _ in 0..10 {
        assert_eq!(proxy.fetch(GET).text(), "staying");
    }
    assert_eq!(leaving.accepted(), 0);
}
