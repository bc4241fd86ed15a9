//! TLS that divisi ends, TLS that it begins with a replica, and ports at which HTTP is served as well.

use std::sync::Arc;

use divisi_model::Card;
use divisi_model::route::{Door, Route, Rule, Way};
use divisi_model::speech::{Scheme, Speech, Trust};
use divisi_model::tcp::Standing;
use divisi_proxy::{Running, Settings};
use divisi_testkit::replica::Replica;
use divisi_testkit::wait;

use crate::stage::{Stage, any, echo, route};
use crate::support::{settings, spec};
use crate::tls::Secure;

/// The same route, whose TLS divisi ends.
fn ended((port, route): (u16, Route)) -> (u16, Route) {
    let way = Way { passes_tls: false, ..route.way().clone() };
    (port, route.with_way(way))
}

fn name(text: &str) -> Rule {
    Rule::host(text).expect("a name")
}

#[test]
fn tls_ends_here_where_the_route_says_so_and_there_is_a_certificate() {
    let secure = Secure::new();
    let replica = Replica::start(echo).lenient();
    let stage = Stage::before(&[replica.addr()]);
    let routes = vec![ended(route(stage.port, name("*"), Door::Secure, 0))];
    stage.publish(&stage.members, routes);
    stage.proxy.vault.publish(secure.keyring("db.example.com"));
    wait::until("it is echoed", || secure.ask_echo(stage.addr(), "db.example.com").as_deref() == Some("ping"));
    assert!(replica.record().raw.ends_with(b"ping"), "the replica sees no TLS");
    let before = replica.record().raw.len();
    assert_eq!(secure.ask_echo(stage.addr(), "a.wild.example.com"), None, "there is no certificate for that name");
    assert_eq!(replica.record().raw.len(), before);
    wait::until("it is counted", || stage.service.state().streams().read().endings[2] >= 1);
}

#[test]
fn a_replica_is_spoken_to_inside_tls_where_its_labels_say_so() {
    let secure = Secure::new();
    let (_listener, addr) = secure.replica("inside");
    let speech = |trust| Arc::new(Speech { scheme: Scheme::Https, trust, ..Speech::default() });
    let card = |trust: Trust| move |number| Card { speech: speech(trust.clone()), ..Card::new("shop-db-1", number) };
    let stage = Stage::of_cards(settings(), spec(), &[addr], None, card(Trust::Unproven));
    let mut client = stage.connect();
    client.send("ping");
    assert_eq!(client.read_until("heard ping"), b"inside heard ping");
    // Nobody whom browsers trust has signed that it is who it is.
    let stage = Stage::of_cards(settings(), spec(), &[addr], None, card(Trust::Public));
    let mut client = stage.connect();
    client.send("ping");
    assert_eq!(client.read_to_close().0, b"");
    wait::until("it is counted", || stage.service.state().streams().read().endings == [0, 0, 1]);
}

#[test]
fn http_and_tls_that_is_passed_on_share_a_port() {
    let secure = Secure::new();
    let (_listener, addr) = secure.replica("passed on");
    let stage = Stage::before(&[addr]);
    let own = stage.proxy.addr();
    stage.publish(&stage.members, vec![route(own.port(), name("db.example.com"), Door::Secure, 0)]);
    stage.wait_for(own.port(), &Standing::Shared);
    assert_eq!(secure.ask(own, "db.example.com").as_deref(), Some("passed on heard ping"));
    let get = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
    assert_eq!(stage.proxy.fetch(get).status(), 404, "HTTP is HTTP");
    // Two requests in one piece, and one byte by byte: nothing of what was read is lost.
    let mut client = stage.proxy.connect();
    client.send(format!("{get}{get}"));
    assert_eq!((client.response().status(), client.response().status()), (404, 404));
    let mut client = stage.proxy.connect();
    for byte in get.bytes() {
        client.send([byte]);
    }
    assert_eq!(client.response().status(), 404);
    assert_eq!(secure.ask(own, "other.example.com"), None, "TLS is not spoken there otherwise");
    // A route for all names is one, too.
    stage.publish(&stage.members, vec![route(own.port(), any(), Door::Secure, 0)]);
    wait::until("it is passed on", || secure.ask(own, "a.wild.example.com").is_some());
}

/// An authority that verifies a name by TLS comes to the port of HTTPS, whatever else the name leads to there.
#[test]
fn who_looks_for_the_challenge_of_a_name_that_tcp_has_finds_it() {
    let (secure, challenge) = (Secure::new(), Secure::new());
    let (_listener, addr) = secure.replica("passed on");
    let settings = Settings { listen_tls: Some(([127, 0, 0, 1], 0).into()), ..settings() };
    let stage = Stage::with(settings, spec(), &[addr], None);
    let own = stage.proxy.running.as_ref().and_then(Running::tls_addr).expect("it speaks TLS");
    let passed = |rule| route(own.port(), rule, Door::Secure, 0);
    for (routes, what) in [
        (vec![ended(passed(name("db.example.com")))], "a name that is ended here"),
        (vec![passed(any())], "all names, passed on"),
    ] {
        stage.publish(&stage.members, routes);
        stage.wait_for(own.port(), &Standing::Shared);
        assert!(!challenge.is_challenge_shown(own, "db.example.com"), "{what}: before");
        challenge.show_challenge(&stage.proxy.vault, "db.example.com");
        assert!(challenge.is_challenge_shown(own, "db.example.com"), "{what}");
        assert!(!challenge.is_challenge_shown(own, "a.wild.example.com"), "{what}: another name");
        stage.proxy.vault.remove_challenge("db.example.com");
    }
}
