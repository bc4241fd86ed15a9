//! What a replica is told about the client, and whom it is told by.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::thread;

use divisi_model::speech::ProxyHeader;
use divisi_model::{Card, Readiness, Service, Snapshot, Speech};
use divisi_testkit::client::Client;
use divisi_testkit::message::Head;
use divisi_testkit::replica::Replica;
use divisi_testkit::wait::PATIENCE;

use crate::support::{GET, Proxy, settings, spec};

const FORGED: &str = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\n\
                      X-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n";

/// What a replica gets when a client on loopback sends those field lines, with those networks trusted.
fn upstream(trust: &[&str], fields: &str) -> Head {
    let replica = Replica::named("a");
    let trust = trust.iter().map(|net| net.parse().expect("a network")).collect();
    let proxy = Proxy::with(divisi_proxy::Settings { trust, ..settings() }, &[&replica]);
    let mut client = Client::connect(proxy.addr());
    client.exchange(format!("GET / HTTP/1.1\r\nHost: app.test:81\r\n{fields}\r\n"));
    replica.requests()[0].head.clone()
}

#[test]
fn a_replica_learns_who_asked_and_for_what() {
    let head = upstream(&[], "");
    assert_eq!(head.values("host"), ["app.test:81"]);
    assert_eq!(head.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(head.values("x-real-ip"), ["127.0.0.1"]);
    assert_eq!(head.values("x-forwarded-proto"), ["http"]);
    assert_eq!(head.values("x-forwarded-host"), ["app.test:81"]);
}

#[test]
fn a_stranger_cannot_say_who_he_is() {
    for trust in [&[][..], &["10.0.0.0/8"][..]] {
        let head = upstream(trust, FORGED);
        assert_eq!(head.values("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(head.values("x-real-ip"), ["127.0.0.1"]);
        assert_eq!(head.values("x-forwarded-proto"), ["http"]);
        assert_eq!(head.values("x-forwarded-host"), ["app.test:81"]);
        assert!(!head.has("forwarded"));
    }
}

#[test]
fn a_trusted_proxy_is_believed_and_added() {
    let head = upstream(&["127.0.0.0/8"], FORGED);
    assert_eq!(head.values("x-forwarded-for").join(", "), "1.2.3.4, 127.0.0.1");
    assert_eq!(head.values("x-real-ip"), ["1.2.3.4"]);
    assert_eq!(head.values("x-forwarded-proto"), ["https"]);
    assert_eq!(head.values("x-forwarded-host"), ["evil.test"]);
}

#[test]
fn a_trusted_proxy_that_says_nothing_is_the_client() {
    let head = upstream(&["127.0.0.1/32"], "");
    assert_eq!(head.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(head.values("x-real-ip"), ["127.0.0.1"]);
    assert_eq!(head.values("x-forwarded-proto"), ["http"]);
}

/// Takes connections one after the other, answers each request, and tells what came on each up to its first request's end.
fn who_wants_to_know() -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("its address");
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, tell) = (stream.expect("a connection"), tell.clone());
            thread::spawn(move || {
                let mut heard = Vec::new();
                let mut piece = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut piece) {
                    heard.extend_from_slice(&piece[..count]);
                    if heard.ends_with(b"\r\n\r\n") {
                        let _ = tell.send(String::from_utf8_lossy(&heard).into_owned());
                        heard.clear();
                        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("it is there");
                    }
                }
            });
        }
    });
    (addr, told)
}

#[test]
fn a_replica_that_wants_to_know_is_told_whose_connection_it_is() {
    let (addr, told) = who_wants_to_know();
    let service = Service::new("web", spec());
    let speech = Speech { proxy_header: Some(ProxyHeader::V1), ..Speech::default() };
    let card = Card { speech: Arc::new(speech), ..Card::new("web-1", 1) };
    let member = service.replica(card, addr, Readiness::Ready);
    let service = service.with_replicas(vec![Arc::clone(&member)], 1);
    let proxy = Proxy::serving(settings(), Snapshot::of(Arc::new(service)), vec![member]);
    for _ in 0..2 {
        let mut client = proxy.connect();
        let from = client.local_addr().port();
        // The second request of a client goes over the same connection, and nobody else's does.
        for begin in
            [format!("PROXY TCP4 127.0.0.1 127.0.0.1 {from} {}\r\nGET / ", proxy.addr().port()), "GET / ".into()]
        {
            client.send(GET);
            assert_eq!(client.response().status(), 204);
            let heard = told.recv_timeout(PATIENCE).expect("a request came");
            assert!(heard.starts_with(&begin), "{heard}");
        }
    }
}
