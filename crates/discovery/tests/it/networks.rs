//! Which of a replica's addresses is taken.

use std::sync::Arc;

use divisi_testkit::engine::{FakeContainer, FakeEngine};

use crate::harness::{Discovery, Port, inside, own_id, replica, until, web};

fn lb() -> FakeContainer {
    FakeContainer::replica("shop", "lb", 1).network("front", "127.0.0.9").network("zone", "127.0.0.8")
}

fn web_on(networks: &[(&str, &str)], number: u32, port: u16) -> FakeContainer {
    let bare = FakeContainer::replica("shop", "web", number).port(port);
    networks.iter().fold(bare, |container, (name, ip)| container.network(name, ip))
}

#[test]
fn the_first_shared_network_is_taken() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let networks = [("back", "127.3.0.1"), ("front", "127.3.0.2"), ("zone", "127.3.0.3")];
    engine.run_silently(web_on(&networks, 1, port.number()));
    let discovery = Discovery::start(inside(&engine, lb()));
    discovery.until_ready(&["shop-web-1"]);
    assert_eq!(discovery.ready()[0].authority(), format!("127.3.0.2:{}", port.number()));
}

#[test]
fn one_without_a_shared_network_or_port_loses_only_itself() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let lost = engine.run_silently(web_on(&[("back", "127.3.1.1")], 1, port.number()));
    engine.run_silently(FakeContainer::replica("shop", "web", 2).network("front", "127.3.1.2"));
    engine.run_silently(web_on(&[("front", "127.3.1.3")], 3, port.number()));
    let discovery = Discovery::start(inside(&engine, lb()));
    discovery.until_ready(&["shop-web-3"]);
    engine.connect(&lost, "zone", "127.3.1.4");
    discovery.until_ready(&["shop-web-1", "shop-web-3"]);
}

#[test]
fn our_own_networks_are_followed() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.run_silently(web_on(&[("back", "127.3.2.1"), ("front", "127.3.2.2")], 1, port.number()));
    let discovery = Discovery::start(inside(&engine, lb()));
    discovery.until_ready(&["shop-web-1"]);
    let before = Arc::clone(&discovery.ready()[0]);
    engine.connect(own_id(), "back", "127.0.0.7");
    until("the better network is taken", || {
        discovery.ready().first().is_some_and(|now| now.authority().starts_with("127.3.2.1:"))
    });
    assert_ne!(discovery.ready()[0].id(), before.id(), "another address is another replica");
    engine.disconnect(own_id(), "back");
    until("the other is back", || {
        discovery.ready().first().is_some_and(|now| now.authority().starts_with("127.3.2.2:"))
    });
}

#[test]
fn a_divisi_in_the_hosts_network_reaches_any_address() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.run_silently(replica(1, port.number()));
    let host = FakeContainer::replica("shop", "lb", 1).mode("host");
    Discovery::start(inside(&engine, host)).until_ready(&["shop-web-1"]);
}

#[test]
fn ipv6_alone_will_do() {
    let engine = FakeEngine::new();
    let listener = std::net::TcpListener::bind("[::1]:0").expect("IPv6 loopback");
    let port = listener.local_addr().expect("bound").port();
    engine.run_silently(FakeContainer::replica("shop", "web", 1).network("six", "::1").port(port));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1"]);
    assert_eq!(discovery.ready()[0].authority(), format!("[::1]:{port}"));
}

#[test]
fn a_new_address_without_a_restart_is_a_new_replica() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let id = engine.run_silently(web_on(&[("front", "127.3.3.1")], 1, port.number()));
    let discovery = Discovery::start(inside(&engine, lb()));
    discovery.until_ready(&["shop-web-1"]);
    engine.connect(&id, "front", "127.3.3.2");
    until("the new address is taken", || {
        discovery.ready().first().is_some_and(|now| now.authority().starts_with("127.3.3.2:"))
    });
}
