//! Several services behind one proxy: which one a request goes to, and what becomes of its path on the way there.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use divisi_model::route::{Origin, Rewrite, Route, RoutingTable, Rule};
use divisi_model::spec::HoldLimits;
use divisi_model::state::Name;
use divisi_model::{Card, Readiness, Service, Slot, Snapshot, Spec, Unrouted};
use divisi_proxy::Settings;
use divisi_testkit::client::Response;
use divisi_testkit::message::Head;
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait;

use crate::support::{Proxy, settings, spec};

/// A service with those replicas, all of them ready.
fn service(name: &str, spec: Spec, replicas: &[&Replica]) -> Service {
    let service = Service::of(Name { project: "shop".into(), service: name.into() }, spec);
    let card = |number| Card::new(format!("shop-{name}-{number}"), number);
    let member = |(number, replica): (u32, &&Replica)| service.replica(card(number), replica.addr(), Readiness::Ready);
    let members: Vec<_> = (1..).zip(replicas).map(member).collect();
    let known = members.len();
    service.with_replicas(members, known)
}

fn host(text: &str) -> Rule {
    Rule::host(text).expect("a host")
}

fn within(text: &str) -> Rule {
    Rule::path_within(text).expect("a path")
}

fn all<const N: usize>(rules: [Rule; N]) -> Rule {
    Rule::all(rules.into()).expect("small")
}

/// A route to the service in that slot.
fn route(slot: usize, rule: Rule) -> Route {
    let (name, id) = (format!("to-{slot}"), format!("{slot} {rule:?}"));
    let origin = Origin { id: id.into(), container: name.as_str().into(), label: "divisi.host".into() };
    let route = Route::new(name.clone(), rule, name, origin);
    change(route, |way| way.slot = Slot(slot))
}

fn change(route: Route, change: impl FnOnce(&mut divisi_model::route::Way)) -> Route {
    let mut way = route.way().clone();
    change(&mut way);
    route.with_way(way)
}

fn rewriting(route: Route, rewrites: &[Rewrite]) -> Route {
    change(route, |way| way.rewrites = rewrites.to_vec())
}

fn strip(prefix: &str) -> Rewrite {
    Rewrite::Strip { prefixes: vec![prefix.to_owned()], whole: true }
}

/// A world of these services by slot, with no place for what has no route.
fn world(services: &[&Service], routes: Vec<Route>) -> Snapshot {
    let services = services.iter().map(|&service| Some(Arc::new(service.clone()))).collect();
    Snapshot::new(services, RoutingTable::build(routes).0, Err(Unrouted::nowhere("2 services have routes")))
}

fn before(snapshot: Snapshot) -> Proxy {
    Proxy::serving(settings(), snapshot, Vec::new())
}

fn ask(proxy: &Proxy, line: &str, fields: &str) -> Response {
    proxy.fetch(format!("{line} HTTP/1.1\r\n{fields}\r\n"))
}

/// What answers a GET of `host/path`.
fn get(proxy: &Proxy, url: &str) -> String {
    let (host, path) = url.split_at(url.find('/').expect("a path"));
    ask(proxy, &format!("GET {path}"), &format!("Host: {host}\r\n")).text()
}

fn for_long() -> Spec {
    Spec { hold: HoldLimits { time: Duration::from_secs(60), ..HoldLimits::default() }, ..spec() }
}

#[test]
fn host_and_path_say_which_service() {
    let (a, b, c) = (Replica::named("a"), Replica::named("b"), Replica::named("c"));
    let services = [&a, &b, &c].map(|replica| service("s", spec(), &[replica]));
    let routes =
        vec![route(0, host("a.test")), route(1, host("*.b.test")), route(2, all([host("a.test"), within("/api")]))];
    let proxy = before(world(&services.each_ref(), routes));
    for (url, expected) in [
        ("a.test/", "a"),
        ("A.Test:8080/x?y", "a"),
        ("x.b.test/", "b"),
        ("a.test/api", "c"),
        ("a.test/api/x", "c"),
        ("a.test/%61pi/x", "c"),
        ("a.test/apis", "a"),
        ("a.test/a%2fapi", "a"),
    ] {
        assert_eq!(get(&proxy, url), expected, "{url}");
    }
    let absolute = ask(&proxy, "GET http://x.b.test/api", "Host: x.b.test\r\n");
    assert_eq!(absolute.text(), "b", "the target's own host counts");
    assert_eq!(c.requests()[2].head.target(), "/%61pi/x", "what is sent on is the path as it came");
}

