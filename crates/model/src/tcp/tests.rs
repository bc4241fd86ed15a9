use std::net::IpAddr;

use super::*;
use crate::route::explain::{Outcome, Step};
use crate::route::{Door, Origin, Route, Rule, Way};
use crate::snapshot::Slot;

fn route(owner: &str, service: &str, rule: Rule, door: Door) -> Route {
    let origin = Origin { id: owner.into(), container: owner.into(), label: "divisi.tcp".into() };
    Route::new("r", rule, service, origin).with_way(Way { slot: Slot(0), door, ..Way::default() })
}

fn name(text: &str) -> Rule {
    Rule::host(text).expect("a name")
}

fn inside<'a>(server_name: &'a str, protocols: &'a [&'a [u8]]) -> Connection<'a> {
    let hello = Hello { server_name: server_name.as_bytes(), protocols };
    Connection { client: IpAddr::from([10, 0, 0, 1]), hello: Some(hello) }
}

const PLAIN: Connection<'static> = Connection { client: IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), hello: None };

fn taken(ports: &Ports, port: u16, connection: &Connection<'_>) -> Option<String> {
    Some(ports.get(port)?.find(connection)?.service().to_string())
}

#[test]
fn a_connection_goes_where_its_first_bytes_say() {
    let (ports, conflicts) = Ports::build(vec![
        (443, route("a", "exact", name("db.example.com"), Door::Secure)),
        (443, route("b", "wild", name("*.example.com"), Door::Secure)),
        (443, route("c", "plain", name("*"), Door::Plain)),
        (5432, route("d", "db", name("*"), Door::Plain)),
    ]);
    assert!(conflicts.is_empty());
    for (connection, expected) in [
        (inside("db.example.com", &[]), Some("exact")),
        (inside("DB.example.com.", &[]), Some("exact")),
        (inside("x.example.com", &[]), Some("wild")),
        (inside("a.b.example.com", &[]), None),
        (inside("", &[]), None),
        (PLAIN, Some("plain")),
    ] {
        assert_eq!(taken(&ports, 443, &connection).as_deref(), expected, "{connection:?}");
    }
    assert_eq!(taken(&ports, 5432, &PLAIN).as_deref(), Some("db"));
    assert_eq!(taken(&ports, 80, &PLAIN), None);
    let (tls, db) = (ports.get(443).expect("open"), ports.get(5432).expect("open"));
    assert!(tls.reads_hello() && tls.takes_plain() && !db.reads_hello() && db.takes_plain());
}

#[test]
fn clients_and_protocols_narrow_a_route() {
    let near = Rule::all(vec![name("*"), Rule::client_ip("192.168.0.0/16").expect("a network")]).expect("a rule");
    let h2 = Rule::all(vec![name("*"), Rule::alpn("h2").expect("a protocol")]).expect("a rule");
    let (ports, _) = Ports::build(vec![
        (1, route("a", "near", near, Door::Plain)),
        (2, route("b", "h2", h2.clone(), Door::Secure)),
        (2, route("c", "rest", Rule::negated(h2).expect("a rule"), Door::Secure)),
    ]);
    assert_eq!(taken(&ports, 1, &PLAIN), None);
    let near = Connection { client: "::ffff:192.168.3.4".parse().expect("an address"), ..PLAIN };
    assert_eq!(taken(&ports, 1, &near).as_deref(), Some("near"));
    assert_eq!(taken(&ports, 2, &inside("x", &[b"http/1.1", b"h2"])).as_deref(), Some("h2"));
    assert_eq!(taken(&ports, 2, &inside("x", &[b"http/1.1"])).as_deref(), Some("rest"));
    for odd in ["", "\u{7}", &"x".repeat(256)] {
        assert!(Rule::alpn(odd).is_err(), "{odd:?}");
    }
}

