//! Which service gets the requests, and what is said when none does.

use std::sync::Arc;

use divisi_discovery::Settings;
use divisi_testkit::engine::{FakeContainer, FakeEngine};

use crate::harness::{Discovery, Port, inside, replica, settings, until};

fn lb() -> FakeContainer {
    FakeContainer::replica("shop", "lb", 1).network("shop_default", "127.0.0.9").port(80)
}

fn of(project: &str, service: &str, port: u16) -> FakeContainer {
    FakeContainer::replica(project, service, 1).network("shop_default", "127.2.0.1").port(port)
}

#[test]
fn the_only_other_service_with_a_port_is_found_unnamed() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.run_silently(replica(1, port.number()));
    engine.run_silently(FakeContainer::replica("shop", "job", 1).network("shop_default", "127.2.0.2"));
    engine.run_silently(of("blog", "web", port.number()));
    let discovery = Discovery::start(inside(&engine, lb()));
    discovery.until_ready(&["shop-web-1"]);
}

#[test]
fn several_services_are_named_and_then_one_is_left() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.run_silently(replica(1, port.number()));
    let api = engine.run_silently(of("shop", "api", port.number()));
    let discovery = Discovery::start(inside(&engine, lb()));
    discovery.until_reason("project \"shop\" has 2 services with a port (api, web): name one with DIVISI_SERVICE=web");
    engine.stop(&api);
    discovery.until_ready(&["shop-web-1"]);
}

#[test]
fn with_no_other_service_it_is_said_what_to_do() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let discovery = Discovery::start(inside(&engine, lb()));
    discovery.until_reason("project \"shop\" has no other service with a port: start one");
    engine.run(replica(1, port.number()));
    discovery.until_ready(&["shop-web-1"]);
}

#[test]
fn a_chosen_service_stays_known_without_containers() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let id = engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(inside(&engine, lb()));
    discovery.until_ready(&["shop-web-1"]);
    engine.stop(&id);
    engine.destroy(&id);
    discovery.until_known(0);
    engine.run(replica(1, port.number()));
    discovery.until_ready(&["shop-web-1"]);
}

#[test]
fn outside_and_unnamed_is_said() {
    let engine = FakeEngine::new();
    let discovery = Discovery::start(settings(&engine));
    discovery.until_reason("outside of any container, no service is named and no label asks for requests");
}

#[test]
fn a_service_of_two_projects_is_ambiguous() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.run_silently(replica(1, port.number()));
    let other = engine.run_silently(of("blog", "web", port.number()));
    let named = Settings { service: Some("web".to_owned()), ..settings(&engine) };
    let discovery = Discovery::start(named);
    discovery.until_reason("2 projects have a service \"web\" (blog, shop): write --project NAME");
    engine.stop(&other);
    discovery.until_ready(&["shop-web-1"]);
    let kept = Arc::clone(&discovery.ready()[0]);
    engine.start(&other);
    until("the namesake was inspected", || engine.calls().inspects >= 2);
    assert_eq!(discovery.ready()[0].id(), kept.id(), "a namesake that comes later takes nothing away");
}

#[test]
fn host_networked_services_have_their_port_found_by_inspection() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.run_silently(FakeContainer::replica("shop", "web", 1).mode("host").port(port.number()));
    let discovery = Discovery::start(inside(&engine, lb()));
    discovery.until_ready(&["shop-web-1"]);
    assert_eq!(discovery.ready()[0].authority(), format!("127.0.0.1:{}", port.number()), "the gateway");
}