#[test]
fn method_header_and_query_say_which_service() {
    let (a, b, c, d) = (Replica::named("a"), Replica::named("b"), Replica::named("c"), Replica::named("d"));
    let services = [&a, &b, &c, &d].map(|replica| service("s", spec(), &[replica]));
    let routes = vec![
        route(0, host("a.test")).with_priority(1),
        route(1, Rule::method("POST").expect("a method")),
        route(2, Rule::header("X-Color", "blue").expect("a header")),
        route(3, Rule::query("debug", Some("1"))),
    ];
    let proxy = before(world(&services.each_ref(), routes));
    for (line, fields, expected) in [
        ("GET /", "", "a"),
        ("POST /", "Content-Length: 0\r\n", "b"),
        ("GET /", "x-color: red\r\nX-COLOR: blue\r\n", "c"),
        ("GET /", "X-Color: blues\r\n", "a"),
        ("GET /?a&debug=%31", "", "d"),
        ("GET /debug=1", "", "a"),
        ("GET http://a.test?debug=1", "", "d"),
        ("OPTIONS *", "", "a"),
    ] {
        let fields = format!("Host: a.test\r\n{fields}");
        assert_eq!(ask(&proxy, line, &fields).text(), expected, "{line} {fields}");
    }
}

#[test]
fn the_client_is_whom_trusted_proxies_name() {
    let (inside, outside) = (Replica::named("inside"), Replica::named("outside"));
    let services = [&inside, &outside].map(|replica| service("s", spec(), &[replica]));
    let routes = || {
        let office = Rule::client_ip("192.0.2.0/24").expect("a network");
        vec![route(0, office).with_priority(9), route(1, host("*")).with_priority(1)]
    };
    for (trust, forwarded, expected) in [
        (&["127.0.0.0/8", "10.0.0.0/8"][..], "192.0.2.7", "inside"),
        (&["127.0.0.0/8", "10.0.0.0/8"], "198.51.100.1, 192.0.2.7, 10.0.0.1", "inside"),
        (&["127.0.0.0/8"], "192.0.2.7, 198.51.100.1", "outside"),
        (&[], "192.0.2.7", "outside"),
    ] {
        let trust = trust.iter().map(|net| net.parse().expect("a network")).collect();
        let settings = Settings { trust, ..settings() };
        let proxy = Proxy::serving(settings, world(&services.each_ref(), routes()), Vec::new());
        let response = ask(&proxy, "GET /", &format!("Host: a\r\nX-Forwarded-For: {forwarded}\r\n"));
        assert_eq!(response.text(), expected, "{forwarded}");
    }
}

#[test]
fn dot_segments_are_refused_in_every_spelling() {
    let replica = Replica::named("a");
    let proxy = before(world(&[&service("a", spec(), &[&replica])], vec![route(0, host("a.test"))]));
    for path in ["/x/../y", "/./y", "/x/%2e%2E/y", "http://a.test/..", "/x/.%2e?q"] {
        let response = ask(&proxy, &format!("GET {path}"), "Host: a.test\r\n");
        assert_eq!(response.status(), 400, "{path}");
        assert!(response.text().contains("segment . or .."), "{}", response.text());
    }
    assert_eq!(get(&proxy, "a.test/x?../y"), "a", "a query has no segments");
    assert_eq!(replica.requests().len(), 1);
}

#[test]
fn what_has_no_route_is_not_found() {
    let replica = Replica::named("a");
    let proxy = before(world(&[&service("a", spec(), &[&replica])], vec![route(0, host("a.test"))]));
    let mut client = proxy.connect();
    let response = client.exchange("GET /x\"y HTTP/1.1\r\nHost: b.test\r\n\r\n");
    assert_eq!((response.status(), response.head.first_line()), (404, "HTTP/1.1 404 Not Found".to_owned()));
    let expected = "divisi: no route for host \"b.test\" and path \"/x\\\"y\": 2 services have routes \
                    (`divisi explain URL` says more)\n";
    assert_eq!(response.text(), expected);
    assert!(!response.head.has("retry-after"));
    let long = client.exchange(format!("GET /{} HTTP/1.1\r\nHost: b.test\r\n\r\n", "x".repeat(9000)));
    assert!(long.text().len() < 400, "{}", long.text());
    let none = client.exchange("GET / HTTP/1.0\r\n\r\n");
    assert!(none.text().contains("no route for no host"), "{}", none.text());
}

#[test]
fn without_routes_there_is_a_fallback() {
    let (a, b) = (Replica::named("a"), Replica::named("b"));
    let services = [&a, &b].map(|replica| Some(Arc::new(service("s", spec(), &[replica]))));
    let routes = RoutingTable::build(vec![route(0, host("a.test"))]).0;
    let proxy = before(Snapshot::new(services.into(), routes, Ok(Slot(1))));
    assert_eq!((get(&proxy, "a.test/"), get(&proxy, "b.test/")), ("a".to_owned(), "b".to_owned()));
}

