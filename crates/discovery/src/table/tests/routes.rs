//! Many services: which routes there are, where they lead, and what becomes of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use divisi_labels::{Dialects, Reader};
use divisi_model::route::{Asked, Door, When};
use divisi_model::speech::{Scheme, Trust};

use super::*;

/// A GET of that host and path.
struct Visit<'a>(&'a str, &'a str);

impl Asked for Visit<'_> {
    fn host(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.1.as_bytes()
    }

    fn query(&self) -> &[u8] {
        b""
    }

    fn method(&self) -> &[u8] {
        b"GET"
    }

    fn any_header(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }

    fn client(&self) -> IpAddr {
        // The last letter of the path says from where.
        if self.1.ends_with('!') { Ipv4Addr::new(8, 8, 8, 8) } else { Ipv4Addr::new(172, 17, 0, 1) }.into()
    }

    fn is_secure(&self) -> bool {
        false
    }
}

/// A container of a service of a project, with labels; its address comes from its number.
pub(super) fn labelled(place: &str, number: u32, labels: &[(&str, &str)]) -> Container {
    let (project, service) = place.split_once('/').expect("project/service");
    let key = ServiceKey { project: project.into(), service: service.into() };
    let labels: HashMap<_, _> = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let id = format!("{project}-{service}-{number}");
    Container {
        name: id.clone(),
        identity: Some(Identity { key, number }),
        labels: Said::labels(labels),
        ..container(&id, number)
    }
}

/// A world that looks at project `shop` and in which nobody has named a service.
fn shop(containers: &[Container]) -> World {
    shop_with(Settings::default(), containers)
}

fn shop_with(settings: Settings, containers: &[Container]) -> World {
    let mut world = World::of(&Settings { project: Some("shop".to_owned()), ..settings });
    world.list(containers);
    world.commit();
    world.accept_all();
    world
}

impl World {
    /// The service that a URL leads to, with its ready replicas; or why it leads nowhere.
    fn visit(&self, host: &str, path: &str) -> String {
        let snapshot = self.routed.as_ref().expect("something was published");
        let slot = match snapshot.find(&Visit(host, path)) {
            Some(route) => match &route.way().closed {
                Some(why) => return format!("closed: {why}"),
                None => route.way().slot,
            },
            None => match snapshot.fallback() {
                Ok(slot) => slot,
                Err(nowhere) => return format!("{}: {}", if nowhere.is_known { 404 } else { 503 }, nowhere.reason),
            },
        };
        let service = snapshot.service(slot).expect("a route leads to a service");
        let names: Vec<_> = service.ready().iter().map(|replica| replica.name()).collect();
        format!("{} [{}]", service.state().name(), names.join(" "))
    }

    fn end(&mut self, id: &str) {
        self.event(id, What::Ended);
        self.commit();
    }

    /// Lists what there is, and everything accepts.
    fn now_runs(&mut self, containers: &[Container]) {
        self.list(containers);
        self.commit();
        self.accept_all();
    }
}

#[test]
fn labels_say_what_goes_where() {
    let world = shop(&[
        labelled("shop/web", 1, &[("divisi.host", "shop.test")]),
        labelled("shop/web", 2, &[("divisi.host", "shop.test")]),
        labelled("shop/api", 3, &[("divisi.host", "shop.test"), ("divisi.path", "/api")]),
        labelled("shop/db", 4, &[]),
        labelled("blog/web", 5, &[("traefik.http.routers.blog.rule", "Host(`blog.test`)")]),
        labelled("blog/db", 6, &[]),
    ]);
    assert_eq!(world.visit("shop.test", "/"), "shop/web [shop-web-1 shop-web-2]");
    assert_eq!(world.visit("shop.test", "/api/x"), "shop/api [shop-api-3]");
    assert_eq!(world.visit("blog.test", "/"), "blog/web [blog-web-5]");
    assert!(world.visit("db.blog.localhost", "/").starts_with("404"), "other projects only by label");
    assert!(world.visit("else.test", "/").starts_with("404: no label asks for it"));
    assert_eq!(world.visit("db.localhost", "/"), "shop/db [shop-db-4]");
    assert_eq!(world.visit("web.shop.localhost", "/"), "shop/web [shop-web-1 shop-web-2]");
}

