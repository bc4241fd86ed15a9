//! Bounds on what one client can cost.

use std::time::{Duration, Instant};

use divisi_testkit::client::{Client, Closed};
use divisi_testkit::replica::Replica;

use crate::support::{GET, Proxy};

const SHORT: Duration = Duration::from_millis(300);
/// When a limit must have struck, on a busy machine too.
const LATEST: Duration = Duration::from_secs(8);

fn read_until_closed(client: &mut Client) -> (Vec<u8>, Closed, Duration) {
    let begun = Instant::now();
    let (bytes, closed) = client.read_to_close();
    (bytes, closed, begun.elapsed())
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let replica = Replica::named("a");
    let proxy = Proxy::limited(|limits| limits.head_size = 4096, &[&replica]);
    let small = format!("GET / HTTP/1.1\r\nHost: app.test\r\nX: {}\r\n\r\n", "a".repeat(3900));
    assert_eq!(proxy.fetch(small).status(), 200);
    let large = format!("GET / HTTP/1.1\r\nHost: app.test\r\nX: {}\r\n\r\n", "a".repeat(5000));
    let response = proxy.fetch(large);
    assert_eq!(response.status(), 431);
    assert!(!response.body.is_empty());
    assert_eq!(replica.requests().len(), 1);
}

#[test]
fn a_head_without_end_is_refused() {
    let replica = Replica::named("a");
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n");
    for _ in 0..1000 {
        // The proxy may have seen enough.
        let _ = client.try_send(format!("X: {}\r\n", "a".repeat(1000)));
    }
    assert_eq!(client.response().status(), 431);
    assert_eq!(replica.accepted(), 0);
}

#[test]
fn too_many_fields_are_refused() {
    let replica = Replica::named("a");
    let proxy = Proxy::limited(|limits| limits.fields = 20, &[&replica]);
    let with = |count| format!("GET / HTTP/1.1\r\nHost: app.test\r\n{}\r\n", "X: a\r\n".repeat(count));
    assert_eq!(proxy.fetch(with(19)).status(), 200);
    assert_eq!(proxy.fetch(with(20)).status(), 431);
}

#[test]
fn a_response_head_that_is_too_large_is_the_replicas_fault() {
    let large = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(100_000));
    let replica = Replica::answering(move |_| large.clone().into());
    let proxy = Proxy::before(&[&replica]);
    assert_eq!(proxy.fetch(GET).status(), 502);
}

#[test]
fn a_head_that_does_not_end_in_time_is_answered_408() {
    let replica = Replica::named("a");
    let proxy = Proxy::limited(|limits| limits.head_timeout = SHORT, &[&replica]);
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: app");
    let (bytes, _, after) = read_until_closed(&mut client);
    assert!(bytes.starts_with(b"HTTP/1.1 408 "), "{:?}", String::from_utf8_lossy(&bytes));
    assert!(after < LATEST, "{after:?}");
}

#[test]
fn a_connection_that_rests_too_long_is_closed_without_a_word() {
    let replica = Replica::named("a");
    let proxy = Proxy::limited(|limits| limits.idle_timeout = SHORT, &[&replica]);
    let mut client = proxy.connect();
    client.exchange(GET);
    let (bytes, closed, after) = read_until_closed(&mut client);
    assert_eq!((bytes, closed), (Vec::new(), Closed::Fin));
    assert!(after < LATEST, "{after:?}");
    assert!(after > SHORT / 2, "{after:?}");
}

#[test]
fn a_replica_that_does_not_answer_in_time_is_a_504() {
    let replica = Replica::start(|conn| {
        conn.request()?;
        conn.wait_closed().map(drop)
    });
    let proxy = Proxy::limited(|limits| limits.response_timeout = SHORT, &[&replica]);
    assert_eq!(proxy.fetch(GET).status(), 504);
    assert_eq!(replica.accepted(), 1, "it may be working on it: nobody else is asked");
}

#[test]
fn a_response_that_falls_silent_is_cut() {
    let replica = Replica::start(|conn| {
        conn.request()?;
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")?;
        conn.wait_closed().map(drop)
    });
    let proxy = Proxy::limited(|limits| limits.stream_timeout = SHORT, &[&replica]);
    let response = proxy.fetch(GET);
    assert_eq!(response.ending, divisi_testkit::client::Ending::Cut);
}

#[test]
fn beyond_the_limit_a_connection_waits_for_a_place() {
    let replica = Replica::named("a");
    let proxy = Proxy::limited(|limits| limits.connections = 2, &[&replica]);
    let mut inside = [proxy.connect(), proxy.connect()];
    for client in &mut inside {
        assert_eq!(client.exchange(GET).status(), 200);
    }
    let mut outside = proxy.connect();
    outside.send(GET);
    let (early, closed) = outside.read_for(SHORT);
    assert!(early.is_empty() && closed.is_none(), "served beyond the limit");
    assert_eq!(inside[0].exchange(GET).status(), 200, "who is inside is still served");
    drop(inside);
    assert_eq!(outside.response().status(), 200);
}
