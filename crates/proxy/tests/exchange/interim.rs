//! 1xx responses, and the clients that wait for them.

use std::time::{Duration, Instant};

use divisi_testkit::client::Response;
use divisi_testkit::replica::{Replica, ok};

use crate::support::{GET, Proxy};

const EXPECTING: &str = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

#[test]
fn the_replica_says_continue_and_the_body_follows() {
    let replica = Replica::start(|conn| {
        let Some(head) = conn.head()? else { return Ok(()) };
        conn.send("HTTP/1.1 100 Continue\r\n\r\n")?;
        let request = conn.rest_of_request(&head)?;
        conn.send(ok(&request.body))
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    assert_eq!(client.send(EXPECTING).response().status(), 100);
    assert_eq!(client.exchange("hello").text(), "hello");
    assert_eq!(replica.requests()[0].head.value("expect").as_deref(), Some("100-continue"));
}

#[test]
fn the_replica_refuses_before_the_body_was_sent() {
    let replica = Replica::start(|conn| {
        conn.head()?;
        conn.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno")?;
        conn.wait_closed().map(drop)
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    let response = client.exchange(EXPECTING);
    assert_eq!((response.status(), response.text().as_str()), (417, "no"));
}

#[test]
fn early_hints_are_passed_on_at_once_and_in_order() {
    let replica = Replica::answering(|_| {
        let mut bytes = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n".to_vec();
        bytes.extend(b"HTTP/1.1 103 Early Hints\r\nLink: </b.css>; rel=preload\r\n\r\n");
        bytes.extend(ok("page"));
        bytes
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send(GET);
    for file in ["a", "b"] {
        let hint = client.response();
        assert_eq!(hint.status(), 103);
        assert_eq!(hint.head.value("link"), Some(format!("</{file}.css>; rel=preload")));
    }
    assert_eq!(client.response().text(), "page");
}

#[test]
fn http_1_0_gets_no_interim_response() {
    let replica =
        Replica::answering(|_| [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".as_slice(), &ok("page")].concat());
    let proxy = Proxy::before(&[&replica]);
    let response = proxy.fetch("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n");
    assert_eq!((response.status(), response.text().as_str()), (200, "page"));
}

#[test]
fn interim_responses_without_end_are_not_endless() {
    let replica = Replica::start(|conn| {
        conn.request()?;
        loop {
            conn.send("HTTP/1.1 102 Processing\r\n\r\n")?;
        }
    });
    let proxy = Proxy::limited(|limits| limits.response_timeout = Duration::from_millis(300), &[&replica]);
    let mut client = proxy.connect();
    client.send(GET);
    let begun = Instant::now();
    let more = |response: &Response| response.status() < 200 && begun.elapsed() < Duration::from_secs(8);
    let last = std::iter::from_fn(|| client.try_response()).find(|response| !more(response));
    assert!(last.is_none_or(|response| response.status() >= 500), "an error, or the end of the connection");
}
