//! The PROXY protocol, in and out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use divisi_model::speech::{ProxyHeader, Speech};
use divisi_model::{Card, Spec};
use divisi_proxy::Settings;
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait;

use crate::stage::{Stage, greeting};
use crate::support::{Proxy, settings, spec};

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x07\x12\x34\x01\xbb";

fn proxied() -> Settings {
    let mut settings = settings();
    settings.proxy_protocol = vec!["127.0.0.0/8".parse().expect("a network")];
    settings.limits.head_timeout = Duration::from_millis(500);
    settings
}

/// A stage whose replicas want to be told.
fn telling(version: ProxyHeader, settings: Settings, addr: SocketAddr) -> Stage {
    let speech = Arc::new(Speech { proxy_header: Some(version), ..Speech::default() });
    let card = |number| Card { speech: Arc::clone(&speech), ..Card::new("shop-db-1", number) };
    Stage::of_cards(settings, Spec { ..spec() }, &[addr], None, card)
}

#[test]
fn a_replica_is_told_who_the_client_is() {
    let replica = Replica::start(greeting).lenient();
    let stage = telling(ProxyHeader::V1, settings(), replica.addr());
    let mut client = stage.connect();
    client.send("hi");
    client.read_until("hi");
    let line = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\nhi", client.local_addr().port(), stage.port);
    assert_eq!(String::from_utf8(replica.record().raw).expect("text"), line);

    let replica = Replica::start(greeting).lenient();
    let stage = telling(ProxyHeader::V2, settings(), replica.addr());
    let mut client = stage.connect();
    client.read_until("hello");
    let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01".to_vec();
    expected.extend(client.local_addr().port().to_be_bytes());
    expected.extend(stage.port.to_be_bytes());
    wait::until("the header is there", || replica.look(|record| record.raw.len() >= expected.len()));
    assert_eq!(replica.record().raw, expected);
}

#[test]
fn whom_a_trusted_peer_speaks_for_is_the_client() {
    for header in [b"PROXY TCP4 192.0.2.1 198.51.100.7 4660 443\r\n".to_vec(), V2.to_vec()] {
        let replica = Replica::start(greeting).lenient();
        let stage = telling(ProxyHeader::V1, proxied(), replica.addr());
        let mut client = stage.connect();
        // In pieces, and with the first bytes of the client right behind it.
        for piece in header.chunks(7) {
            client.send(piece);
            std::thread::sleep(Duration::from_millis(2));
        }
        client.send("hi");
        client.read_until("hi");
        let raw = String::from_utf8(replica.record().raw).expect("text");
        assert_eq!(raw, "PROXY TCP4 192.0.2.1 198.51.100.7 4660 443\r\nhi");
    }
}

#[test]
fn an_unknown_client_and_the_proxy_itself_are_the_connection() {
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec();
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), local] {
        let replica = Replica::start(greeting).lenient();
        let stage = telling(ProxyHeader::V1, proxied(), replica.addr());
        let mut client = stage.connect();
        client.send([&header[..], b"hi"].concat());
        client.read_until("hi");
        let line = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\nhi", client.local_addr().port(), stage.port);
        assert_eq!(String::from_utf8(replica.record().raw).expect("text"), line);
    }
}

#[test]
fn a_trusted_peer_must_say_whom_it_speaks_for() {
    let replica = Replica::start(greeting).lenient();
    let stage = Stage::with(proxied(), spec(), &[replica.addr()], None);
    let endless = format!("PROXY UNKNOWN {}", "x".repeat(200));
    for bad in
        ["hi there, all of you", "GET / HTTP/1.1\r\n\r\n", "PROXY TCP4 1.2.3.4\r\n", &endless, "", "PROXY TCP4 1.2"]
    {
        let before = stage.proxy.published.listening().refused();
        let mut client = stage.connect();
        client.send(bad);
        assert_eq!(client.read_to_close().0, b"", "{bad:?}");
        wait::until("it is counted", || stage.proxy.published.listening().refused() == before + 1);
    }
    assert_eq!(replica.record().accepted, 0);
}

#[test]
fn for_http_the_same_counts() {
    let replica = Replica::answering(|request| {
        let forwarded = request.head.value("x-forwarded-for").unwrap_or_default();
        ok(&forwarded)
    });
    let proxy = Proxy::with(proxied(), &[&replica]);
    let get = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";
    for header in [&b"PROXY TCP4 192.0.2.1 198.51.100.7 4660 443\r\n"[..], V2] {
        let response = proxy.fetch([header, get.as_bytes()].concat());
        assert_eq!((response.status(), response.text().as_str()), (200, "192.0.2.1"));
    }
    let mut client = proxy.connect();
    client.send(get);
    assert_eq!(client.read_to_close().0, b"", "not even an answer");
    assert_eq!(proxy.published.listening().refused(), 1);
    // A stranger who says so is not believed, and what it says is no request.
    let proxy = Proxy::before(&[&replica]);
    assert_eq!(proxy.fetch([V2, get.as_bytes()].concat()).status(), 400);
    assert_eq!(proxy.fetch(format!("PROXY TCP4 192.0.2.1 198.51.100.7 4660 443\r\n{get}")).status(), 505);
}
