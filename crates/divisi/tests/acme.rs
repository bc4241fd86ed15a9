//! `divisi serve --acme-email`, as a user has it: a label names a host, and a real authority gives the certificate for it.

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use divisi_testkit::engine::{FakeContainer, FakeEngine};
use divisi_testkit::pebble::{Pebble, Temper, free_port, has, local};
use divisi_testkit::wait::{PATIENCE, within};
use divisi_tls::rustls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use support::{Program, run};
use tempfile::TempDir;

/// Changes records by telling the DNS server of Pebble what to answer.
fn hook(pebble: &Pebble) -> PathBuf {
    let path = pebble.folder().join("hook");
    let text = format!(
        r#"#!/usr/bin/env python3
import json, sys, urllib.request
verb, name, value = sys.argv[1:]
what = {{"present": "set-txt", "cleanup": "clear-txt"}}[verb]
body = json.dumps({{"host": name + ".", "value": value}}).encode()
urllib.request.urlopen("http://{}/" + what, body)
"#,
        pebble.dns_management
    );
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its own file");
    path
}

/// Pebble, an engine with a container for each service, and a divisi at which Pebble looks.
struct Stage {
    pebble: Pebble,
    divisi: Program,
    secure: SocketAddr,
    _engine: FakeEngine,
    _data: TempDir,
}

impl Stage {
    /// Where `more` are further arguments, for which it may be of use to know Pebble.
    fn open(more: impl FnOnce(&Pebble) -> Vec<String>) -> Self {
        Self::with(|_| Vec::new(), more)
    }

    /// The same with `others` beside the container of the host, who may want to know the port of TLS.
    fn with(others: impl FnOnce(u16) -> Vec<FakeContainer>, more: impl FnOnce(&Pebble) -> Vec<String>) -> Self {
        let (plain, secure) = (local(free_port()), local(free_port()));
        let mut pebble = Pebble::prepare(Temper::default(), (plain.port(), secure.port()));
        pebble.resume();
        let (engine, data) = (FakeEngine::new(), tempfile::tempdir().expect("a folder"));
        let web = FakeContainer::replica("shop", "web", 1).label("divisi.host", "shop.example");
        for container in others(secure.port()).into_iter().chain([web]) {
            engine.run(container.network("bridge", "127.0.0.1").port(80));
        }
        let mut words = vec![
            "serve".to_owned(),
            format!("--listen={plain}"),
            format!("--listen-tls={secure}"),
            "--console=127.0.0.1:0".to_owned(),
            "--project=shop".to_owned(),
            format!("--docker-host={}", engine.docker_host()),
            format!("--data={}", data.path().display()),
            "--acme-email=you@divisi.example".to_owned(),
            format!("--acme-directory={}", pebble.directory()),
            format!("--acme-roots={}", pebble.folder().join("root.pem").display()),
        ];
        words.extend(more(&pebble));
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        Self { divisi: Program::start(&words), pebble, secure, _engine: engine, _data: data }
    }

    fn until_ps_shows(&self, name: &str) {
        let ps = || run(&["ps", "--console", &self.divisi.console()], &[]).stdout;
        let begin = format!("{name} ");
        let is_shown = || ps().lines().any(|line| line.starts_with(&begin) && line.ends_with("ACME"));
        assert!(within(PATIENCE, is_shown), "{}\n{}", ps(), self.divisi.log());
    }
}

#[test]
fn the_host_of_a_label_gets_a_certificate_by_http_01() {
    if !has("pebble") {
        return;
    }
    let stage = Stage::open(|_| Vec::new());
    stage.until_ps_shows("shop.example");
    assert_eq!(stage.pebble.orders(), 1);
    assert!(stage.divisi.log().contains("acme: a certificate for shop.example"), "{}", stage.divisi.log());
    assert!(shake(stage.secure, "shop.example"), "it is used");
    assert!(!shake(stage.secure, "other.example"));
}

#[test]
fn and_by_tls_alpn_01() {
    if !has("pebble") {
        return;
    }
    let stage = Stage::open(|_| vec!["--acme-challenge=tls-alpn-01".to_owned()]);
    stage.until_ps_shows("shop.example");
}