#[test]
fn a_closed_route_says_why() {
    let replica = Replica::named("a");
    let closed = change(route(0, host("a.test")), |way| way.closed = Some("basicauth is not built yet".into()));
    let service = service("a", spec(), &[&replica]);
    let proxy = before(world(&[&service], vec![closed]));
    let response = ask(&proxy, "GET /", "Host: a.test\r\n");
    assert_eq!(
        (response.status(), response.text()),
        (503, "divisi: route closed: basicauth is not built yet\n".into())
    );
    assert!(replica.requests().is_empty());
    wait::until("it is counted where it belongs", || service.state().meter().read()[5] == 1);
}

/// What a replica gets of a request for `a.test` and that target, through a route with these rewrites.
fn upstream(rewrites: &[Rewrite], target: &str, fields: &str, settings: Settings) -> Head {
    let replica = Replica::named("a");
    let routes = vec![rewriting(route(0, host("a.test")), rewrites)];
    let proxy = Proxy::serving(settings, world(&[&service("a", spec(), &[&replica])], routes), Vec::new());
    assert_eq!(ask(&proxy, target, &format!("Host: a.test\r\n{fields}")).status(), 200, "{target}");
    replica.requests()[0].head.clone()
}

#[test]
fn paths_are_rewritten_and_queries_are_not() {
    let (add, replace) = (Rewrite::Add("/v1/".to_owned()), Rewrite::Replace("/other".to_owned()));
    for (rewrites, target, expected) in [
        (&[strip("/api")][..], "GET /api/x?a=/api", "/x?a=/api"),
        (&[strip("/api")], "GET /%61pi/%78%2Fy", "/%78%2Fy"),
        (&[strip("/api")], "GET /api?", "/?"),
        (&[strip("/api")], "GET /apis", "/apis"),
        (&[strip("/api")], "GET http://a.test/api//x", "/x"),
        (&[strip("/api")], "OPTIONS *", "*"),
        (std::slice::from_ref(&add), "GET http://a.test?q", "/v1/?q"),
        (std::slice::from_ref(&add), "OPTIONS http://a.test", "*"),
        (&[strip("/api"), add.clone()], "GET /api/x", "/v1/x"),
        (std::slice::from_ref(&replace), "GET /api/x?y", "/other?y"),
    ] {
        assert_eq!(upstream(rewrites, target, "", settings()).target(), expected, "{target}");
    }
}

#[test]
fn a_replica_learns_what_was_stripped() {
    let stripped = |fields, settings| upstream(&[strip("/api")], "GET /api/x", fields, settings);
    let forged = "X-Forwarded-Prefix: /evil\r\n";
    assert_eq!(stripped("", settings()).values("x-forwarded-prefix"), ["/api"]);
    assert_eq!(stripped(forged, settings()).values("x-forwarded-prefix"), ["/api"]);
    let trust = vec!["127.0.0.0/8".parse().expect("a network")];
    let trusting = Settings { trust, ..settings() };
    assert_eq!(stripped("X-Forwarded-Prefix: /shop\r\n", trusting).values("x-forwarded-prefix"), ["/shop", "/api"]);
    let untouched = upstream(&[strip("/api")], "GET /x", forged, settings());
    assert!(!untouched.has("x-forwarded-prefix"));
}

#[test]
fn what_is_left_must_not_lead_elsewhere() {
    let replica = Replica::named("a");
    let letters = Rewrite::Strip { prefixes: vec!["/api".to_owned()], whole: false };
    let routes = vec![rewriting(route(0, host("a.test")), &[letters])];
    let proxy = before(world(&[&service("a", spec(), &[&replica])], routes));
    assert_eq!(ask(&proxy, "GET /api../admin", "Host: a.test\r\n").status(), 400);
}

#[test]
fn a_replica_may_see_its_own_address_as_the_host() {
    let replica = Replica::named("a");
    let hiding = change(route(0, host("a.test")), |way| way.hides_host = true);
    let proxy = before(world(&[&service("a", spec(), &[&replica])], vec![hiding]));
    ask(&proxy, "GET /", "Host: a.test\r\n");
    let head = &replica.requests()[0].head;
    assert_eq!(head.values("host"), [replica.addr().to_string()]);
    assert_eq!(head.values("x-forwarded-host"), ["a.test"]);
}

/// A replica that takes a request, says so, and hangs up when it is told to.
fn hanging_up() -> (Replica, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((tell, told), (go, gone)) = (mpsc::channel(), mpsc::channel());
    let gone = Mutex::new(gone);
    let replica = Replica::start(move |conn| {
        conn.request()?;
        // The test has ended if nobody listens.
        let _ = tell.send(());
        let _ = gone.lock().map(|gone| gone.recv());
        Ok(())
    });
    (replica, told, go)
}

