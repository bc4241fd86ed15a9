//! Ports for TCP, from labels to the snapshot.

use std::net::IpAddr;

use divisi_model::Readiness;
use divisi_model::tcp::{Connection, Hello};

use super::*;

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(172, 17, 0, 9));

/// A container of a service of the project, with labels.
fn labelled(id: &str, service: &str, number: u32, labels: &[(&str, &str)]) -> Container {
    let said = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Container {
        identity: Some(Identity { key: key(service), number: 1 }),
        port: Port::At(5432),
        labels: Said::labels(said.collect()),
        ..container(id, number)
    }
}

fn world(containers: &[Container]) -> World {
    let mut world = World::of(&Settings { project: Some("shop".to_owned()), ..Settings::default() });
    world.list(containers);
    world.commit();
    world.accept_all();
    world
}

fn connection(name: Option<&str>) -> Connection<'_> {
    let hello = name.map(|name| Hello { server_name: name.as_bytes(), protocols: &[] });
    Connection { client: CLIENT, hello }
}

/// The service that gets a connection at a port, and its replicas' addresses.
fn at(world: &World, port: u16, name: Option<&str>) -> Option<(String, Vec<String>)> {
    let snapshot = world.routed.as_ref().expect("published");
    let route = snapshot.ports().get(port)?.find(&connection(name))?;
    let service = snapshot.service(route.way().slot).expect("a service");
    let addrs = service.ready().iter().map(|replica| replica.addr().to_string()).collect();
    Some((service.state().name().to_string(), addrs))
}

#[test]
fn a_label_opens_a_port_and_its_replicas_get_what_comes() {
    let db = |id, number| labelled(id, "db", number, &[("divisi.tcp.6432", "5433")]);
    let world = world(&[db("a", 1), db("b", 2)]);
    let (service, addrs) = at(&world, 6432, None).expect("open");
    assert_eq!((service.as_str(), addrs.len()), ("shop/db:5433/tcp", 2));
    assert!(addrs.contains(&"10.0.0.1:5433".to_owned()) && addrs.contains(&"10.0.0.2:5433".to_owned()), "{addrs:?}");
    assert_eq!(at(&world, 5433, None), None);
    let sightings = world.table.sightings();
    assert!(sightings.iter().all(|sighting| sighting.unrouted.is_none()), "{sightings:#?}");
    assert_eq!(sightings[0].routes[0].text, "port 6432 HostSNI(`*`)");
    // Nobody gets HTTP from it, neither by its name nor for want of others.
    let snapshot = world.routed.as_ref().expect("published");
    assert!(snapshot.routes().is_empty() && snapshot.fallback().is_err());
}

#[test]
fn true_means_the_exposed_port_and_other_routes_stand_beside_it() {
    let both = labelled("a", "web", 1, &[("divisi.tcp.7000", "true"), ("divisi.host", "a.com"), ("divisi.port", "80")]);
    let world = world(&[both]);
    assert_eq!(at(&world, 7000, None), Some(("shop/web:tcp".to_owned(), vec!["10.0.0.1:5432".to_owned()])));
    let services: Vec<_> = world.routed.as_ref().expect("published").services().cloned().collect();
    let addrs: Vec<_> =
        services.iter().flat_map(|service| service.ready()).map(|replica| replica.addr().port()).collect();
    assert!(addrs.contains(&80) && addrs.contains(&5432), "{addrs:?}");
}

#[test]
fn names_inside_tls_are_told_apart() {
    let world = world(&[
        labelled("a", "one", 1, &[("divisi.tcp.443.sni", "one.example.com")]),
        labelled("b", "two", 2, &[("divisi.tcp.443.sni", "*.example.com"), ("divisi.tcp.443", "9000")]),
    ]);
    assert_eq!(at(&world, 443, Some("one.example.com")).map(|found| found.0).as_deref(), Some("shop/one:tcp"));
    assert_eq!(at(&world, 443, Some("x.example.com")).map(|found| found.0).as_deref(), Some("shop/two:9000/tcp"));
    assert_eq!(at(&world, 443, Some("example.org")), None);
    assert_eq!(at(&world, 443, None), None, "and nothing else comes in");
}

