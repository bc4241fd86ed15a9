//! The answer to "why?".

use divisi_model::route::{RoutingTable, Rule};

use crate::request::{Request, all, host, route, route_of, within};

#[test]
fn each_route_has_its_reason() {
    let api = || all([host("app.test"), within("/api")]);
    let (table, _) = RoutingTable::build(vec![
        route("site", host("app.test")),
        route_of("api-1", "api", api()),
        route_of("api-2", "api", api()),
        route_of("other-1", "other", api()),
        route("mail", all([host("app.test"), Rule::method("POST").expect("a method"), within("/m")])),
        route("beta", Rule::header("x-beta", "secret").expect("a header")),
        route("q", Rule::query("q", None)),
    ]);
    let request = Request::get("APP.test/api/x").with_header("x-beta", "hidden");
    let steps: Vec<_> = table.explain(&request).iter().map(ToString::to_string).collect();
    assert_eq!(
        steps,
        [
            "Host(`app.test`) && Method(`POST`) && PathWithin(`/m`) (priority 54, route mail of mail) -> mail: \
             Method(`POST`) does not hold: the method is GET",
            "Host(`app.test`) && PathWithin(`/api`) (priority 38, route api of api-1) -> api: taken",
            "Host(`app.test`) && PathWithin(`/api`) (priority 38, route api of api-2) -> api: the same as the one that is \
             taken",
            "Host(`app.test`) && PathWithin(`/api`) (priority 38, route other of other-1) -> other: holds, but another \
             route stands before it",
            "Header(`x-beta`, `secret`) (priority 26, route beta of beta) -> beta: Header(`x-beta`, `secret`) does not \
             hold: the header has another value",
            "Host(`app.test`) (priority 16, route site of site) -> site: holds, but another route stands before it",
            "Query(`q`) (priority 10, route q of q) -> q: Query(`q`) does not hold: the request has no query",
        ]
    );
}
