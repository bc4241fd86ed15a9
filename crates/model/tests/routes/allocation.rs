//! Finding a route allocates nothing.

use divisi_model::route::{RoutingTable, Rule};

use crate::request::{Request, all, any, host, not, route, within};

#[test]
fn finding_allocates_nothing() {
    let mut routes: Vec<_> = (0..100).map(|n| route("web", all([host(&format!("h{n}")), within("/a")]))).collect();
    routes.extend([
        route("wild", all([host("*.a.test"), not(within("/x"))])),
        route("deep", all([host("**.a.test"), Rule::query("q", Some("a b"))])),
        route("head", any([Rule::header("x-color", "red").expect("a header"), Rule::query("z", None)])),
        route("regexp", Rule::path_regexp("^/v[0-9]+/").expect("an expression")),
        route("client", Rule::client_ip("127.0.0.1").expect("an address")),
    ]);
    let (table, _) = RoutingTable::build(routes);
    let urls = ["h7:80/a/b", "y.A.test./x", "b.c.a.test/?q=a+b", "none/v1/x", "none/?z", "none"];
    let mut requests: Vec<_> = urls.map(Request::get).into();
    requests.push(Request::get("none").with_header("x-color", "red"));
    let find = |request: &Request| table.find(request).map(|route| route.service().len());
    // A thread's first use of an expression makes room for the states that it meets.
    let found: Vec<_> = requests.iter().map(find).collect();
    assert_eq!(found.len(), requests.len());
    for request in &requests {
        let counted = allocation_counter::measure(|| {
            assert!(find(request).is_some() && table.find_inside_tls(request).is_some());
        });
        assert_eq!(counted.count_total, 0, "{request:?}");
    }
}
