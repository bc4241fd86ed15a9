//! All of it: a snapshot and a folder go in, and handshakes come out.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_certificates::{NameSet, Orders, Settings, run};
use divisi_model::route::{Door, Origin, Protection, Route, RoutingTable, Rule, Way};
use divisi_model::speech::{Scheme, Speech, Trust};
use divisi_model::{Card, Published, Readiness, Service, Snapshot, Spec, Unrouted};
use divisi_tls::{Certificate, Choice, Listing, Means, Protocol, Source, Speaks, Vault};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tempfile::tempdir;
use tokio::runtime::Builder;

/// What each change may take, on a busy machine. Files are looked at every second.
const PATIENCE: Duration = Duration::from_secs(10);

struct Stage {
    published: Arc<Published>,
    vault: Arc<Vault>,
    orders: Arc<Orders>,
}

impl Stage {
    /// The task on a thread of its own, as the program has it. It ends with the test's process.
    fn open(settings: Settings, first: Snapshot) -> Self {
        let published = Published::new(first);
        let vault = Vault::new().expect("a vault");
        let orders = Arc::new(Orders::default());
        let task = run(settings, Arc::clone(&published), Arc::clone(&vault), Arc::clone(&orders));
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        std::thread::spawn(move || runtime.block_on(task));
        Self { published, vault, orders }
    }

    fn until(&self, what: &str, is_so: impl Fn(&Vault) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.vault) {
            assert!(begun.elapsed() < PATIENCE, "not yet: {what}; {:#?}", self.vault.status());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn listing(&self, name: &str) -> Option<Listing> {
        self.vault.status().names.into_iter().find(|listing| &*listing.name == name)
    }
}

fn choose(vault: &Vault, name: &str) -> Choice {
    vault.choose(Some(name), [].into_iter(), Speaks::Http)
}

fn serves(vault: &Vault, name: &str) -> bool {
    matches!(choose(vault, name), Choice::Serve { .. })
}

fn route(rule: Rule, protection: Protection) -> Route {
    let origin = Origin { id: "1".into(), container: "web-1".into(), label: "divisi.rule".into() };
    let way = Way { door: Door::Any, protection: Arc::new(protection), ..Way::default() };
    Route::new("web", rule, "web", origin).with_way(way)
}

fn host(name: &str) -> Rule {
    Rule::host(name).expect("a host")
}

fn world(routes: Vec<Route>, replicas: &[Trust]) -> Snapshot {
    let service = Service::new("web", Spec::default());
    let replica = |(number, trust): (u32, &Trust)| {
        let speech = Speech { scheme: Scheme::Https, trust: trust.clone(), ..Speech::default() };
        let card = Card { speech: Arc::new(speech), ..Card::new(format!("web-{number}"), number) };
        service.replica(card, ([127, 0, 0, 1], 9).into(), Readiness::Ready)
    };
    let ready = (1..).zip(replicas).map(replica).collect();
    let service = service.with_replicas(ready, replicas.len());
    let routes = RoutingTable::build(routes).0;
    Snapshot::new(vec![Some(Arc::new(service))], routes, Err(Unrouted::nowhere("no route")))
}

fn pair(names: &[&str]) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    (CertificateParams::new(names).expect("names").self_signed(&key).expect("signed").pem(), key.serialize_pem())
}

fn authority() -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.self_signed(&KeyPair::generate().expect("a key")).expect("signed").pem()
}

fn write(folder: &Path, stem: &str, (chain, key): (String, String)) {
    fs::write(folder.join(format!("{stem}.crt")), chain).expect("written");
    fs::write(folder.join(format!("{stem}.key")), key).expect("written");
}

#[test]
fn names_of_services_have_a_certificate_of_the_local_authority() {
    let near = Rule::client_ip("127.0.0.0/8").expect("a network");
    let hosts = Rule::any(vec![host("echo.localhost"), host("echo.shop.localhost")]).expect("a rule");
    // As discovery draws it.
    let rule = Rule::all(vec![hosts, near]).expect("a rule");
    let settings = Settings { local_authority: true, ..Settings::default() };
    let stage = Stage::open(settings, world(vec![route(rule, Protection::default())], &[]));
    stage.until("a certificate", |vault| serves(vault, "echo.localhost") && serves(vault, "echo.shop.localhost"));
    assert!(stage.vault.root().expect("a root").starts_with("-----BEGIN CERTIFICATE-----"));
    for unknown in ["other.localhost", "example.com"] {
        assert!(matches!(choose(&stage.vault, unknown), Choice::Refuse), "{unknown}");
    }
    let told = stage.listing("echo.localhost").and_then(|listing| listing.certificate).expect("it is listed");
    assert_eq!((told.kind, &*told.names[0]), ("local", "echo.localhost"));
    let next = world(vec![route(host("nas"), Protection::default())], &[]);
    stage.published.publish(next);
    stage.until("another host", |vault| serves(vault, "nas") && !serves(vault, "echo.localhost"));
}