#[test]
fn names_lead_to_services_only_where_that_is_wanted() {
    let containers = [labelled("shop/web", 1, &[]), labelled("shop/api", 2, &[])];
    let world = shop(&containers);
    assert_eq!(world.visit("api.localhost:8080", "/x"), "shop/api [shop-api-2]");
    assert!(world.visit("api.localhost:8080", "/x!").starts_with("503"), "anybody can write that name");
    assert!(world.visit("else", "/").starts_with("503: project \"shop\" has 2 services with a port (api, web)"));
    let world = shop_with(Settings { local_hosts: false, ..Settings::default() }, &containers);
    assert!(world.visit("api.localhost", "/").starts_with("503"));
}

#[test]
fn the_only_service_gets_everything_until_its_project_asks_for_a_route() {
    let (web, api) = (labelled("shop/web", 1, &[]), labelled("blog/api", 2, &[("divisi.host", "api.test")]));
    let mut world = shop(&[web.clone(), api.clone()]);
    assert_eq!(world.visit("any.test", "/"), "shop/web [shop-web-1]", "what others ask for changes nothing");
    assert_eq!(world.visit("api.test", "/"), "blog/api [blog-api-2]");
    world.now_runs(&[web, api, labelled("shop/admin", 3, &[("divisi.host", "admin.test")])]);
    assert!(world.visit("any.test", "/").starts_with("404"));
    assert_eq!(world.visit("web.localhost", "/"), "shop/web [shop-web-1]");
}

#[test]
fn an_engine_is_reached_only_by_those_who_ask_for_it() {
    let with_port = |labels, port| Container { port: Port::At(port), ..labelled("shop/socket", 1, labels) };
    let world = shop(&[with_port(&[], 2375)]);
    assert!(world.visit("any.test", "/").starts_with("503: project \"shop\" has no other service with a port"));
    assert!(world.visit("socket.localhost", "/").starts_with("503"));
    let world = shop(&[with_port(&[("divisi.host", "engine.test")], 2375)]);
    assert_eq!(world.visit("engine.test", "/"), "shop/socket [shop-socket-1]");
}

#[test]
fn a_service_that_is_named_gets_all_the_rest() {
    let named = Settings { service: Some("web".to_owned()), ..Settings::default() };
    let world =
        shop_with(named, &[labelled("shop/web", 1, &[]), labelled("shop/api", 2, &[("divisi.host", "api.test")])]);
    assert_eq!(world.visit("api.test", "/"), "shop/api [shop-api-2]");
    assert_eq!(world.visit("any.test", "/"), "shop/web [shop-web-1]");
}

#[test]
fn a_container_may_refuse_to_be_reached() {
    let world = shop(&[
        labelled("shop/web", 1, &[("divisi.host", "web.test")]),
        labelled("shop/admin", 2, &[("divisi.enable", "false")]),
    ]);
    assert!(world.visit("admin.localhost", "/").starts_with("404"));
    let world = shop(&[labelled("shop/admin", 2, &[("divisi.enable", "false")])]);
    assert!(world.visit("admin.localhost", "/").starts_with("404: divisi.enable of service \"admin\" says so"));
}

#[test]
fn routes_stay_while_a_service_has_no_container_and_not_for_ever() {
    let web = || labelled("shop/web", 1, &[("divisi.host", "web.test")]);
    let mut world = shop(&[web(), labelled("shop/api", 2, &[("divisi.host", "api.test")])]);
    world.end("shop-web-1");
    assert_eq!(world.visit("web.test", "/"), "shop/web []", "who asks for it waits");
    world.now += Duration::from_secs(299);
    world.table.expire(world.now);
    world.commit();
    assert_eq!(world.visit("web.test", "/"), "shop/web []");
    world.now += Duration::from_secs(1);
    world.table.expire(world.now);
    world.commit();
    assert!(world.visit("web.test", "/").starts_with("404"));
    let count = world.routed.as_ref().map(|snapshot| snapshot.services().count());
    assert_eq!(count, Some(1), "what is forgotten takes no room");
    world.now_runs(&[web(), labelled("shop/api", 2, &[("divisi.host", "api.test")])]);
    assert_eq!(world.visit("web.test", "/"), "shop/web [shop-web-1]");
}

