//! Requests come inside TLS or without, and find only what is behind their door.

use divisi_model::route::{Door, Redirect, Route, RoutingTable, Rule, Way, When};

use crate::request::{Request, all, behind, host, route, route_of, within};

fn plain<'a>(table: &'a RoutingTable, url: &str) -> Option<&'a str> {
    table.find(&Request::get(url)).map(|route| &**route.service())
}

fn secure<'a>(table: &'a RoutingTable, url: &str) -> Option<&'a str> {
    table.find(&Request::get(url).inside_tls()).map(|route| &**route.service())
}

#[test]
fn a_pair_with_one_rule_is_no_conflict() {
    let (table, conflicts) = RoutingTable::build(vec![
        behind(Door::Secure, route("websecure", host("a.test"))),
        behind(Door::Plain, route("web", host("a.test"))),
    ]);
    assert!(conflicts.is_empty());
    assert_eq!((plain(&table, "a.test"), secure(&table, "a.test")), (Some("web"), Some("websecure")));
    let (table, conflicts) = table.patch(&["web"], Vec::new());
    assert!(conflicts.is_empty());
    assert_eq!((plain(&table, "a.test"), secure(&table, "a.test")), (None, Some("websecure")));
}

#[test]
fn the_narrower_door_is_first_and_two_of_them_leave_nothing() {
    let wide = || route("zz", host("a.test"));
    let (table, conflicts) = RoutingTable::build(vec![wide(), behind(Door::Secure, route("a", host("a.test")))]);
    assert!(conflicts.is_empty());
    assert_eq!((plain(&table, "a.test"), secure(&table, "a.test")), (Some("zz"), Some("a")));
    let (table, conflicts) = table.patch(&[], vec![behind(Door::Plain, route("b", host("a.test")))]);
    let losers: Vec<_> = conflicts.iter().map(|conflict| &**conflict.loser.service()).collect();
    assert_eq!(losers, ["zz"], "both doors are taken");
    assert_eq!((plain(&table, "a.test"), secure(&table, "a.test")), (Some("b"), Some("a")));
    let same = behind(Door::Plain, route("c", host("a.test")));
    let (_, conflicts) = table.patch(&[], vec![same]);
    assert_eq!(conflicts.len(), 1, "by the same door it is one");
}

#[test]
fn a_route_behind_the_other_door_hides_none() {
    let (table, _) = RoutingTable::build(vec![
        behind(Door::Secure, route("api", all([host("a.test"), within("/api")]))),
        route("site", host("a.test")),
    ]);
    assert_eq!((plain(&table, "a.test/api"), secure(&table, "a.test/api")), (Some("site"), Some("api")));
}

#[test]
fn who_has_no_route_may_have_one_inside_tls() {
    let redirect = Some(Redirect::permanent(When::Always));
    let only = |route: Route| route.with_way(Way { door: Door::Secure, redirect, ..Way::default() });
    let silent = behind(Door::Secure, route("silent", host("b.test")));
    let (table, _) = RoutingTable::build(vec![only(route("safe", host("a.test"))), silent]);
    let request = Request::get("a.test/x");
    assert!(table.find(&request).is_none());
    let sent = table.find_inside_tls(&request).and_then(|route| route.way().redirect(false));
    assert_eq!(sent.map(|redirect| (redirect.status(b"GET"), redirect.status(b"POST"))), Some((308, 308)));
    assert!(table.find_inside_tls(&request).is_some_and(|route| route.way().redirect(true).is_none()));
    assert!(table.find_inside_tls(&Request::get("b.test")).is_some_and(|route| route.way().redirect(false).is_none()));
    assert!(table.find_inside_tls(&Request::get("c.test")).is_none());
}

#[test]
fn the_answer_to_why_names_the_door() {
    let redirect = Some(Redirect::permanent(When::Always));
    let only = |route: Route| route.with_way(Way { door: Door::Secure, redirect, ..Way::default() });
    let safe = |n: &str| only(route_of(n, "safe", host("a.test")));
    let (table, _) = RoutingTable::build(vec![
        safe("safe-1"),
        behind(Door::Plain, route("get", all([host("a.test"), Rule::method("PUT").expect("a method")]))),
    ]);
    let steps = |request: &Request| table.explain(request).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        steps(&Request::get("a.test")),
        [
            "Host(`a.test`) && Method(`PUT`) (priority 31, route get of get) -> get: Method(`PUT`) does not hold: the \
             method is GET",
            "Host(`a.test`) (priority 14, route safe of safe-1) -> safe: comes only inside TLS, where the request is sent",
        ]
    );
    let mut put = Request::get("a.test").inside_tls();
    put.method = "PUT".to_owned();
    assert_eq!(
        steps(&put),
        [
            "Host(`a.test`) && Method(`PUT`) (priority 31, route get of get) -> get: holds, but comes only without TLS",
            "Host(`a.test`) (priority 14, route safe of safe-1) -> safe: taken",
        ]
    );
}
