//! Which fields pass, which do not, and that the rest stays as it was written.

use divisi_testkit::message::Head;
use divisi_testkit::replica::Replica;

use crate::support::{GET, Proxy, settings};

/// What a replica gets when a client sends those field lines.
fn upstream(fields: &str) -> Head {
    let replica = Replica::named("a");
    let proxy = Proxy::before(&[&replica]);
    let response = proxy.fetch(format!("GET /path?q=1 HTTP/1.1\r\nHost: app.test\r\n{fields}\r\n"));
    assert_eq!(response.status(), 200);
    replica.requests()[0].head.clone()
}

/// What a client gets when a replica sends those field lines.
fn downstream(fields: &'static str) -> Head {
    let replica = Replica::answering(move |_| format!("HTTP/1.1 200 Fine\r\n{fields}Content-Length: 0\r\n\r\n").into());
    let proxy = Proxy::before(&[&replica]);
    proxy.fetch(GET).head
}

#[test]
fn order_and_spelling_of_request_fields_are_kept() {
    let head = upstream("x-Zeta: 1\r\nACCEPT: */*\r\nx-Zeta: 2\r\nCookie: a=b; c=d\r\nUser-agent: me\r\n");
    assert_eq!(head.first_line(), "GET /path?q=1 HTTP/1.1");
    assert_eq!(head.value("host").as_deref(), Some("app.test"));
    assert_eq!(&head.names()[..6], ["Host", "x-Zeta", "ACCEPT", "x-Zeta", "Cookie", "User-agent"]);
    assert_eq!(head.values("x-zeta"), ["1", "2"]);
}

#[test]
fn order_and_spelling_of_response_fields_are_kept() {
    let head = downstream(
        "sErver: theirs/1.0\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nx-b: 1\r\nX-A: 2\r\nx-b: 3\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n",
    );
    assert_eq!(head.first_line(), "HTTP/1.1 200 Fine");
    let names = ["sErver", "Date", "x-b", "X-A", "x-b", "Set-Cookie", "Set-Cookie", "Content-Length"];
    assert_eq!(head.names(), names);
    assert_eq!(head.value("server").as_deref(), Some("theirs/1.0"));
    assert_eq!(head.value("date").as_deref(), Some("Mon, 01 Jan 2024 00:00:00 GMT"));
    assert_eq!(head.values("set-cookie"), ["a", "b"]);
}

#[test]
fn bytes_above_ascii_in_a_value_are_kept() {
    let replica = Replica::named("a");
    let proxy = Proxy::before(&[&replica]);
    proxy.fetch(b"GET / HTTP/1.1\r\nHost: app.test\r\nX-Name: caf\xe9 \xc3\xa9\r\n\r\n");
    replica.look(|record| {
        let wanted = b"X-Name: caf\xe9 \xc3\xa9\r\n";
        assert!(record.raw.windows(wanted.len()).any(|window| window == wanted));
    });
}

#[test]
fn hop_by_hop_fields_of_a_request_stay_on_their_hop() {
    let head = upstream(
        "Connection: keep-alive, X-Drop\r\nKeep-Alive: timeout=5\r\nX-Drop: 1\r\nX-Keep: 2\r\n\
         Proxy-Connection: keep-alive\r\nProxy-Authorization: secret\r\nTE: gzip\r\n",
    );
    for gone in ["connection", "keep-alive", "x-drop", "proxy-connection", "te"] {
        assert!(!head.has(gone), "{gone} in {head:?}");
    }
    assert_eq!(head.value("x-keep").as_deref(), Some("2"));
}

#[test]
fn hop_by_hop_fields_of_a_response_stay_on_their_hop() {
    let head = downstream("Connection: X-Drop\r\nX-Drop: 1\r\nKeep-Alive: timeout=5\r\nX-Keep: 2\r\n");
    for gone in ["connection", "keep-alive", "x-drop"] {
        assert!(!head.has(gone), "{gone} in {head:?}");
    }
    assert_eq!(head.value("x-keep").as_deref(), Some("2"));
}

#[test]
fn connection_cannot_remove_what_others_rely_on() {
    let head = upstream(
        "Connection: Host, X-Forwarded-For, X-Forwarded-Proto, X-Real-IP, Authorization, Cookie, Content-Length\r\n\
         Authorization: mine\r\nCookie: a=b\r\n",
    );
    for kept in ["host", "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "authorization", "cookie"] {
        assert!(head.has(kept), "{kept} in {head:?}");
    }
}

#[test]
fn the_replica_is_named_where_that_is_asked_for() {
    let replica = Replica::named("a");
    let named = Proxy::with(divisi_proxy::Settings { replica_header: true, ..settings() }, &[&replica]);
    let silent = Proxy::before(&[&replica]);
    assert_eq!(named.fetch(GET).head.value("x-internal-service"), Some(replica.addr().to_string()));
    assert_eq!(silent.fetch(GET).head.value("x-internal-service"), None);
}

#[test]
fn a_target_in_absolute_form_is_sent_in_origin_form_with_its_host() {
    let replica = Replica::named("a");
    let proxy = Proxy::before(&[&replica]);
    proxy.fetch("GET http://app.test/x?y HTTP/1.1\r\nHost: app.test\r\n\r\n");
    let head = &replica.requests()[0].head;
    assert_eq!(head.target(), "/x?y");
    assert_eq!(head.values("host"), ["app.test"]);
}
