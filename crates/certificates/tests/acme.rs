//! From a route to a certificate of a real authority: Pebble looks at servers that answer from the vault, as the proxy does.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use divisi_acme::{Board, Kind, Pace, Roots};
use divisi_certificates::{Orders, Settings, acme, run};
use divisi_model::route::{Origin, Route, RoutingTable, Rule};
use divisi_model::{Published, Service, Snapshot, Spec, Unrouted};
use divisi_testkit::pebble::{Pebble, Temper, has};
use divisi_testkit::wait::until;
use divisi_tls::rustls::server::Acceptor;
use divisi_tls::{Choice, Speaks, Vault};
use tokio::runtime::Builder;

/// Both tasks, what they fill, and the authority.
struct Stage {
    published: Arc<Published>,
    vault: Arc<Vault>,
    board: Board,
    pebble: Pebble,
    folder: tempfile::TempDir,
}

impl Stage {
    fn open(hosts: &[&str]) -> Self {
        let vault = Vault::new().expect("a vault");
        let looks_at = (serve_plain(&vault), serve_tls(&vault));
        let mut pebble = Pebble::prepare(Temper::default(), looks_at);
        pebble.resume();
        let published = Published::new(world(hosts));
        let folder = tempfile::tempdir().expect("a folder");
        Self { published, vault, board: Board::default(), pebble, folder }
    }

    /// As the program does it: both on one thread, which ends with the test's process.
    fn start(&self, change: impl FnOnce(&mut divisi_acme::Settings)) {
        let orders = Arc::new(Orders::default());
        let mut settings = settings(&self.pebble, self.folder.path());
        change(&mut settings);
        let acme = acme::run(settings, Arc::clone(&self.vault), Arc::clone(&orders), self.board.clone());
        let of_files = Settings { acme: true, ..Settings::default() };
        let certificates = run(of_files, Arc::clone(&self.published), Arc::clone(&self.vault), orders);
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        thread::spawn(move || runtime.block_on(async { tokio::join!(acme, certificates) }));
    }

    fn serves(&self, name: &str) -> bool {
        matches!(self.choose(name), Choice::Serve { .. })
    }

    fn choose(&self, name: &str) -> Choice {
        self.vault.choose(Some(name), [].into_iter(), Speaks::Http)
    }
}

fn settings(pebble: &Pebble, folder: &Path) -> divisi_acme::Settings {
    divisi_acme::Settings {
        email: "you@divisi.example".to_owned(),
        directory: pebble.directory(),
        roots: Roots::with(Some(&pebble.folder().join("root.pem"))).expect("a root"),
        external: None,
        profile: None,
        challenge: None,
        dns: None,
        folder: folder.to_owned(),
        ask: None,
        pace: Pace { poll: Duration::from_millis(50), between: Duration::ZERO, ..Pace::default() },
    }
}

fn world(hosts: &[&str]) -> Snapshot {
    let rule = Rule::any(hosts.iter().map(|host| Rule::host(host).expect("a host")).collect()).expect("a rule");
    let origin = Origin { id: "1".into(), container: "web-1".into(), label: "divisi.rule".into() };
    let routes = RoutingTable::build(vec![Route::new("web", rule, "web", origin)]).0;
    let service = Arc::new(Service::new("web", Spec::default()));
    Snapshot::new(vec![Some(service)], routes, Err(Unrouted::nowhere("no route")))
}

fn serve(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || answer(stream));
        }
    });
    port
}

fn serve_plain(vault: &Arc<Vault>) -> u16 {
    let vault = Arc::clone(vault);
    serve(move |mut stream| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read_exact(&mut byte).is_err() {
                return;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head);
        let path = head.split(' ').nth(1).and_then(|path| path.strip_prefix("/.well-known/acme-challenge/"));
        let text = path.and_then(|token| vault.token(token));
        let (status, text) = text.as_deref().map_or(("404 Not Found", ""), |text| ("200 OK", text));
        let _ =
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len());
    })
}