#[test]
fn the_newest_that_is_ready_says_which_routes_there_are() {
    let old = labelled("shop/web", 1, &[("divisi.host", "old.test")]);
    let new = |health| {
        let new = labelled("shop/web", 2, &[("divisi.host", "new.test")]);
        Container { health, created: 1, ..new }
    };
    let mut world = shop(std::slice::from_ref(&old));
    world.now_runs(&[old.clone(), new(Health::Starting)]);
    assert_eq!(world.visit("old.test", "/"), "shop/web [shop-web-1]");
    assert!(world.visit("new.test", "/").starts_with("404"), "it is not ready");
    world.now_runs(&[old.clone(), new(Health::Healthy)]);
    assert_eq!(world.visit("new.test", "/"), "shop/web [shop-web-1 shop-web-2]");
    assert!(world.visit("old.test", "/").starts_with("404"));
    world.now_runs(&[old]);
    assert_eq!(world.visit("old.test", "/"), "shop/web [shop-web-1]");
}

#[test]
fn a_typo_costs_one_label() {
    let lines = log::lines("", || {
        let labels = [("divisi.host", "web.test"), ("divisi.pollicy", "random"), ("treafik.enable", "true")];
        let world = shop(&[labelled("shop/web", 1, &labels), labelled("shop/api", 2, &[("divisi.hots", "api.test")])]);
        assert_eq!(world.visit("web.test", "/"), "shop/web [shop-web-1]");
        assert!(world.visit("api.test", "/").starts_with("404"), "it says more than a route, and nobody knows what");
    });
    for (name, meant) in
        [("shop-web-1", "divisi.policy"), ("shop-web-1", "traefik.enable"), ("shop-api-2", "divisi.host")]
    {
        let is_said = |line: &String| line.contains(name) && line.contains(&format!("did you mean {meant}?"));
        assert!(lines.iter().any(is_said), "{meant}: {lines:#?}");
    }
}

#[test]
fn two_who_want_the_same_are_told() {
    let host = [("divisi.host", "same.test")];
    let lines = log::lines("same.test", || {
        let mut world = shop(&[labelled("shop/a", 1, &host), labelled("shop/b", 2, &host)]);
        assert_eq!(world.visit("same.test", "/"), "shop/a [shop-a-1]");
        let loser = world.table.sightings().remove(1).routes.remove(0);
        assert!(loser.conflict.is_some_and(|why| why.contains("shop/a") && why.contains("shop/b")));
        world.end("shop-a-1");
        assert_eq!(world.visit("same.test", "/"), "shop/a []", "a restart does not give it to the other one");
        world.now += Duration::from_secs(300);
        world.table.expire(world.now);
        world.commit();
        assert_eq!(world.visit("same.test", "/"), "shop/b [shop-b-2]");
    });
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("WARN") && lines[0].contains("shop-a-1") && lines[0].contains("shop-b-2"), "{lines:#?}");
}

