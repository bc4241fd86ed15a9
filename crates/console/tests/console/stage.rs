//! A console, and a world for it to tell of.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use divisi_console::{Console, GaugeReader, Gauges, Sources};
use divisi_discovery::{Advice, Place, Reason, RouteSighting, Sighting, inquiry};
use divisi_labels::{Dialect, Outcome, Verdict};
use divisi_model::route::{Door, Origin, Protection, Redirect, Rewrite, Route, RoutingTable, Rule, When};
use divisi_model::spec::HoldLimits;
use divisi_model::tcp::Ports;
use divisi_model::{
    Card, Failure, Moment, Name, Published, Readiness, Replica, Service, Slot, Snapshot, Spec, Tried, Unrouted, Wanted,
};
use divisi_testkit::client::{Response, fetch};
use divisi_tls::{Certificate, Keyring, Source, Vault};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// A console that listens. It ends with the test.
pub(crate) struct Stage {
    pub(crate) addr: SocketAddr,
    pub(crate) published: Arc<Published>,
    _end: oneshot::Sender<()>,
}

impl Stage {
    /// One that tells of that world, and of these containers.
    pub(crate) fn open(snapshot: Snapshot, sightings: Vec<Sighting>) -> Self {
        let console = Console::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let (addr, published) = (console.local_addr(), Published::new(snapshot));
        let (inquirer, mut inquiries) = inquiry();
        let sources = Sources {
            published: Arc::clone(&published),
            inquirer,
            vault: vault(),
            gauges: GaugeReader::new(gauges),
            version: "1.2.3",
            name: "console.corp.test".to_owned(),
        };
        let (end, ended) = oneshot::channel::<()>();
        let answer = async move {
            while let Some(asked) = inquiries.next().await {
                let _ = asked.send(sightings.clone());
            }
        };
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = console.serve(sources) => {}
                    () = answer => {}
                    _ = ended => {}
                }
            });
        });
        Self { addr, published, _end: end }
    }

    pub(crate) fn get(&self, target: &str) -> Response {
        fetch(self.addr, format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    /// The answer as JSON.
    pub(crate) fn json(&self, target: &str) -> serde_json::Value {
        let answer = self.get(target);
        serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{target}: {error}: {}", answer.text()))
    }
}

fn gauges() -> Gauges {
    Gauges {
        statuses: [1, 0, 200, 30, 4, 5],
        broken: 2,
        client_connections: Some(7),
        client_resting_connections: Some(6),
        upstream_idle_connections: Some(3),
        upstream_connections: Some(8),
        access_log_dropped_lines: None,
        received_bytes: Some(1000),
        sent_bytes: Some(1 << 40),
    }
}

/// The world of most tests: a service with a replica in each state, one without any, one that is forgotten.
pub(crate) fn shop() -> Stage {
    let (web, api, old) = (web(), service("api", Spec::default()), service("old", Spec::default()));
    let (starting, ready) = (replica(&web, 3, Readiness::Starting), web.ready().to_vec());
    let refusing = Spec { hold: HoldLimits { time: Duration::ZERO, ..HoldLimits::default() }, ..Spec::default() };
    let services = vec![
        Some(Arc::new(web)),
        None,
        Some(Arc::new(api.with_expected(vec![1]))),
        Some(Arc::new(old.with_forgotten(true))),
        Some(Arc::new(service("now", refusing))),
    ];
    let (table, conflicts) = RoutingTable::build(routes());
    assert_eq!(conflicts.len(), 1);
    let snapshot = Snapshot::new(services, table, Err(Unrouted::nowhere("no route holds for it")));
    let mut sightings: Vec<_> = ready.iter().map(seen).collect();
    sightings.push(seen(&starting));
    sightings.push(unrouted());
    Stage::open(snapshot, sightings)
}

/// A world of ports: two services, and routes by name, closed, and for everything.
pub(crate) fn harbour() -> Stage {
    let (db, queue) = (service("db", Spec::default()), service("queue", Spec::default()));
    let ready = vec![replica(&db, 1, Readiness::Ready)];
    let services = vec![Some(Arc::new(db.with_replicas(ready, 1))), Some(Arc::new(queue.with_expected(vec![1])))];
    let host = |name: &str| Rule::host(name).expect("a name");
    let way = |slot, door| divisi_model::route::Way { slot: Slot(slot), door, ..Default::default() };
    let passed = |slot| divisi_model::route::Way { passes_tls: true, ..way(slot, Door::Secure) };
    let closed = divisi_model::route::Way { closed: Some("its guard is not there".into()), ..way(1, Door::Secure) };
    let route = |name: &str, rule, service: &str| {
        let origin = Origin { id: name.into(), container: "shop-db-1".into(), label: "divisi.tcp".into() };
        Route::new(name, rule, service, origin)
    };
    let (ports, _) = Ports::build(vec![
        (5432, route("plain", host("*"), "shop/db").with_way(way(0, Door::Plain))),
        (8443, route("passed", host("db.test"), "shop/db").with_way(passed(0)).with_priority(3)),
        (8443, route("ended", host("shop.test"), "shop/queue").with_way(way(1, Door::Secure)).with_priority(4)),
        (8443, route("soon", host("soon.test"), "shop/queue").with_way(closed).with_priority(2)),
        (8443, route("all", host("*"), "shop/db").with_way(passed(0)).with_priority(-1)),
        (9443, route("db", host("db.test"), "shop/db").with_way(passed(0))),
        (10443, route("rest", host("*"), "shop/db").with_way(passed(0))),
    ]);
    let snapshot = Snapshot::new(services, RoutingTable::default(), Err(Unrouted::nowhere("no route holds for it")));
    Stage::open(snapshot.with_ports(Arc::new(ports)), Vec::new())
}

fn name(service: &str) -> Name {
    Name { project: "shop".into(), service: service.into() }
}

pub(crate) fn service(name: &str, spec: Spec) -> Service {
    Service::of(self::name(name), spec)
}

pub(crate) fn replica(service: &Service, number: u32, readiness: Readiness) -> Arc<Replica> {
    let addr = SocketAddr::from(([10, 0, 0, 7], 80));
    let name = format!("shop-{}-{number}", service.name());
    service.replica(Card::new(name, number), addr, readiness)
}

/// Two that are ready, one of which failed.
fn web() -> Service {
    let web = service("web", Spec { replica_limit: Some(10), ..Spec::default() });
    let ready = (1..=2).map(|number| replica(&web, number, Readiness::Ready)).collect();
    let web = web.with_replicas(ready, 3);
    let now = Moment::now();
    for _ in 0..Spec::default().ejection.failures {
        let lease = web.pick(&Tried::default(), Wanted::Number(2), now).expect("ready");
        assert_eq!(lease.replica().number(), 2);
        lease.failed(Failure::Other, now);
    }
    web.ready()[0].meter().count(200);
    web.state().meter().count(503);
    web.state().durations().count(Duration::from_millis(3));
    web
}

/// A name that has a certificate, one that waits for it, and one that has none.
fn vault() -> Arc<Vault> {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(["shop.test".to_owned()]).expect("a name");
    params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    let pem = params.self_signed(&key).expect("a certificate").pem();
    let certificate = Certificate::from_pem(pem.as_bytes(), key.serialize_pem().as_bytes(), Source::Local);
    let ring = Keyring {
        certificates: [("shop.test".into(), Arc::new(certificate.expect("a certificate")))].into(),
        coming: ["soon.test".into()].into(),
        problems: [("old.test".into(), "/certs/old.test.crt: it expired 3 days ago".into())].into(),
        ..Keyring::default()
    };
    let vault = Vault::new().expect("a vault");
    vault.publish(ring);
    vault.set_root(pem);
    vault
}

fn routes() -> Vec<Route> {
    let origin =
        |id: &str| Origin { id: id.into(), container: format!("shop-{id}-1").into(), label: "divisi.host".into() };
    let host = |name: &str| Rule::host(name).expect("a host");
    let way = |slot| divisi_model::route::Way { slot: Slot(slot), ..Default::default() };
    let strip = Rewrite::Strip { prefixes: vec!["/api".to_owned()], whole: true };
    let api = Rule::all(vec![host("shop.test"), Rule::path_within("/api").expect("a path")]).expect("a rule");
    let closed = divisi_model::route::Way { closed: Some("its guard basic-auth is not there".into()), ..way(0) };
    vec![
        Route::new("web", host("shop.test"), "shop/web", origin("web")).with_way(way(0)),
        Route::new("api", api, "shop/api", origin("api"))
            .with_way(divisi_model::route::Way { rewrites: vec![strip], ..way(2) }),
        Route::new("old", host("old.test"), "shop/old", origin("old")).with_way(way(3)),
        Route::new("now", host("now.test"), "shop/now", origin("now")).with_way(way(4)),
        Route::new("admin", host("admin.test"), "shop/web", origin("web2")).with_way(closed),
        Route::new("auto", host("auto.test"), "shop/now", origin("auto"))
            .with_way(divisi_model::route::Way { redirect: Some(Redirect::permanent(When::Certified)), ..way(4) }),
        Route::new("inside", host("inside.test"), "shop/web", origin("inside")).with_way(inside(way(0))),
        Route::new("strict", host("strict.test"), "shop/web", origin("strict"))
            .with_way(divisi_model::route::Way { door: Door::Secure, ..way(0) }),
        Route::new("thief", host("old.test"), "shop/now", origin("thief")).with_way(way(4)),
    ]
}

/// Only inside TLS, and with everything that can be wanted of it.
fn inside(way: divisi_model::route::Way) -> divisi_model::route::Way {
    let protection = Protection {
        hsts: Some("max-age=31536000".into()),
        client_authority: Some("staff.pem".into()),
        ..Protection::default()
    };
    let redirect = Some(Redirect::permanent(When::Always));
    divisi_model::route::Way { door: Door::Secure, redirect, protection: Arc::new(protection), ..way }
}

/// A container that is the replica.
fn seen(replica: &Arc<Replica>) -> Sighting {
    let number = replica.number();
    let place = Place {
        service: name("web"),
        port: Some(Reason { choice: 80, why: "the lowest port that the image exposes".to_owned() }),
        network: Some(Reason { choice: "shop_default".to_owned(), why: "divisi is in it, too".to_owned() }),
        addr: Some(replica.addr()),
        replica: Some(Arc::clone(replica)),
        obstacle: None,
    };
    Sighting {
        id: format!("{number}abc{}", "0".repeat(60)).into(),
        name: replica.name().to_owned(),
        project: "shop".to_owned(),
        service: "web".to_owned(),
        number,
        created: 1_700_000_000,
        state: "running",
        places: vec![place],
        unrouted: None,
        verdicts: verdicts(),
        routes: vec![RouteSighting {
            name: "web".to_owned(),
            text: "shop.test".to_owned(),
            label: "divisi.host".to_owned(),
            service: name("web"),
            closed: None,
            is_used: number == 3,
            conflict: None,
        }],
    }
}

fn verdicts() -> Vec<Verdict> {
    let verdict = |dialect, label: &str, value: &str, outcome| Verdict {
        dialect,
        label: label.to_owned(),
        value: value.to_owned(),
        outcome,
    };
    let wrong = Outcome::Wrong { accepted: "no such label".to_owned(), meant: Some("divisi.sticky".to_owned()) };
    vec![
        verdict(Dialect::Native, "divisi.host", "shop.test", Outcome::Used),
        verdict(Dialect::Native, "divisi.stiky", "true", wrong),
        verdict(Dialect::Traefik, "traefik.x", "1", Outcome::Ignored("divisi has no such thing".to_owned())),
        verdict(Dialect::NginxProxy, "VIRTUAL_X", "1", Outcome::Approximated("not all of it".to_owned())),
    ]
}

fn unrouted() -> Sighting {
    Sighting {
        id: "def0".into(),
        name: "shop-db-1".to_owned(),
        project: "shop".to_owned(),
        service: "db".to_owned(),
        number: 1,
        created: 0,
        state: "running",
        places: Vec::new(),
        unrouted: Some(Advice { why: "it exposes no port".to_owned(), write: "divisi.port=5432".to_owned() }),
        verdicts: Vec::new(),
        routes: Vec::new(),
    }
}