fn serve_tls(vault: &Arc<Vault>) -> u16 {
    let vault = Arc::clone(vault);
    serve(move |mut stream| {
        let mut acceptor = Acceptor::default();
        let accepted = loop {
            match (acceptor.read_tls(&mut stream), acceptor.accept()) {
                (Ok(1..), Ok(None)) => {}
                (Ok(_), Ok(Some(accepted))) => break accepted,
                _ => return,
            }
        };
        let hello = accepted.client_hello();
        let choice = vault.choose(hello.server_name(), hello.alpn().into_iter().flatten(), Speaks::Http);
        if let Choice::Challenge(config) = choice {
            let mut connection = accepted.into_connection(config).map_err(|(error, _)| error).expect("a handshake");
            while connection.is_handshaking() && connection.complete_io(&mut stream).is_ok() {}
            connection.send_close_notify();
            let _ = connection.complete_io(&mut stream);
        }
    })
}

#[test]
fn the_hosts_of_a_route_get_one_certificate() {
    if !has("pebble") {
        return;
    }
    let stage = Stage::open(&["a.example", "b.example", "nas", "echo.localhost"]);
    stage.start(|_| {});
    until("both hosts are served", || stage.serves("a.example") && stage.serves("b.example"));
    assert_eq!(stage.pebble.orders(), 1);
    let status = stage.vault.status();
    let a = status.names.iter().find(|listing| &*listing.name == "a.example").expect("it is listed");
    assert_eq!(a.certificate.as_ref().map(|seen| seen.kind), Some("acme"));
    assert_eq!((a.is_coming, a.problem.as_ref()), (false, None));
    // Another route: another certificate, and nobody goes without in between.
    stage.published.publish(world(&["a.example", "c.example"]));
    until("the new host is served", || {
        assert!(stage.serves("a.example"));
        stage.serves("c.example")
    });
}

#[test]
fn the_vault_shows_the_certificate_of_a_challenge() {
    if !has("pebble") {
        return;
    }
    let stage = Stage::open(&["a.example"]);
    stage.start(|settings| settings.challenge = Some(Kind::TlsAlpn01));
    until("the host is served", || stage.serves("a.example"));
}

#[test]
fn a_wildcard_that_cannot_be_had_does_not_keep_its_neighbours_from_theirs() {
    if !has("pebble") {
        return;
    }
    let stage = Stage::open(&["a.example", "*.a.example"]);
    stage.start(|_| {});
    until("the host is served", || stage.serves("a.example"));
    let problem = |name: &str| {
        let listing = stage.vault.status().names.into_iter().find(|listing| &*listing.name == name);
        listing.and_then(|listing| listing.problem)
    };
    until("it is told", || problem("*.a.example").is_some_and(|problem| problem.contains("--acme-dns-hook")));
    assert_eq!(problem("a.example"), None);
    assert!(matches!(stage.choose("x.a.example"), Choice::Refuse), "nobody is held for what does not come");
}

#[test]
fn what_is_wrong_is_told_with_the_name() {
    if !has("pebble") {
        return;
    }
    let mut stage = Stage::open(&["a.example"]);
    stage.pebble.stop();
    stage.start(|settings| settings.pace.first_pause = Duration::from_secs(1));
    let problem = || stage.vault.status().names.into_iter().find_map(|listing| listing.problem);
    until("the problem is told", || problem().is_some());
    let told = problem().expect("there was one");
    assert!(told.contains("cannot connect to 127.0.0.1") && told.contains("since"), "{told}");
    assert!(matches!(stage.choose("a.example"), Choice::Refuse), "nobody is held for what does not come");
    stage.pebble.resume();
    until("the host is served", || stage.serves("a.example"));
    until("the problem is gone", || problem().is_none());
}

#[test]
fn a_handshake_for_an_unknown_name_may_bring_a_certificate() {
    if !has("pebble") {
        return;
    }
    let asked = serve(|mut stream| {
        let mut head = [0; 1024];
        let length = stream.read(&mut head).expect("a question");
        let is_good = head[..length].starts_with(b"GET /?domain=good.example ");
        let status = if is_good { "200 OK" } else { "404 Not Found" };
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    let stage = Stage::open(&["a.example"]);
    stage.start(|settings| settings.ask = Some(format!("http://127.0.0.1:{asked}/")));
    until("the host is served", || stage.serves("a.example"));
    let ask = |name| stage.vault.ask(name).expect("somebody answers").blocking_recv();
    assert!(matches!(stage.choose("good.example"), Choice::Refuse));
    assert_eq!(ask("bad.example"), Ok(false));
    assert_eq!(ask("GOOD.example."), Ok(true));
    assert!(!matches!(stage.choose("good.example"), Choice::Refuse), "it is held or served");
    until("the name is served", || stage.serves("good.example"));
    assert!(matches!(stage.choose("bad.example"), Choice::Refuse));
}
