//! What it costs. Prints; asserts nothing about a machine that nobody knows:
//! `cargo test --release -p divisi-model --test routes -- --ignored --nocapture speed`

use std::hint::black_box;
use std::time::{Duration, Instant};

use divisi_model::route::{Route, RoutingTable, Rule};

use crate::request::{Request, all, host, route_of, within};

const PATHS: [&str; 5] = ["/", "/api", "/api/v2", "/static", "/admin/login"];

#[test]
#[ignore = "measures; wants a release build and a quiet machine"]
fn speed() {
    let hosts = |count: usize| (0..count).flat_map(|n| PATHS.map(|path| of_host(n, path))).collect::<Vec<_>>();
    let one_host = (0..10_000).map(|n| of(n, all([host("app.test"), within(&format!("/tenant-{n}"))])));
    let without = (0..10_000).map(|n| of(n, Rule::path_prefix(&format!("/tenant-{n}")).expect("a path")));
    let containers = (0..10_000).map(|n| of_host(n, "/"));
    let mut clock: Vec<_> = (0..100_000).map(|_| Instant::now().elapsed()).collect();
    clock.sort_unstable();
    println!("in every time below, the clock itself: p50 {:?} p99 {:?}", clock[50_000], clock[99_000]);
    for (name, routes, urls) in [
        ("10 hosts x 5 paths", hosts(10), host_urls(10)),
        ("10,000 hosts x 5 paths", hosts(10_000), host_urls(10_000)),
        ("10,000 hosts", containers.collect(), host_urls(10_000)),
        ("1 host x 10,000 paths", one_host.collect(), path_urls()),
        ("no host x 10,000 paths", without.collect(), path_urls()),
    ] {
        measure(name, &routes, &urls);
    }
}

fn of_host(n: usize, path: &str) -> Route {
    of(n, all([host(&format!("service-{n}.example.com")), within(path)]))
}

fn of(n: usize, rule: Rule) -> Route {
    route_of(&format!("container-{n}"), &format!("service-{n}"), rule)
}

fn host_urls(count: usize) -> Vec<String> {
    let paths = ["/", "/index.html", "/api/users/7", "/api/v2/users", "/static/app.js"];
    (0..count).flat_map(|n| paths.map(|path| format!("Service-{n}.example.com:443{path}"))).collect()
}

fn path_urls() -> Vec<String> {
    (0..10_000).map(|n| format!("app.test/tenant-{n}/users/7")).collect()
}

fn measure(name: &str, routes: &[Route], urls: &[String]) {
    let copy = routes.to_vec();
    let start = Instant::now();
    let (table, conflicts) = RoutingTable::build(copy);
    let build = start.elapsed();
    assert!(conflicts.is_empty());
    let patch = patch(&table, routes);
    let requests: Vec<_> = urls.iter().map(|url| Request::get(url)).collect();
    let mut times: Vec<Duration> = Vec::with_capacity(1_000_000);
    let (mut total, mut at) = (Duration::ZERO, 0);
    while times.len() < 1_000_000 {
        // A step that shares no factor with the count goes through all of them, never to a neighbour.
        at = (at + 7919) % requests.len();
        // In the program its head was just read, and lies in the cache.
        let request = black_box(requests[at].clone());
        let start = Instant::now();
        black_box(table.find(black_box(&request))).expect("routed");
        let time = start.elapsed();
        total += time;
        times.push(time);
    }
    times.sort_unstable();
    let of = |share: usize| times[times.len() * share / 1000];
    println!(
        "{name}: find mean {:?} p50 {:?} p99 {:?} p99.9 {:?}; build {build:?}; patch p50 {:?} p99 {:?}",
        total / 1_000_000,
        of(500),
        of(990),
        of(999),
        patch[patch.len() / 2],
        patch[patch.len() * 99 / 100],
    );
}

/// One container comes again with the rules that it had, many times.
fn patch(table: &RoutingTable, routes: &[Route]) -> Vec<Duration> {
    let mut table = table.clone();
    let mut again = |n: usize| {
        let id = &routes[n * 7919 % routes.len()].origin().id;
        let routes: Vec<_> = routes.iter().filter(|route| route.origin().id == *id).cloned().collect();
        let start = Instant::now();
        // With the end of the one before: in the program, too, somebody has to pay for it.
        table = table.patch(&[], routes).0;
        start.elapsed()
    };
    let mut times: Vec<_> = (0..200).map(&mut again).collect();
    times.sort_unstable();
    times
}