#[test]
fn a_retry_stays_with_its_service_whatever_the_routes_say_by_then() {
    let ((bad, told, go), good, other) = (hanging_up(), Replica::named("good"), Replica::named("other"));
    let (a, b) = (service("a", spec(), &[&bad, &good]), service("b", spec(), &[&other]));
    let proxy = before(world(&[&a, &b], vec![route(0, host("a.test"))]));
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    told.recv_timeout(wait::PATIENCE).expect("the first replica has it");
    proxy.published.publish(world(&[&a, &b], vec![route(1, host("a.test"))]));
    go.send(()).expect("the replica waits");
    assert_eq!(client.response().text(), "good");
    assert_eq!(get(&proxy, "a.test/"), "other");
}

#[test]
fn a_retry_does_not_take_another_service_for_its_own() {
    let ((bad, told, go), good, other) = (hanging_up(), Replica::named("good"), Replica::named("other"));
    let (a, b) = (service("a", spec(), &[&bad, &good]), service("b", spec(), &[&other]));
    let proxy = before(world(&[&a], vec![route(0, host("a.test"))]));
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    told.recv_timeout(wait::PATIENCE).expect("the first replica has it");
    proxy.published.publish(world(&[&b], vec![route(0, host("a.test"))]));
    go.send(()).expect("the replica waits");
    let response = client.response();
    assert_eq!((response.status(), response.text()), (503, "divisi: service \"a\" is gone\n".to_owned()));
    assert!(other.requests().is_empty());
}

/// A proxy with a request for `a.test` that waits for service `a`, which has no replica.
fn waiting(a: &Service) -> (Proxy, divisi_testkit::client::Client) {
    let proxy = before(world(&[a], vec![rewriting(route(0, host("a.test")), &[strip("/api")])]));
    let mut client = proxy.connect();
    client.send("GET /api/x HTTP/1.1\r\nHost: a.test\r\n\r\n");
    wait::until("the request waits", || a.state().waiting() == 1);
    (proxy, client)
}

#[test]
fn who_waits_for_a_service_that_vanishes_is_told() {
    let (a, replica) = (service("a", for_long(), &[]), Replica::named("b"));
    let (proxy, mut client) = waiting(&a);
    let b = service("b", spec(), &[&replica]);
    proxy.published.publish(world(&[&b], vec![route(0, host("b.test"))]));
    let response = client.response();
    assert_eq!((response.status(), response.text()), (503, "divisi: service \"a\" is gone\n".to_owned()));
    assert_eq!(a.state().waiting(), 0);
}

#[test]
fn who_waits_for_a_service_that_is_replaced_is_routed_anew() {
    let (a, replica) = (service("a", for_long(), &[]), Replica::named("b"));
    let (proxy, mut client) = waiting(&a);
    let b = service("b", spec(), &[&replica]);
    let other = rewriting(route(0, host("a.test")), &[Rewrite::Add("/v2".to_owned())]);
    proxy.published.publish(world(&[&b], vec![other]));
    assert_eq!(client.response().text(), "b");
    assert_eq!(replica.requests()[0].head.target(), "/v2/api/x", "with its new route's path");
}

#[test]
fn a_route_that_is_removed_takes_nobody_with_it() {
    let (a, replica) = (service("a", for_long(), &[]), Replica::answering(|_| ok("late")));
    let (proxy, mut client) = waiting(&a);
    let member = a.replica(Card::new("shop-a-1", 1), replica.addr(), Readiness::Ready);
    proxy.published.publish(world(&[&a], vec![]));
    assert_eq!(ask(&proxy, "GET /", "Host: a.test\r\n").status(), 404);
    proxy.published.publish(world(&[&a.with_replicas(vec![member], 1)], vec![]));
    assert_eq!(client.response().text(), "late");
    assert_eq!(replica.requests()[0].head.target(), "/x");
}

#[test]
fn of_many_services_all_are_looked_after() {
    let all: Vec<_> = (0..2000).map(|_| service("s", for_long(), &[])).collect();
    let last = all.last().expect("many");
    let proxy = before(world(&all.iter().collect::<Vec<_>>(), vec![route(1999, host("a.test"))]));
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    wait::until("the request waits", || last.state().waiting() == 1);
    let replica = Replica::named("late");
    let member = last.replica(Card::new("s-1", 1), replica.addr(), Readiness::Starting);
    let mut services: Vec<_> = all.iter().map(|service| Some(Arc::new(service.clone()))).collect();
    services[1999] = Some(Arc::new(last.with_replicas(vec![Arc::clone(&member)], 1)));
    proxy.published.publish(Snapshot::new(services, RoutingTable::default(), Err(Unrouted::nowhere(""))));
    // The call at the publication comes to nothing; the next is the tick's.
    wait::until("it was called in vain", || last.state().waiting() == 1);
    member.set_readiness(Readiness::Ready, divisi_model::Moment::now());
    assert_eq!(client.response().text(), "late");
}
