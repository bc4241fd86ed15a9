//! Random routes and requests from few words, so that much of it meets.

use divisi_model::route::{Door, Route, RoutingTable, Rule};
use proptest::prelude::*;
use proptest::sample::select;

use crate::reference;
use crate::request::{Request, behind, route_of};

const HOSTS: [&str; 7] = ["test", "a.test", "b.test", "x.a.test", "y.x.a.test", "a.a.test", "other"];
const PATHS: [&str; 12] = ["/", "/a", "/a/", "/ab", "/a/b", "/a/bc", "/a/b/c", "/b", "/b/a", "//", "/%61/%2f", "/%ff"];

fn leaf() -> impl Strategy<Value = Rule> {
    let made = |rule: Result<Rule, _>| rule.expect("well-formed");
    let path = || select(&PATHS[..]);
    prop_oneof![
        8 => select(&HOSTS[..]).prop_map(move |host| made(Rule::host(host))),
        2 => select(&HOSTS[..]).prop_map(move |host| made(Rule::host(&format!("*.{host}")))),
        1 => select(&HOSTS[..]).prop_map(move |host| made(Rule::host(&format!("**.{host}")))),
        1 => select(&["^A\\.", "test$", "[xy]"][..]).prop_map(move |text| made(Rule::host_regexp(text))),
        3 => path().prop_map(move |path| made(Rule::path(path))),
        4 => path().prop_map(move |path| made(Rule::path_within(path))),
        4 => path().prop_map(move |path| made(Rule::path_prefix(path))),
        1 => select(&["b", "^/a/", "c$"][..]).prop_map(move |text| made(Rule::path_regexp(text))),
        1 => select(&["get", "POST"][..]).prop_map(move |method| made(Rule::method(method))),
        1 => select(&["1", "2"][..]).prop_map(move |value| made(Rule::header("X-Color", value))),
        1 => select(&["1", "^$"][..]).prop_map(move |value| made(Rule::header_regexp("X-Color", value))),
        1 => select(&[None, Some(""), Some("1")][..]).prop_map(|value| Rule::query("q", value)),
        1 => select(&["1", "^$"][..]).prop_map(move |value| made(Rule::query_regexp("q", value))),
        1 => select(&["10.0.0.0/8", "127.0.0.1", "::/0"][..]).prop_map(move |text| made(Rule::client_ip(text))),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        let several = || prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            4 => several().prop_map(|rules| Rule::all(rules).expect("small")),
            2 => several().prop_map(|rules| Rule::any(rules).expect("small")),
            1 => inner.clone().prop_map(|rule| Rule::negated(rule).expect("small")),
        ]
    })
}

/// Few containers and services, so that some say the same.
fn one_route() -> impl Strategy<Value = Route> {
    let names = (select(&["c1", "c2", "c3", "c4"][..]), select(&["s1", "s2", "s3"][..]));
    let door = prop_oneof![2 => Just(Door::Any), 1 => Just(Door::Plain), 1 => Just(Door::Secure)];
    (names, rule(), door, prop::option::weighted(0.3, -1i64..3)).prop_map(
        |((container, service), rule, door, priority)| {
            let route = behind(door, route_of(container, service, rule));
            match priority {
                Some(priority) => route.with_priority(priority),
                None => route,
            }
        },
    )
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    prop::collection::vec(one_route(), 0..24)
}

fn request() -> impl Strategy<Value = Request> {
    let spellings = select(&["", ".", ":80", ".:80"][..]);
    let url = (select(&HOSTS[..]), spellings, select(&PATHS[..]), select(&["", "?q", "?q=1&p", "?p&q=2&q="][..]));
    let rest = (any::<bool>(), select(&["1", "2", ""][..]), select(&["10.1.2.3", "127.0.0.1", "fe80::1"][..]));
    (url, rest, any::<bool>()).prop_map(|((host, spelling, path, query), (is_post, color, client), is_secure)| {
        let mut request = Request::get(&format!("{}{spelling}{path}{query}", host.to_uppercase()));
        request.is_secure = is_secure;
        request.method = if is_post { "POST" } else { "GET" }.to_owned();
        request.client = client.parse().expect("an address");
        if color.is_empty() { request } else { request.with_header("x-color", color) }
    })
}