#[test]
fn a_guard_may_be_said_by_another_container_and_closes_until_it_is_known() {
    let router = [("traefik.http.routers.a.rule", "Host(`a.test`)"), ("traefik.http.routers.a.middlewares", "cut")];
    let cut = |prefix| [("traefik.enable", "true"), ("traefik.http.middlewares.cut.stripprefix.prefixes", prefix)];
    let mut world = shop(&[labelled("shop/a", 1, &router)]);
    assert!(world.visit("a.test", "/").starts_with("closed: middleware \"cut\" is not known here"));
    let both = [labelled("shop/a", 1, &router), labelled("shop/proxy", 2, &cut("/x"))];
    world.now_runs(&both);
    assert_eq!(world.visit("a.test", "/"), "shop/a [shop-a-1]");
    world.end("shop-proxy-2");
    assert_eq!(world.visit("a.test", "/"), "shop/a [shop-a-1]", "what a service said stays while it is recreated");
    world.now_runs(&[
        labelled("shop/a", 1, &router),
        labelled("x/one", 3, &cut("/x")),
        labelled("y/two", 4, &cut("/y")),
    ]);
    world.now += Duration::from_secs(300);
    world.table.expire(world.now);
    world.commit();
    assert!(
        world.visit("a.test", "/").contains("means different things to x/one and y/two"),
        "{}",
        world.visit("a.test", "/")
    );
    let passed_over = vec!["cut".to_owned()];
    let world = shop_with(Settings { passed_over, ..Settings::default() }, &[labelled("shop/a", 1, &router)]);
    assert_eq!(world.visit("a.test", "/"), "shop/a [shop-a-1]");
}

#[test]
fn a_service_of_traefik_is_one_of_its_project() {
    let labels = [
        ("traefik.http.routers.app.rule", "Host(`app.test`)"),
        ("traefik.http.services.app.loadbalancer.server.port", "8080"),
    ];
    let containers =
        [labelled("shop/blue", 1, &labels), labelled("shop/green", 2, &labels), labelled("blog/x", 3, &labels)];
    let world = shop(&containers);
    let visited = world.visit("app.test", "/");
    assert_eq!(visited, "blog/app@traefik [blog-x-3]", "two projects want the same, and one gets it");
    let world = shop(&containers[..2]);
    assert_eq!(world.visit("app.test", "/"), "shop/app@traefik [shop-blue-1 shop-green-2]");
    assert_eq!(world.visit("blue.localhost", "/"), "shop/app@traefik [shop-blue-1 shop-green-2]");
    let mut reader = Reader::default();
    reader.traefik.strict = true;
    let world = shop_with(Settings { reader, ..Settings::default() }, &containers);
    assert_eq!(world.visit("app.test", "/"), "app@traefik [shop-blue-1 shop-green-2 blog-x-3]");
}

#[test]
fn several_ports_are_several_services() {
    let labels = [
        ("divisi.host", "web.test"),
        ("divisi.port", "80"),
        ("divisi.admin.host", "admin.test"),
        ("divisi.admin.port", "9000"),
    ];
    let mut world = shop(&[labelled("shop/web", 1, &labels)]);
    assert_eq!(world.visit("web.test", "/"), "shop/web [shop-web-1]");
    assert_eq!(world.visit("admin.test", "/"), "shop/web:admin [shop-web-1]");
    let places = world.table.sightings().remove(0).places;
    let ports: Vec<_> = places.iter().filter_map(|place| place.addr).map(|addr| addr.port()).collect();
    assert_eq!(ports, [80, 9000]);
    world.end("shop-web-1");
    assert_eq!(world.visit("admin.test", "/"), "shop/web:admin []");
}

#[test]
fn variables_are_known_after_the_inspection() {
    let listed = Container { environment: None, ..labelled("blog/wp", 1, &[]) };
    let mut world = World::of(&Settings { project: Some("shop".to_owned()), ..Settings::default() });
    world.list(std::slice::from_ref(&listed));
    world.commit();
    let ticket = world.tickets()[0];
    let environment = Some(Said::environment(&["VIRTUAL_HOST=wp.test".to_owned(), "VIRTUAL_PORT=8000".to_owned()]));
    let inspected = Container { environment, ..listed.clone() };
    world.table.inspected(&listed.id, ticket, Some(inspected), world.now);
    world.commit();
    world.accept_all();
    assert_eq!(world.visit("wp.test", "/"), "blog/wp:8000 [blog-wp-1]");
    let reader = Reader { dialects: Dialects::parse("native,traefik").expect("dialects"), ..Reader::default() };
    let mut world = World::of(&Settings { reader, project: Some("shop".to_owned()), ..Settings::default() });
    world.list(&[listed]);
    world.commit();
    assert!(world.tickets().is_empty(), "nobody reads variables");
}

