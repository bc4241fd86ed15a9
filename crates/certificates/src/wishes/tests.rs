use divisi_model::Unrouted;
use divisi_model::route::{Origin, RoutingTable, Rule, Way};
use divisi_model::tcp::Ports;

use super::*;

const PASSED: bool = true;
const ENDED: bool = false;

fn route(name: &str, rule: Rule, door: Door, passes_tls: bool) -> Route {
    let origin = Origin { id: name.into(), container: "c".into(), label: "l".into() };
    Route::new(name, rule, "db", origin).with_way(Way { door, passes_tls, ..Way::default() })
}

fn names(names: &[&str]) -> Rule {
    Rule::any(names.iter().map(|name| Rule::host(name).expect("a name")).collect()).expect("a rule")
}

fn set(names: &[&str]) -> NameSet {
    names.iter().copied().map(Arc::from).collect()
}

fn world(http: Vec<Route>, tcp: Vec<(u16, Route)>) -> Snapshot {
    let (routes, _) = RoutingTable::build(http);
    let (ports, _) = Ports::build(tcp);
    Snapshot::new(Vec::new(), routes, Err(Unrouted::nowhere("no route"))).with_ports(Arc::new(ports))
}

#[test]
fn names_of_tcp_are_wished_where_tls_ends_here() {
    let http = route("web", names(&["web.org"]), Door::Any, ENDED);
    let tcp = [
        (5432, route("ended", names(&["db.org", "old.db.org"]), Door::Secure, ENDED)),
        // The same at another port is the same certificate.
        (5433, route("again", names(&["db.org", "old.db.org"]), Door::Secure, ENDED)),
        (443, route("passed", names(&["mail.org"]), Door::Secure, PASSED)),
        (443, route("others", names(&["*"]), Door::Secure, ENDED)),
        (25, route("plain", names(&["*"]), Door::Plain, ENDED)),
    ];
    let wishes = Wishes::of(&world(vec![http], tcp.into()));
    assert_eq!(wishes.hosts.keys().map(|host| &**host).collect::<Vec<_>>(), ["db.org", "old.db.org", "web.org"]);
    assert!(wishes.hosts["db.org"].is_secure, "it is told if there is no certificate");
    let named: BTreeSet<_> = wishes.sets.into_iter().filter(|set| !set.is_empty()).collect();
    assert_eq!(named, [set(&["db.org", "old.db.org"]), set(&["web.org"])].into());
}
