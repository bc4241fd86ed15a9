//! Who stands before whom, who conflicts with whom, and what a change does.

use divisi_model::route::{Conflict, Route, RoutingTable, Rule};

use crate::request::{Request, all, any, host, route, route_of, within};

fn service(table: &RoutingTable, url: &str) -> String {
    table.find(&Request::get(url)).map(|route| route.service().to_string()).unwrap_or_default()
}

fn pairs(conflicts: &[Conflict]) -> Vec<(&str, &str)> {
    conflicts.iter().map(|conflict| (&*conflict.winner.origin().id, &*conflict.loser.origin().id)).collect()
}

#[test]
fn the_longer_rule_stands_before_the_shorter() {
    let (table, _) = RoutingTable::build(vec![
        route("site", host("app.test")),
        route("api", all([host("app.test"), within("/api")])),
        route("v2", all([host("app.test"), within("/api/v2")])),
        route("rest", within("/")),
        route("first", all([host("app.test"), within("/api/v2/now")])).with_priority(-1),
        route("maintenance", host("down.test")).with_priority(1000),
        route("down", all([host("down.test"), within("/a/long/path")])),
    ]);
    for (url, expected) in [
        ("app.test/", "site"),
        ("app.test/apiary", "site"),
        ("app.test/api", "api"),
        ("app.test/api/v2/x", "v2"),
        ("app.test/api/v2/now", "v2"),
        ("other.test/api", "rest"),
        ("down.test/a/long/path", "maintenance"),
    ] {
        assert_eq!(service(&table, url), expected, "{url}");
    }
}

#[test]
fn among_equals_the_plain_one_is_first() {
    let regexp = Rule::host_regexp("a.t").expect("an expression").to_string().len();
    let rules = [host("a.test"), host("*.test"), Rule::host_regexp("a.t").expect("an expression")];
    let priority = i64::try_from(regexp).expect("short");
    let named = |(name, rule): (&str, Rule)| route(name, rule).with_priority(priority);
    let (table, conflicts) = RoutingTable::build(["z", "y", "x"].into_iter().zip(rules).map(named).collect());
    assert!(conflicts.is_empty());
    assert_eq!((service(&table, "a.test"), service(&table, "b.test")), ("z".to_owned(), "y".to_owned()));
}

#[test]
fn a_conflict_is_told_once_and_settled_the_same_way() {
    let rule = || any([host("a.test"), host("b.test")]);
    let turned = || any([host("b.test"), host("a.test")]);
    let web = |n: usize| route_of(&format!("web-{n}"), "web", rule());
    let shop = |n: usize| route_of(&format!("shop-{n}"), "shop", turned());
    let (table, conflicts) = RoutingTable::build(vec![web(1), shop(2), web(2), shop(1)]);
    assert_eq!(service(&table, "a.test"), "shop");
    assert_eq!(pairs(&conflicts), [("shop-1", "web-1")]);
    assert_eq!(
        conflicts[0].to_string(),
        "Host(`a.test`) || Host(`b.test`) is asked for by service shop (label divisi.host of container shop-1) and by service web \
         (label divisi.host of container web-1): shop gets the requests; give one of them another rule, or a priority"
    );
    let (table, conflicts) = table.patch(&["shop-1"], Vec::new());
    assert_eq!((service(&table, "a.test"), pairs(&conflicts)), ("shop".to_owned(), vec![("shop-2", "web-1")]));
    let (table, conflicts) = table.patch(&["web-2"], Vec::new());
    assert_eq!((pairs(&conflicts), pairs(&table.conflicts())), (vec![], vec![("shop-2", "web-1")]), "it was told");
    let (table, _) = table.patch(&["shop-2"], Vec::new());
    assert_eq!((service(&table, "b.test"), table.conflicts().len()), ("web".to_owned(), 0));
    let (table, _) = table.patch(&["web-1"], vec![web(1).with_priority(1), shop(1)]);
    assert_eq!(
        (service(&table, "b.test"), table.conflicts().len()),
        ("shop".to_owned(), 0),
        "another priority is none"
    );
}

#[test]
fn a_change_touches_one_container() {
    let (first, _) = RoutingTable::build(vec![route("a", host("a.test")), route("b", host("*.b.test"))]);
    let moved: Vec<Route> = vec![route("a", host("c.test"))];
    let (second, _) = first.patch(&[], moved);
    let found = |table, urls: [&str; 3]| urls.map(|url| service(table, url));
    let urls = ["a.test", "x.b.test", "c.test"];
    assert_eq!(found(&first, urls), ["a", "b", ""]);
    assert_eq!(found(&second, urls), ["", "b", "a"]);
    let (third, _) = second.patch(&["a", "b", "unknown"], Vec::new());
    assert_eq!(found(&third, urls), ["", "", ""]);
    assert!(third.routes().is_empty() && second.routes().len() == 2);
}