#[test]
fn where_a_service_gets_everything_private_names_have_a_certificate_as_soon_as_somebody_asks() {
    let settings = Settings { local_authority: true, ..Settings::default() };
    let stage = Stage::open(settings, Snapshot::of(Arc::new(Service::new("web", Spec::default()))));
    stage.until("the first certificate", |vault| serves(vault, "localhost"));
    for name in ["echo.localhost", "a.b.localhost", "shop.test", "nas", "printer.home.arpa"] {
        stage.until(name, |vault| serves(vault, name));
        let told = stage.listing(name).and_then(|listing| listing.certificate).expect("it is listed");
        assert_eq!((told.kind, &*told.names), ("local", &[Arc::from(name)][..]));
    }
    assert!(matches!(choose(&stage.vault, "example.com"), Choice::Refuse));
    let unnamed = stage.vault.choose(None, [].into_iter(), Speaks::Http);
    assert!(matches!(unnamed, Choice::Serve { .. }), "who comes by an address is shown that of localhost");
    // As many as strangers like: the first ones go.
    for number in 0..150 {
        let name = format!("x{number}.localhost");
        stage.until(&name, |vault| serves(vault, &name));
    }
    assert!(stage.vault.load().certificates.len() <= 101, "{}", stage.vault.load().certificates.len());
    assert!(stage.listing("echo.localhost").is_none() && serves(&stage.vault, "localhost"));
    stage.until("one that has gone is back", |vault| serves(vault, "echo.localhost"));
    // Routes take everything from it.
    stage.published.publish(world(vec![route(host("web.test"), Protection::default())], &[]));
    stage.until("routes", |vault| serves(vault, "web.test"));
    for name in ["echo.localhost", "localhost", "x149.localhost"] {
        assert!(matches!(choose(&stage.vault, name), Choice::Refuse), "{name}");
    }
}

#[test]
fn wildcards_that_clients_do_not_believe_are_signed_for_name_by_name() {
    let settings = Settings { local_authority: true, ..Settings::default() };
    let routes = ["*.localhost", "*.shop.test"].map(|name| route(host(name), Protection::default()));
    let stage = Stage::open(settings, world(routes.into(), &[]));
    stage.until("a wildcard", |vault| serves(vault, "a.shop.test"));
    stage.until("a name", |vault| serves(vault, "a.localhost"));
    assert!(stage.listing("a.localhost").is_some() && stage.listing("*.shop.test").is_some());
    assert!(stage.listing("*.localhost").is_none() && stage.listing("a.shop.test").is_none());
    for name in ["localhost", "b.a.localhost", "other.test"] {
        assert!(matches!(choose(&stage.vault, name), Choice::Refuse), "{name}");
    }
}

#[test]
fn without_a_local_authority_private_names_are_refused() {
    let stage =
        Stage::open(Settings::default(), world(vec![route(host("echo.localhost"), Protection::default())], &[]));
    stage.until("something", |vault| !vault.load().is_early);
    assert!(matches!(choose(&stage.vault, "echo.localhost"), Choice::Refuse));
    assert!(stage.vault.root().is_none());
}

