//! Paths by which a client might come to what a rule keeps from it: a service, of which `/admin` is closed.

use std::net::SocketAddr;
use std::sync::Arc;

use divisi_model::route::{Origin, Route, RoutingTable, Rule, Way};
use divisi_model::{Card, Readiness, Service, Slot, Snapshot, Unrouted};
use divisi_testkit::replica::Replica;

use crate::case;
use crate::judge::judge;
use crate::lane::Lane;
use crate::support::{Proxy, settings, spec};

fn route(path: &str, closed: Option<&str>) -> Route {
    let origin = Origin { id: path.into(), container: "web-1".into(), label: "divisi.path".into() };
    let way = Way { slot: Slot(0), closed: closed.map(Arc::from), ..Way::default() };
    Route::new(path, Rule::path_within(path).expect("a path"), "web", origin).with_way(way)
}

/// The origin is open to all, and its `/admin` to nobody.
fn guarded(origin: &Replica) -> Proxy {
    let service = Service::new("web", spec());
    let member = service.replica(Card::new("web-1", 1), origin.addr(), Readiness::Ready);
    let routes = RoutingTable::build(vec![route("/", None), route("/admin", Some("for nobody"))]).0;
    let services = vec![Some(Arc::new(service.with_replicas(vec![member], 1)))];
    let snapshot = Snapshot::new(services, routes, Err(Unrouted::nowhere("")));
    Proxy::serving(settings(), snapshot, Vec::new())
}

#[test]
fn no_spelling_of_a_path_leads_around_a_rule() {
    let mut proxy = None;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let lane = Lane::new(any, |origin| proxy.insert(guarded(origin)).addr());
    let cases: Vec<_> = case::all().into_iter().filter(|case| case.requires.is_some()).collect();
    assert_eq!(cases.len(), 17);
    for case in cases {
        assert_eq!(judge(&case, &lane.run(&case)), crate::judge::Verdict::Pass, "{} {}", case.id, case.why);
    }
}

/// Where a replica that decodes a path, drops double slashes and walks its dots ends up.
pub(crate) fn resolved(target: &str) -> String {
    let raw = target.split('?').next().unwrap_or_default().as_bytes();
    let mut decoded = Vec::new();
    let mut rest = raw;
    while let Some((first, after)) = rest.split_first() {
        let digits = (*first == b'%').then(|| after.get(..2)).flatten().and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    let mut segments: Vec<String> = Vec::new();
    for segment in String::from_utf8_lossy(&decoded).split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment.to_owned()),
        }
    }
    format!("/{}", segments.join("/"))
}

#[test]
fn paths_resolve_as_replicas_do_it() {
    for (target, expected) in
        [("/pub/..//%61dmin/?q", "/admin"), ("/a%2f..%2Fb", "/b"), ("/%zz", "/%zz"), ("/%2561", "/%61"), ("//", "/")]
    {
        assert_eq!(resolved(target), expected, "{target}");
    }
}