#[test]
fn who_learns_how_a_container_is_spoken_to_makes_it_another_replica() {
    let listed = Container { environment: None, ..labelled("blog/wp", 1, &[("divisi.upstream-ca", "internal.pem")]) };
    let mut world = World::of(&Settings { project: Some("blog".to_owned()), ..Settings::default() });
    world.list(std::slice::from_ref(&listed));
    world.commit();
    let ticket = world.tickets()[0];
    world.accept_all();
    let replica = |world: &World| {
        let place = world.table.sightings().remove(0).places.remove(0);
        place.replica.expect("it is reached")
    };
    let before = replica(&world);
    assert_eq!(before.speech().trust, Trust::Authority("internal.pem".into()));
    let environment = Some(Said::environment(&["VIRTUAL_HOST=wp.test".to_owned(), "VIRTUAL_PROTO=https".to_owned()]));
    let inspected = Container { environment, ..listed.clone() };
    world.table.inspected(&listed.id, ticket, Some(inspected), world.now);
    world.commit();
    world.accept_all();
    let after = replica(&world);
    assert_eq!(after.speech().scheme, Scheme::Https);
    assert_eq!(after.speech().trust, Trust::Authority("internal.pem".into()), "our own label is on top");
    assert_eq!(before.speech().scheme, Scheme::Http, "it stays what it was");
    assert!(matches!(before.readiness(), Readiness::Draining | Readiness::Gone));
    world.list(&[Container {
        environment: Some(Said::environment(&["VIRTUAL_HOST=wp.test".to_owned(), "VIRTUAL_PROTO=https".to_owned()])),
        ..listed
    }]);
    world.commit();
    assert!(Arc::ptr_eq(&replica(&world), &after), "nothing is new");
}

#[test]
fn routes_have_the_doors_that_labels_say() {
    let containers = [
        labelled("shop/web", 1, &[("divisi.host", "web.test"), ("divisi.tls", "only"), ("divisi.hsts", "1h")]),
        labelled(
            "shop/app",
            2,
            &[
                ("traefik.http.routers.app.rule", "Host(`app.test`)"),
                ("traefik.http.routers.app.middlewares", "to-https"),
                ("traefik.http.routers.app-secure.rule", "Host(`app.test`)"),
                ("traefik.http.routers.app-secure.tls.domains[0].main", "app.test"),
            ],
        ),
        labelled(
            "shop/mw",
            3,
            &[("traefik.enable", "true"), ("traefik.http.middlewares.to-https.redirectscheme.scheme", "https")],
        ),
    ];
    let ways = |world: &World| {
        let routes = world.table.routes.routes();
        let by_name =
            routes.iter().filter(|route| !route.name().contains("localhost") && !route.name().starts_with("mw"));
        let mut ways: Vec<_> = by_name
            .map(|route| {
                let way = route.way();
                (route.name().to_string(), way.door, way.redirect.map(|to| (to.status, to.when)), way.closed.clone())
            })
            .collect();
        ways.sort_by(|a, b| a.0.cmp(&b.0));
        ways
    };
    let world = shop(&containers);
    assert_eq!(
        ways(&world),
        [
            (String::new(), Door::Any, Some((308, When::Always)), None),
            ("app".to_owned(), Door::Plain, Some((302, When::Always)), None),
            ("app-secure".to_owned(), Door::Secure, Some((308, When::Always)), None),
        ]
    );
    assert!(world.table.routes.conflicts().is_empty());
    let web = world.table.routes.routes().into_iter().find(|route| route.name().is_empty()).expect("it is there").way();
    assert_eq!(web.protection.hsts.as_deref(), Some("max-age=3600"));
    let reader = Reader { has_tls: false, ..Reader::default() };
    let world = shop_with(Settings { reader, ..Settings::default() }, &containers);
    assert!(ways(&world).iter().all(|(_, door, redirect, _)| (*door, *redirect) == (Door::Any, None)));
}

