//! How bodies are framed, each way, and what has none.

use divisi_testkit::client::{Client, Ending};
use divisi_testkit::replica::{Replica, ok};

use crate::support::{GET, Proxy};

/// A replica that gives every request the same bytes and closes.
fn once(bytes: &'static str) -> Replica {
    Replica::start(move |conn| {
        conn.request()?;
        conn.send(bytes)
    })
}

fn get(bytes: &'static str, request: &str) -> (divisi_testkit::client::Response, Client) {
    let replica = once(bytes);
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    let response = client.exchange(request);
    (response, client)
}

#[test]
fn a_sized_request_body_stays_sized() {
    let replica = Replica::answering(|request| ok(&request.body));
    let proxy = Proxy::before(&[&replica]);
    let response = proxy.fetch("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(response.text(), "hello");
    let head = &replica.requests()[0].head;
    assert_eq!(head.values("content-length"), ["5"]);
    assert!(!head.has("transfer-encoding"));
}

#[test]
fn a_chunked_request_body_stays_chunked() {
    let replica = Replica::answering(|request| ok(&request.body));
    let proxy = Proxy::before(&[&replica]);
    let response = proxy.fetch(
        "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
    );
    assert_eq!(response.text(), "hello");
    let head = &replica.requests()[0].head;
    assert_eq!(head.values("transfer-encoding"), ["chunked"]);
    assert!(!head.has("content-length"));
}

#[test]
fn a_chunked_response_stays_chunked() {
    let raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    let (response, _) = get(raw, GET);
    assert_eq!((response.text().as_str(), response.ending), ("hello world", Ending::Complete));
    assert_eq!(response.head.values("transfer-encoding"), ["chunked"]);
}

#[test]
fn a_response_until_close_is_chunked_for_http_1_1() {
    let (response, _) = get("HTTP/1.1 200 OK\r\n\r\nto the end", GET);
    assert_eq!((response.text().as_str(), response.ending), ("to the end", Ending::Complete));
}

#[test]
fn http_1_0_gets_what_was_chunked_until_close() {
    let raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n";
    let (response, _) = get(raw, "GET / HTTP/1.0\r\nHost: app.test\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!((response.text().as_str(), response.ending), ("hello", Ending::UntilClose));
    assert!(!response.head.has("transfer-encoding"));
}

#[test]
fn a_replica_of_http_1_0_is_understood() {
    let (response, _) = get("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", GET);
    assert_eq!((response.text().as_str(), response.ending), ("ok", Ending::Complete));
    assert!(response.head.first_line().starts_with("HTTP/1.1 "));
}

#[test]
fn an_answer_to_head_keeps_its_length_and_has_no_body() {
    let replica = Replica::answering(|request| match request.head.method().as_str() {
        "HEAD" => b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_vec(),
        _ => ok("next"),
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    let response = client.send("HEAD / HTTP/1.1\r\nHost: app.test\r\n\r\n").response_to_head();
    assert_eq!(response.head.value("content-length").as_deref(), Some("1000"));
    assert_eq!(client.exchange(GET).text(), "next");
    assert_eq!(replica.accepted(), 1);
}

#[test]
fn statuses_without_a_body_leave_the_connection_usable() {
    for first in
        ["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: \"x\"\r\n\r\n"]
    {
        let replica = Replica::answering(move |request| match request.head.target().as_str() {
            "/first" => first.as_bytes().to_vec(),
            _ => ok("next"),
        });
        let proxy = Proxy::before(&[&replica]);
        let mut client = proxy.connect();
        let response = client.exchange("GET /first HTTP/1.1\r\nHost: app.test\r\n\r\n");
        assert!(first.contains(&response.status().to_string()));
        assert!(response.body.is_empty());
        assert_eq!(client.exchange(GET).text(), "next", "after {first:?}");
        assert_eq!(replica.accepted(), 1, "after {first:?}");
    }
}

#[test]
fn an_empty_body_is_a_body() {
    let replica = Replica::answering(|_| ok(""));
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    for framing in ["Content-Length: 0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"] {
        let response = client.exchange(format!("POST / HTTP/1.1\r\nHost: app.test\r\n{framing}"));
        assert_eq!((response.status(), response.body.len(), response.ending), (200, 0, Ending::Complete));
    }
}