#[test]
fn a_port_goes_with_its_last_route_and_others_stay_as_they_are() {
    let (first, _) = Ports::build(vec![
        (1, route("a", "a", name("*"), Door::Plain)),
        (2, route("a", "a", name("x.com"), Door::Secure)),
        (2, route("b", "b", name("y.com"), Door::Secure)),
        (3, route("b", "b", name("*"), Door::Plain)),
    ]);
    let (next, _) = first.patch(&["a"], Vec::new());
    assert_eq!(next.iter().map(|port| port.number()).collect::<Vec<_>>(), [2, 3]);
    assert!(std::sync::Arc::ptr_eq(first.get(3).expect("open"), next.get(3).expect("open")));
    assert_eq!((taken(&next, 2, &inside("x.com", &[])), next.get(2).expect("open").routes().len()), (None, 1));
    // The same owner asks for another port, and in plain where it was inside TLS.
    let (next, _) = next.patch(&[], vec![(2, route("b", "b", name("*"), Door::Plain))]);
    assert_eq!(next.iter().map(|port| port.number()).collect::<Vec<_>>(), [2]);
    assert!(!next.get(2).expect("open").reads_hello());
    assert!(next.patch(&["b", "nobody"], Vec::new()).0.is_empty());
}

#[test]
fn of_two_who_want_the_same_one_gets_it_in_whatever_order_they_came() {
    let (a, b) = (route("1", "a", name("*"), Door::Plain), route("2", "b", name("*"), Door::Plain));
    let (ports, conflicts) = Ports::build(vec![(5432, b.clone()), (5432, a.clone())]);
    assert_eq!(taken(&ports, 5432, &PLAIN).as_deref(), Some("a"));
    assert_eq!(conflicts.len(), 1);
    let text = conflicts[0].to_string();
    assert!(
        text.starts_with("port 5432: HostSNI(`*`) is asked for by service a ")
            && text.contains("service a (label divisi.tcp of container 1)"),
        "{text}"
    );
    let (one, none) = Ports::build(vec![(5432, b)]);
    assert!(none.is_empty());
    let (both, news) = one.patch(&[], vec![(5432, a.clone())]);
    assert_eq!((taken(&both, 5432, &PLAIN).as_deref(), news.len(), both.conflicts().len()), (Some("a"), 1, 1));
    let (last, _) = both.patch(&["1"], Vec::new());
    assert_eq!((taken(&last, 5432, &PLAIN).as_deref(), last.conflicts().len()), (Some("b"), 0));
    // Inside TLS and outside of it are two things.
    let secure = route("2", "b", name("*"), Door::Secure);
    assert!(Ports::build(vec![(5432, a), (5432, secure)]).1.is_empty());
}

#[test]
fn news_of_a_port_is_told_once() {
    let listening = Listening::default();
    let failed = Standing::Failed("taken".into());
    assert!(listening.set(1, failed.clone()) && !listening.set(1, failed.clone()));
    assert_eq!((listening.of(1), listening.of(2)), (failed, Standing::Closed));
    assert!(listening.set(1, Standing::Closed) && !listening.set(1, Standing::Closed));
}

#[test]
fn every_route_of_a_port_says_why() {
    let (ports, _) = Ports::build(vec![
        (443, route("a", "exact", name("db.example.com"), Door::Secure)),
        (443, route("b", "wild", name("*.example.com"), Door::Secure)),
        (443, route("c", "plain", name("*"), Door::Plain)),
    ]);
    let port = ports.get(443).expect("open");
    let told = |connection| {
        let steps = port.explain(&connection);
        let outcome = |step: &Step<'_>| match &step.outcome {
            Outcome::Unmet { part, .. } => format!("{}: {part} does not hold", step.route.service()),
            other => format!("{}: {other:?}", step.route.service()),
        };
        steps.iter().map(outcome).collect::<Vec<_>>()
    };
    assert_eq!(told(inside("db.example.com", &[])), ["exact: Taken", "wild: Outranked", "plain: Door(Plain)"]);
    let unmet = ["exact: Host(`db.example.com`) does not hold", "wild: Host(`*.example.com`) does not hold"];
    assert_eq!(told(PLAIN), [&unmet[..], &["plain: Taken"]].concat());
}