#[test]
fn names_of_tcp_get_theirs_where_tls_ends_in_divisi() {
    if !has("pebble") {
        return;
    }
    // A replica comes before the handshake: one that accepts is enough.
    let replica = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = replica.local_addr().expect("an address").port().to_string();
    let others = |port: u16| {
        let named =
            |service, name| FakeContainer::replica("shop", service, 1).label(&format!("divisi.tcp.{port}.sni"), name);
        vec![
            named("db", "db.example")
                .label(&format!("divisi.tcp.{port}"), &target)
                .label(&format!("divisi.tcp.{port}.tls"), "terminate"),
            named("mail", "mail.example"),
            FakeContainer::replica("shop", "queue", 1)
                .label("traefik.tcp.routers.queue.rule", "HostSNI(`queue.example`)")
                .label("traefik.tcp.routers.queue.entrypoints", "amqps")
                .label("traefik.tcp.routers.queue.tls", "true"),
        ]
    };
    // At the port at which the authority verifies them, too.
    let more = |_: &Pebble| {
        vec!["--acme-challenge=tls-alpn-01".to_owned(), format!("--entrypoints=web,websecure,amqps={}", free_port())]
    };
    let stage = Stage::with(others, more);
    for name in ["shop.example", "db.example", "queue.example"] {
        stage.until_ps_shows(name);
    }
    assert!(shake(stage.secure, "db.example"), "{}", stage.divisi.log());
    let connection = format!("tcp://db.example:{}", stage.secure.port());
    let told = run(&["explain", &connection, "--console", &stage.divisi.console()], &[]).stdout;
    assert!(told.contains("goes to shop/db:") && told.contains("TLS: db.example has a certificate, of ACME"), "{told}");
    assert_eq!(stage.pebble.orders(), 3, "none for mail.example, whose TLS ends in its container");
}

#[test]
fn and_by_dns_01() {
    if !has("pebble") || !has("python3") {
        return;
    }
    let by_hook = |pebble: &Pebble| {
        vec!["--acme-challenge=dns-01".to_owned(), format!("--acme-dns-hook={}", hook(pebble).display())]
    };
    Stage::open(by_hook).until_ps_shows("shop.example");
}

#[test]
fn a_connection_for_an_unknown_name_waits_for_its_certificate_where_somebody_allows_it() {
    if !has("pebble") {
        return;
    }
    let judge = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = judge.local_addr().expect("an address");
    thread::spawn(move || {
        for mut stream in judge.incoming().flatten() {
            let mut head = [0; 1024];
            let length = stream.read(&mut head).unwrap_or_default();
            let is_good = head[..length].starts_with(b"GET /?domain=good.example ");
            let status = if is_good { "200 OK" } else { "404 Not Found" };
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    let stage = Stage::open(|_| vec![format!("--acme-ask=http://{addr}/")]);
    stage.until_ps_shows("shop.example");
    assert!(!shake(stage.secure, "bad.example"));
    assert!(shake(stage.secure, "good.example"), "{}", stage.divisi.log());
}

/// Whether a handshake for `name` succeeds. Who signed the certificate is not looked at: Pebble's root is new each time.
fn shake(addr: SocketAddr, name: &str) -> bool {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Anybody)).with_no_client_auth();
    let host = ServerName::try_from(name.to_owned()).expect("a name");
    let mut connection = ClientConnection::new(Arc::new(config), host).expect("a connection");
    let mut stream = TcpStream::connect(addr).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    while connection.is_handshaking() {
        if connection.complete_io(&mut stream).is_err() {
            return false;
        }
    }
    true
}

/// Believes everybody.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[test]
fn roots_that_are_none_are_refused_at_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("roots.pem");
    fs::write(&path, "hello").expect("written");
    let roots = format!("--acme-roots={}", path.display());
    let words = ["serve", "--replica=127.0.0.1:9", "--listen=127.0.0.1:0", "--listen-tls=127.0.0.1:0", &roots];
    let ended = run(&[&words[..], &["--acme-email=you@divisi.example"]].concat(), &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let said = ended.stdout + &ended.stderr;
    assert!(said.contains("roots.pem") && said.contains("there is no certificate in it"), "{said}");
}
