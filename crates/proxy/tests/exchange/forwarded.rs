//! What a replica is told about the client, and whom it is told by.

use divisi_testkit::client::Client;
use divisi_testkit::message::Head;
use divisi_testkit::replica::Replica;

use crate::support::{Proxy, settings};

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
