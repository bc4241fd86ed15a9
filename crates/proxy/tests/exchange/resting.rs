//! Clients that keep their connection and ask for nothing: it costs next to nothing, and goes on as if nothing had been.

use std::time::{Duration, Instant};

use divisi_proxy::Gauges;
use divisi_testkit::client::{Client, Closed};
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait;

use crate::support::{GET, Proxy, allow_many_connections, settings};

fn gauges(proxy: &Proxy) -> Gauges {
    proxy.running.as_ref().expect("running").gauges()
}

/// A client that has asked once and rests.
fn resting(proxy: &Proxy) -> Client {
    let mut client = proxy.connect();
    assert_eq!(client.exchange(GET).status(), 200);
    wait::until("the client's connection rests", || gauges(proxy).resting_connections() == 1);
    client
}

#[test]
fn a_client_that_has_rested_is_served_again() {
    let replica = Replica::named("a");
    let proxy = Proxy::before(&[&replica]);
    let mut client = resting(&proxy);
    for _ in 0..3 {
        assert_eq!(client.exchange(GET).text(), "a");
        wait::until("its connection is served", || gauges(&proxy).resting_connections() == 0);
        wait::until("it rests again", || gauges(&proxy).resting_connections() == 1);
    }
    assert_eq!(gauges(&proxy).connections(), 1);
    drop(client);
    wait::until("it is gone when its client is", || gauges(&proxy).connections() == 0);
    assert_eq!(gauges(&proxy).totals().requests, 4);
}

#[test]
fn a_client_that_has_rested_is_who_it_was() {
    let replica = Replica::named("a");
    let trust = vec!["127.0.0.0/8".parse().expect("a network")];
    let proxy = Proxy::with(divisi_proxy::Settings { trust, ..settings() }, &[&replica]);
    let mut client = resting(&proxy);
    let said = "GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
    assert_eq!(client.exchange(said).status(), 200);
    let requests = replica.requests();
    assert_eq!(requests[0].head.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(requests[1].head.values("x-forwarded-for").join(", "), "1.2.3.4, 127.0.0.1", "still trusted");
}

#[test]
fn what_a_client_says_after_its_rest_may_come_in_pieces_and_at_once() {
    let replica = Replica::answering(|request| ok(request.head.target()));
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.exchange(GET);
    wait::until("the client's connection rests", || gauges(&proxy).resting_connections() == 1);
    client.send("G");
    wait::until("its connection is served", || gauges(&proxy).resting_connections() == 0);
    client.send("ET /1 HTTP/1.1\r\nHost: app.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: app.test\r\n\r\n");
    let answers: Vec<_> = (0..2).map(|_| client.response().text()).collect();
    assert_eq!(answers, ["/1", "/2"]);
}

#[test]
fn a_connection_rests_no_longer_than_it_may() {
    let replica = Replica::named("a");
    let proxy = Proxy::limited(|limits| limits.idle_timeout = Duration::from_secs(3), &[&replica]);
    let mut client = proxy.connect();
    client.exchange(GET);
    let asked = Instant::now();
    wait::until("its connection rests", || gauges(&proxy).resting_connections() == 1);
    let (bytes, closed) = client.read_for(wait::PATIENCE);
    assert_eq!((bytes, closed), (Vec::new(), Some(Closed::Fin)));
    assert!(asked.elapsed() >= Duration::from_secs(3), "{:?}", asked.elapsed());
    wait::until("it is not counted any more", || gauges(&proxy).connections() == 0);
}

#[test]
fn a_stop_waits_for_nobody_who_rests() {
    let replica = Replica::named("a");
    let mut proxy = Proxy::before(&[&replica]);
    let mut client = resting(&proxy);
    assert!(proxy.stop(wait::PATIENCE), "stopped in time");
    assert_eq!(client.read_for(wait::PATIENCE), (Vec::new(), Some(Closed::Fin)));
}

#[test]
fn hundreds_rest_and_are_served_again_at_once() {
    const CLIENTS: usize = 600;
    allow_many_connections();
    let replica = Replica::named("a");
    let proxy = Proxy::before(&[&replica]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| proxy.connect()).collect();
    clients.iter_mut().for_each(|client| drop(client.exchange(GET)));
    wait::until("all rest", || gauges(&proxy).resting_connections() == CLIENTS);
    for client in &mut clients {
        client.send(GET);
    }
    for client in &mut clients {
        assert_eq!(client.response().text(), "a");
    }
    drop(clients);
    wait::until("all are gone", || gauges(&proxy).connections() == 0);
}