#[test]
fn a_container_without_compose_needs_a_label() {
    let alone = |id: &str, labels: &[(&str, &str)]| {
        let key = ServiceKey { project: "".into(), service: id.into() };
        Container { name: id.to_owned(), identity: Some(Identity { key, number: 1 }), ..labelled("shop/x", 1, labels) }
    };
    let mut one = alone("one", &[("divisi.host", "one.test")]);
    one.id = "one".into();
    let mut two = alone("two", &[]);
    two.id = "two".into();
    let world = shop(&[one, two]);
    assert_eq!(world.visit("one.test", "/"), "one [one]");
    let advice = world.table.sightings().into_iter().find_map(|sighting| sighting.unrouted).expect("two is not routed");
    assert!(advice.why.contains("no Compose project") && advice.write.contains("divisi.host"), "{advice:?}");
}

#[test]
fn why_a_container_is_not_routed_is_known() {
    let mut portless = labelled("shop/job", 2, &[("divisi.host", "job.test")]);
    portless.port = Port::None;
    let world =
        shop(&[labelled("shop/web", 1, &[("divisi.host", "web.test")]), portless, labelled("blog/web", 3, &[])]);
    let advice: Vec<_> =
        world.table.sightings().into_iter().map(|sighting| (sighting.name, sighting.unrouted)).collect();
    let why = |name: &str| {
        let found = advice.iter().find(|(known, _)| known == name).expect("it is there");
        found.1.clone().map(|advice| format!("{} / {}", advice.why, advice.write)).unwrap_or_default()
    };
    assert_eq!(why("shop-web-1"), "");
    assert!(why("shop-job-2").starts_with("no exposed TCP port / \"expose: [8080]\""), "{}", why("shop-job-2"));
    assert!(why("blog-web-3").starts_with("it is of another project (blog)"), "{}", why("blog-web-3"));
    assert!(why("blog-web-3").ends_with("start divisi with --project blog"), "{}", why("blog-web-3"));
}

#[test]
fn a_container_out_of_reach_is_another_proxys() {
    let on = |networks: &[(&str, &str)]| {
        let attachment = |(network, ip): &(&str, &str)| Attachment {
            network: (*network).to_owned(),
            id: String::new(),
            ip: ip.parse().ok(),
            gateway: None,
        };
        networks.iter().map(attachment).collect::<Vec<_>>()
    };
    let host = [("divisi.host", "same.test")];
    let far = |networks| Container { networking: Networking::Attached(on(networks)), ..labelled("blog/a", 1, &host) };
    let near =
        Container { networking: Networking::Attached(on(&[("front", "10.0.1.2")])), ..labelled("wiki/b", 2, &host) };
    let mut world = World::of(&Settings { project: Some("shop".to_owned()), ..Settings::default() });
    let standpoint = Standpoint::Inside(on(&[("front", "10.0.1.1")]));
    world.table.set_own(Own { standpoint, ..Own::outside() }, world.now);
    let lines = log::lines("blog-a-1", || world.now_runs(&[far(&[("back", "10.0.2.1")]), near.clone()]));
    assert_eq!(world.visit("same.test", "/"), "wiki/b [wiki-b-2]", "the other one would come first by its name");
    assert!(
        lines.len() == 1 && lines[0].contains("INFO") && lines[0].contains("it is on back and divisi on front"),
        "{lines:#?}"
    );
    let advice = world.table.sightings().into_iter().find_map(|sighting| sighting.unrouted).expect("one is not routed");
    assert!(advice.write.contains("a network that both have"), "{advice:?}");
    world.now_runs(&[far(&[("back", "10.0.2.1"), ("front", "10.0.1.3")]), near.clone()]);
    assert_eq!(world.visit("same.test", "/"), "blog/a [blog-a-1]", "it has joined our network");
    world.now_runs(&[far(&[]), near]);
    assert_eq!(world.visit("same.test", "/"), "blog/a []", "as in the middle of its stop");
}
