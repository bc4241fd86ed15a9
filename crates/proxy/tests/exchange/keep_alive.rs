//! Connections that outlive an exchange, on both sides.

use divisi_testkit::client::Closed;
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait;

use crate::support::{GET, Proxy};

#[test]
fn many_requests_on_one_connection_use_one_upstream_connection() {
    let replica = Replica::named("a");
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    for _ in 0..20 {
        let response = client.exchange(GET);
        assert_eq!((response.status(), response.text().as_str()), (200, "a"));
        assert!(!response.head.has("connection"), "{:?}", response.head);
    }
    assert_eq!(replica.accepted(), 1);
    assert_eq!(replica.requests().len(), 20);
}

#[test]
fn clients_one_after_the_other_share_an_upstream_connection() {
    let replica = Replica::named("a");
    let proxy = Proxy::before(&[&replica]);
    for _ in 0..10 {
        assert_eq!(proxy.fetch(GET).status(), 200);
    }
    assert_eq!(replica.accepted(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let replica = Replica::answering(|request| ok(request.head.target()));
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    let all: String = (0..50).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: app.test\r\n\r\n")).collect();
    client.send(all);
    for n in 0..50 {
        assert_eq!(client.response().text(), format!("/{n}"));
    }
}

#[test]
fn a_pipelined_request_after_a_body_begins_where_the_body_ends() {
    let replica = Replica::answering(|request| ok([request.head.target().as_bytes(), b" ", &request.body].concat()));
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send(
        "POST /1 HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nbody\
         POST /2 HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
         GET /3 HTTP/1.1\r\nHost: app.test\r\n\r\n",
    );
    let answers: Vec<_> = (0..3).map(|_| client.response().text()).collect();
    assert_eq!(answers, ["/1 body", "/2 abc", "/3 "]);
}

#[test]
fn a_client_that_asks_for_it_is_closed_after_its_response() {
    let replica = Replica::named("a");
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    let response = client.exchange("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
    assert_eq!(response.head.value("connection").as_deref(), Some("close"));
    assert_eq!(client.read_to_close(), (Vec::new(), Closed::Fin));
    assert_eq!(proxy.fetch(GET).status(), 200);
    assert_eq!(replica.accepted(), 1, "what the client wants is no business of the replica's");
}

#[test]
fn a_replica_that_closes_after_each_response_does_not_close_the_client() {
    let replica = Replica::start(|conn| {
        conn.request()?;
        conn.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    for n in 1..=5 {
        let response = client.exchange(GET);
        assert_eq!(response.text(), "ok");
        assert!(!response.head.has("connection"));
        assert_eq!(replica.accepted(), n);
    }
}

#[test]
fn an_upstream_connection_the_replica_closed_is_not_used_again() {
    let replica = Replica::named("a");
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.exchange(GET);
    replica.close_all();
    wait::until("the replica has closed", || replica.open() == 0);
    let response = client.exchange("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(response.status(), 200, "a POST may only be sent once, so the closed connection must be noticed before");
    assert_eq!(replica.requests().len(), 2);
}

#[test]
fn a_client_of_http_1_0_is_closed_unless_it_asks_not_to_be() {
    let replica = Replica::named("a");
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().text(), "a");
    assert_eq!(client.read_to_close(), (Vec::new(), Closed::Fin));

    let mut client = proxy.connect();
    for _ in 0..3 {
        let response = client.exchange("GET / HTTP/1.0\r\nHost: app.test\r\nConnection: keep-alive\r\n\r\n");
        let connection = response.head.value("connection").map(|value| value.to_ascii_lowercase());
        assert_eq!(connection.as_deref(), Some("keep-alive"));
        assert_eq!(response.text(), "a");
    }
    let lines: Vec<_> = replica.requests().iter().map(|request| request.head.first_line()).collect();
    assert!(lines.iter().all(|line| line == "GET / HTTP/1.1"), "{lines:?}");
}