#[test]
fn of_two_services_that_want_a_port_the_same_one_gets_it_every_time() {
    let (a, b) =
        (labelled("a", "a", 1, &[("divisi.tcp.5432", "1")]), labelled("b", "b", 2, &[("divisi.tcp.5432", "2")]));
    for order in [[a.clone(), b.clone()], [b, a]] {
        let world = world(&order);
        assert_eq!(at(&world, 5432, None).map(|found| found.0).as_deref(), Some("shop/a:1/tcp"));
        let conflicts: Vec<_> =
            world.table.sightings().iter().filter_map(|seen| seen.routes[0].conflict.clone()).collect();
        assert_eq!(conflicts.len(), 1);
        assert!(conflicts[0].starts_with("port 5432: ") && conflicts[0].contains("shop/a:1/tcp gets"), "{conflicts:?}");
    }
}

#[test]
fn a_port_is_kept_for_the_next_container_and_closes_when_none_comes() {
    let db = labelled("a", "db", 1, &[("divisi.tcp.5432", "true")]);
    let other = labelled("w", "web", 2, &[]);
    let mut world = world(&[db, other]);
    let replica = world.routed.as_ref().expect("published").ports().get(5432).map(|_| ());
    assert!(replica.is_some());
    world.event_of_service("a", "db", What::Ended);
    world.commit();
    assert_eq!(at(&world, 5432, None).map(|found| found.1), Some(Vec::new()), "connections wait");
    world.now += Tuning::default().forget + Duration::from_secs(1);
    world.table.expire(world.now);
    assert!(world.commit());
    assert_eq!(at(&world, 5432, None), None);
    assert!(world.routed.as_ref().expect("published").ports().is_empty());
}

#[test]
fn the_next_container_may_want_another_port_and_a_change_elsewhere_touches_none() {
    let db = |id: &str, created, port: &str| {
        let label = format!("divisi.tcp.{port}");
        Container { created, ..labelled(id, "db", 1, &[(label.as_str(), "true")]) }
    };
    let mut world = world(&[db("old", 1, "5432")]);
    let before = Arc::clone(world.routed.as_ref().expect("published").ports());
    world.list(&[db("old", 1, "5432"), labelled("w", "web", 2, &[("divisi.host", "a.com")])]);
    world.commit();
    world.accept_all();
    assert!(Arc::ptr_eq(&before, world.routed.as_ref().expect("published").ports()));
    world.list(&[db("old", 1, "5432"), db("new", 2, "6432")]);
    world.commit();
    world.accept_all();
    assert!(at(&world, 6432, None).is_some() && at(&world, 5432, None).is_none());
}

fn world_of_traefik(labels: &[(&str, &str)]) -> World {
    let mut settings = Settings { project: Some("shop".to_owned()), ..Settings::default() };
    settings.reader.traefik.ports = vec![("postgres".to_owned(), 15432)];
    let mut world = World::of(&settings);
    world.list(&[labelled("a", "db", 1, labels)]);
    world.commit();
    world.accept_all();
    world
}

#[test]
fn the_names_of_a_certificate_come_along() {
    let world = world_of_traefik(&[
        ("traefik.tcp.routers.db.rule", "HostSNIRegexp(`^[a-z]+\\.example\\.com$`)"),
        ("traefik.tcp.routers.db.tls.domains[0].main", "*.example.com"),
    ]);
    let snapshot = world.routed.as_ref().expect("published");
    let port = snapshot.ports().get(15432).expect("open");
    let names: Vec<_> = port.ended().flat_map(|route| route.way().protection.names.clone()).collect();
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["*.example.com"]);
}

#[test]
fn routers_of_traefik_lead_to_the_ports_of_their_entry_points() {
    let world = world_of_traefik(&[
        ("traefik.tcp.routers.db.rule", "HostSNI(`*`)"),
        ("traefik.tcp.routers.db.entrypoints", "postgres"),
        ("traefik.tcp.services.db.loadbalancer.server.port", "5433"),
        ("traefik.tcp.services.db.loadbalancer.proxyprotocol.version", "1"),
    ]);
    let found = at(&world, 15432, None);
    assert_eq!(found, Some(("shop/db/tcp@traefik".to_owned(), vec!["10.0.0.1:5433".to_owned()])));
    let snapshot = world.routed.as_ref().expect("published");
    let route = snapshot.ports().get(15432).expect("open").find(&connection(None)).expect("a route");
    let replica = &snapshot.service(route.way().slot).expect("a service").ready()[0];
    assert_eq!(replica.speech().proxy_header, Some(divisi_model::speech::ProxyHeader::V1));
    assert_eq!(replica.readiness(), Readiness::Ready);
}