fn found(table: &RoutingTable, request: &Request) -> Option<(String, String)> {
    table.find(request).map(named)
}

fn named(route: &Route) -> (String, String) {
    (route.service().to_string(), route.origin().id.to_string())
}

fn conflicts(conflicts: &[divisi_model::route::Conflict]) -> Vec<String> {
    conflicts.iter().map(ToString::to_string).collect()
}

proptest! {
    #[test]
    fn the_table_finds_what_reading_all_rules_finds(
        routes in routes(),
        requests in prop::collection::vec(request(), 1..16),
    ) {
        let (table, conflicts) = RoutingTable::build(routes.clone());
        for request in requests {
            prop_assert_eq!(found(&table, &request), reference::find(&routes, &request), "{:?}", request);
            let is_reached = |route: &Route| table.find(&request).is_some_and(|found| std::ptr::eq(found, route));
            prop_assert!(!conflicts.iter().any(|conflict| is_reached(&conflict.loser)), "{:?}", request);
            let secure = table.find_inside_tls(&request).map(named);
            prop_assert_eq!(secure, reference::find(&routes, &request.clone().inside_tls()), "{:?}", request);
            let taken = table.explain(&request).into_iter().filter(|step| step.to_string().ends_with("taken"));
            prop_assert!(taken.count() <= 24);
        }
    }

    #[test]
    fn the_order_in_which_routes_come_says_nothing(
        (routes, shuffled) in routes().prop_flat_map(|routes| (Just(routes.clone()), Just(routes).prop_shuffle())),
        request in request(),
    ) {
        let ((table, complaints), (other, others)) = (RoutingTable::build(routes), RoutingTable::build(shuffled));
        prop_assert_eq!(found(&table, &request), found(&other, &request));
        prop_assert_eq!(conflicts(&complaints), conflicts(&others));
    }

    #[test]
    fn a_patched_table_is_one_built_anew(
        first in routes(),
        more in routes(),
        gone in prop::collection::vec(select(&["c1", "c2", "c3", "c4"][..]), 0..3),
        requests in prop::collection::vec(request(), 1..8),
    ) {
        let (before, _) = RoutingTable::build(first.clone());
        let seen: Vec<_> = requests.iter().map(|request| found(&before, request)).collect();
        let (patched, news) = before.patch(&gone, more.clone());
        let is_replaced = |id: &str| gone.contains(&id) || more.iter().any(|route| *route.origin().id == *id);
        let stays = first.into_iter().filter(|route| !is_replaced(&route.origin().id));
        let (anew, all) = RoutingTable::build(stays.chain(more.clone()).collect());
        for (request, seen) in requests.iter().zip(&seen) {
            prop_assert_eq!(found(&patched, request), found(&anew, request));
            prop_assert_eq!(&found(&before, request), seen, "the table before must stay as it was");
        }
        prop_assert_eq!(conflicts(&patched.conflicts()), conflicts(&all));
        let all = conflicts(&all);
        prop_assert!(conflicts(&news).iter().all(|new| all.contains(new)));
    }

    #[test]
    fn no_bytes_do_any_harm(
        routes in routes(),
        host in prop::collection::vec(any::<u8>(), 0..300),
        raw in prop::collection::vec(any::<u8>(), 0..64),
        query in "\\PC{0,32}",
    ) {
        let mut request = Request::get("a.test/");
        request.host = String::from_utf8_lossy(&host).into_owned();
        let mut buffer = Vec::new();
        if let Ok(path) = divisi_model::route::path::canonical(&raw, &mut buffer) {
            request.path = path.to_owned();
            let again = divisi_model::route::path::canonical(&request.path, &mut buffer);
            prop_assert!(raw.windows(2).any(|pair| pair[0] == b'%') || again == Ok(&request.path[..]));
        }
        request.query = query;
        let (table, _) = RoutingTable::build(routes);
        table.find(&request);
        table.explain(&request).iter().for_each(|step| drop(step.to_string()));
    }
}