#[test]
fn who_comes_before_the_engine_was_heard_waits() {
    let published = Published::new(Snapshot::unrouted("nothing is known yet"));
    published.engine().set_wanted();
    let vault = Vault::new().expect("a vault");
    let settings = Settings { local_authority: true, ..Settings::default() };
    let task = run(settings, Arc::clone(&published), Arc::clone(&vault), Arc::default());
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    std::thread::spawn(move || runtime.block_on(task));
    let begun = Instant::now();
    while vault.root().is_none() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(matches!(choose(&vault, "echo.localhost"), Choice::Soon));
    published.publish(world(vec![route(host("echo.localhost"), Protection::default())], &[]));
    published.engine().set_listed();
    while !serves(&vault, "echo.localhost") {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn files_are_taken_up_within_two_seconds() {
    let folder = tempdir().expect("a folder");
    write(folder.path(), "web.org", pair(&["web.org"]));
    let settings = Settings { folder: Some(folder.path().to_owned()), ..Settings::default() };
    let stage = Stage::open(settings, world(vec![route(host("web.org"), Protection::default())], &[]));
    stage.until("the first", |vault| serves(vault, "web.org"));
    let first = stage.vault.load().own("web.org").cloned().expect("it is served");
    write(folder.path(), "web.org", pair(&["web.org"]));
    let begun = Instant::now();
    stage.until("the second", |vault| vault.load().own("web.org").is_some_and(|now| !Arc::ptr_eq(now, &first)));
    println!("taken up after {:?}", begun.elapsed());
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "twice what is promised, on a busy machine: {:?}",
        begun.elapsed()
    );
    fs::write(folder.path().join("web.org.key"), "nothing").expect("written");
    stage.until("a problem", |vault| vault.status().names.iter().any(|listing| listing.problem.is_some()));
    assert!(serves(&stage.vault, "web.org"));
    let told = stage.listing("web.org").expect("it is listed");
    assert!(told.problem.expect("it is told").contains("web.org.key"));
}

#[test]
fn a_route_names_the_file_of_its_certificate() {
    let folder = tempdir().expect("a folder");
    write(folder.path(), "Shared", pair(&["somebody.org"]));
    let protection = Protection { file: Some("Shared".into()), from_files: true, ..Protection::default() };
    let settings = Settings { folder: Some(folder.path().to_owned()), acme: true, ..Settings::default() };
    let stage = Stage::open(settings, world(vec![route(host("web.org"), protection)], &[]));
    stage.until("its certificate", |vault| serves(vault, "web.org"));
    assert!(stage.orders.wanted().borrow().is_empty());
}

#[test]
fn clients_are_checked_against_a_file_as_it_is_now() {
    let folder = tempdir().expect("a folder");
    write(folder.path(), "web.org", pair(&["web.org"]));
    let protection = Protection { client_authority: Some("clients.pem".into()), ..Protection::default() };
    let settings = Settings { folder: Some(folder.path().to_owned()), ..Settings::default() };
    let stage = Stage::open(settings, world(vec![route(host("web.org"), protection)], &[]));
    let demand = |vault: &Vault| match choose(vault, "web.org") {
        Choice::Serve { config, client_authority } => Some((config, client_authority)),
        _ => None,
    };
    stage.until("a problem", |vault| vault.status().names.iter().any(|listing| listing.problem.is_some()));
    assert!(demand(&stage.vault).is_none(), "nobody can be checked");
    fs::write(folder.path().join("clients.pem"), authority()).expect("written");
    stage.until("an authority", |vault| demand(vault).is_some());
    let (first, name) = demand(&stage.vault).expect("served");
    assert_eq!(name.as_deref(), Some("clients.pem"));
    fs::write(folder.path().join("clients.pem"), authority()).expect("written");
    stage.until("another one", |vault| demand(vault).is_some_and(|(config, _)| !Arc::ptr_eq(&config, &first)));
    let (second, _) = demand(&stage.vault).expect("served");
    write(folder.path(), "web.org", pair(&["web.org"]));
    fs::write(folder.path().join("clients.pem"), "nothing").expect("written");
    std::thread::sleep(Duration::from_millis(1500));
    let (third, _) = demand(&stage.vault).expect("as before");
    assert!(Arc::ptr_eq(&second, &third), "so sessions go on");
}

#[test]
fn replicas_are_trusted_as_their_file_says_now() {
    let folder = tempdir().expect("a folder");
    let file: Arc<str> = folder.path().join("ca.pem").to_string_lossy().into();
    let trust = Trust::Authority(Arc::clone(&file));
    let stage = Stage::open(Settings::default(), world(Vec::new(), std::slice::from_ref(&trust)));
    let get = |vault: &Vault| vault.upstreams().get(&trust, Protocol::Http1);
    stage.until("an error", |vault| matches!(get(vault), Means::Broken(why) if why.file == file));
    fs::write(&*file, authority()).expect("written");
    stage.until("a root", |vault| matches!(get(vault), Means::Ready(_)));
    stage.published.publish(world(vec![route(host("web.org"), Protection::default())], &[]));
    stage.until("nobody names it", |vault| matches!(get(vault), Means::Soon));
}

#[test]
fn acme_is_asked_and_what_it_brings_is_served() {
    let settings = Settings { acme: true, local_authority: true, ..Settings::default() };
    let both = Rule::any(vec![host("web.org"), host("www.web.org")]).expect("a rule");
    let from_files = Protection { from_files: true, ..Protection::default() };
    let mut other = route(host("files.org"), from_files);
    other = Route::new("files", other.rule().clone(), "web", other.origin().clone()).with_way(other.way().clone());
    let stage = Stage::open(settings, world(vec![route(both, Protection::default()), other], &[]));
    let names: NameSet = ["web.org", "www.web.org"].map(Arc::from).into();
    stage.until("an order", |_| !stage.orders.wanted().borrow().is_empty());
    stage.until("what there is", |vault| !vault.load().is_early);
    assert!(matches!(choose(&stage.vault, "www.web.org"), Choice::Soon));
    let wanted = stage.orders.wanted().borrow().clone();
    assert_eq!(wanted.iter().collect::<Vec<_>>(), [&names]);
    assert!(matches!(choose(&stage.vault, "files.org"), Choice::Refuse));
    stage.orders.problem(&names, Some("web.org: no such domain"));
    stage.until("a refusal", |vault| matches!(choose(vault, "web.org"), Choice::Refuse));
    assert_eq!(stage.listing("web.org").and_then(|told| told.problem).as_deref(), Some("web.org: no such domain"));
    let (chain, key) = pair(&["web.org", "www.web.org"]);
    let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes(), Source::Acme).expect("a certificate");
    stage.orders.put(names, Arc::new(certificate));
    stage.until("a certificate", |vault| serves(vault, "web.org") && serves(vault, "www.web.org"));
    assert_eq!(stage.listing("web.org").expect("it is listed").problem, None);
    stage.published.publish(world(Vec::new(), &[]));
    stage.until("that it is wanted no more", |_| stage.orders.wanted().borrow().is_empty());
}
