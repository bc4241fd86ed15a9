//! TLS that is passed on by the name that the client asks for.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_model::route::{Door, Rule};
use divisi_testkit::replica::Replica;
use divisi_testkit::wait;
use divisi_tls::{Certificate, Keyring, Source, Vault};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, Stream};

use crate::stage::{Stage, any, echo, greeting, route};
use crate::support::{settings, spec};

/// A server inside TLS, and what a client needs to believe it.
pub(crate) struct Secure {
    /// As PEM: the certificate and its key.
    pair: (String, String),
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Secure {
    pub(crate) fn new() -> Self {
        let names = ["db.example.com", "a.wild.example.com"].map(str::to_owned).to_vec();
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let pair = (made.cert.pem(), made.signing_key.serialize_pem());
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let chain = vec![made.cert.der().clone()];
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("a root");
        let server = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).expect("a pair");
        let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Self { pair, server: Arc::new(server), client: Arc::new(client) }
    }

    /// Its certificate as one that divisi has, for that name.
    pub(crate) fn keyring(&self, name: &str) -> Keyring {
        let (chain, key) = &self.pair;
        let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes(), Source::Local);
        let certificates = [(name.into(), Arc::new(certificate.expect("a pair")))].into();
        Keyring { certificates, ..Keyring::default() }
    }

    /// A replica that says its name inside TLS, once it is spoken to.
    pub(crate) fn replica(&self, name: &'static str) -> (std::net::TcpListener, SocketAddr) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let (addr, config) = (listener.local_addr().expect("bound"), Arc::clone(&self.server));
        let accepting = listener.try_clone().expect("a socket");
        std::thread::spawn(move || {
            for mut stream in accepting.incoming().flatten() {
                let config = Arc::clone(&config);
                std::thread::spawn(move || {
                    let mut tls = ServerConnection::new(config).expect("a configuration");
                    let mut stream = Stream::new(&mut tls, &mut stream);
                    let mut word = [0; 4];
                    if stream.read_exact(&mut word).is_ok() {
                        let _ = stream.write_all(format!("{name} heard {}", String::from_utf8_lossy(&word)).as_bytes());
                    }
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                });
            }
        });
        (listener, addr)
    }

    /// What the server of that name answers; None where the connection comes to nothing.
    pub(crate) fn ask(&self, addr: SocketAddr, name: &str) -> Option<String> {
        let mut tcp = TcpStream::connect(addr).ok()?;
        tcp.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut tls = ClientConnection::new(Arc::clone(&self.client), name).expect("a configuration");
        let mut stream = Stream::new(&mut tls, &mut tcp);
        stream.write_all(b"ping").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// What comes back of a word inside TLS, where whoever has it sends it back.
    pub(crate) fn ask_echo(&self, addr: SocketAddr, name: &str) -> Option<String> {
        let mut tcp = TcpStream::connect(addr).ok()?;
        tcp.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut tls = ClientConnection::new(Arc::clone(&self.client), name).expect("a configuration");
        let mut stream = Stream::new(&mut tls, &mut tcp);
        stream.write_all(b"ping").ok()?;
        let mut back = [0; 4];
        stream.read_exact(&mut back).ok()?;
        String::from_utf8(back.to_vec()).ok()
    }

    /// From now on this is what an ACME authority is shown that looks at the name.
    pub(crate) fn show_challenge(&self, vault: &Vault, name: &str) {
        let (chain, key) = &self.pair;
        let certificate = CertificateDer::from_pem_slice(chain.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        vault.set_challenge(name, certificate, key).expect("a challenge");
    }

    /// Whether an ACME authority that looks at the name is shown the certificate of this one (RFC 8737 3).
    pub(crate) fn is_challenge_shown(&self, addr: SocketAddr, name: &str) -> bool {
        let mut tcp = TcpStream::connect(addr).expect("it listens");
        tcp.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
        let mut tls = self.connection(name, vec![b"acme-tls/1".to_vec()]);
        while tls.is_handshaking() {
            if tls.complete_io(&mut tcp).is_err() {
                return false;
            }
        }
        tls.alpn_protocol() == Some(b"acme-tls/1")
    }

    /// The first bytes of a client that offers `protocols`.
    fn hello(&self, name: &str, protocols: Vec<Vec<u8>>) -> Vec<u8> {
        let mut tls = self.connection(name, protocols);
        let mut bytes = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut bytes).expect("memory");
        }
        bytes
    }

    fn connection(&self, name: &str, protocols: Vec<Vec<u8>>) -> ClientConnection {
        let mut config = ClientConfig::clone(&self.client);
        config.alpn_protocols = protocols;
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        ClientConnection::new(Arc::new(config), name).expect("a configuration")
    }
}

fn name(text: &str) -> Rule {
    Rule::host(text).expect("a name")
}

#[test]
fn a_name_leads_to_its_server_and_no_other_does() {
    let secure = Secure::new();
    let (_listener, exact) = secure.replica("exact");
    let stage = Stage::before(&[exact]);
    let routes = vec![
        route(stage.port, name("db.example.com"), Door::Secure, 0),
        route(stage.port, name("*.wild.example.com"), Door::Secure, 0),
    ];
    stage.publish(&stage.members, routes);
    let addr = stage.addr();
    assert_eq!(secure.ask(addr, "db.example.com").as_deref(), Some("exact heard ping"));
    assert_eq!(secure.ask(addr, "DB.Example.COM").as_deref(), Some("exact heard ping"), "in whatever case");
    assert_eq!(secure.ask(addr, "a.wild.example.com").as_deref(), Some("exact heard ping"));
    for (other, why) in [("other.example.com", "a wrong name"), ("127.0.0.1", "no name")] {
        assert_eq!(secure.ask(addr, other), None, "{why}");
    }
    let mut client = stage.connect();
    client.send("not TLS at all");
    assert_eq!(client.read_to_close().0, b"");
    wait::until("all are counted", || stage.proxy.published.listening().refused() == 3);
}

#[test]
fn what_is_not_inside_tls_has_a_route_of_its_own() {
    let secure = Secure::new();
    let (_a, exact) = secure.replica("exact");
    let stage = Stage::before(&[exact]);
    let plain = Replica::start(echo).lenient();
    let other = divisi_model::Service::new("plain", spec());
    let member = other.replica(divisi_model::Card::new("plain-1", 1), plain.addr(), divisi_model::Readiness::Ready);
    let services = [stage.service.with_replicas(stage.members.clone(), 1), other.with_replicas(vec![member], 1)];
    let routes = vec![route(stage.port, name("*"), Door::Secure, 0), route(stage.port, any(), Door::Plain, 1)];
    let ports = divisi_model::tcp::Ports::build(routes).0;
    let services = services.map(|service| Some(Arc::new(service))).to_vec();
    let nowhere = divisi_model::Unrouted::nowhere("");
    let snapshot = divisi_model::Snapshot::new(services, divisi_model::route::RoutingTable::default(), Err(nowhere));
    stage.proxy.published.publish(snapshot.with_ports(Arc::new(ports)));
    wait::until("it is echoed", || {
        let mut client = stage.connect();
        client.send("not TLS");
        client.read_for(Duration::from_millis(500)).0 == b"not TLS"
    });
    assert_eq!(secure.ask(stage.addr(), "db.example.com").as_deref(), Some("exact heard ping"));
    assert_eq!(secure.ask(stage.addr(), "127.0.0.1"), None, "passed on without a name, and not believed by the client");
}

#[test]
fn a_long_beginning_byte_by_byte_arrives_as_it_was() {
    let replica = Replica::start(echo).lenient();
    let stage = Stage::before(&[replica.addr()]);
    stage.publish(&stage.members, vec![route(stage.port, name("db.example.com"), Door::Secure, 0)]);
    let protocols = (0..64).map(|at| vec![b'a' + at % 26; 250]).collect();
    let hello = Secure::new().hello("db.example.com", protocols);
    assert!(hello.len() > 16_000, "{}", hello.len());
    let mut client = stage.connect();
    let middle = hello.len() - 300;
    client.send(&hello[..300]);
    for byte in &hello[300..700] {
        client.send([*byte]);
    }
    client.send(&hello[700..middle]);
    for byte in &hello[middle..] {
        client.send([*byte]);
    }
    wait::until("all of it has arrived", || replica.look(|record| record.raw.len() >= hello.len()));
    assert!(replica.record().raw == hello);
}

#[test]
fn a_beginning_that_does_not_come_or_is_none_ends_the_connection() {
    let replica = Replica::start(greeting).lenient();
    let mut settings = settings();
    settings.limits.head_timeout = Duration::from_millis(400);
    let stage = Stage::with(settings, spec(), &[replica.addr()], None);
    stage.publish(&stage.members, vec![route(stage.port, name("*"), Door::Secure, 0)]);
    let hello = Secure::new().hello("db.example.com", Vec::new());
    // Endless, though in order: handshake records without a whole message in them.
    let mut endless = hello[..5].to_vec();
    (endless[3], endless[4]) = (0x40, 0);
    endless.extend([1, 0xff, 0xff, 0xff]);
    endless.extend(vec![0; 0x4000 - 4]);
    for (bytes, why) in [
        (&b""[..], "nothing"),
        (&hello[..1], "one byte"),
        (&hello[..hello.len() - 1], "all but the last byte"),
        (b"\x16\x03\x01\0\x05\x02\0\0\0\0", "another message"),
        (&endless.repeat(5), "too long"),
    ] {
        let begun = Instant::now();
        let mut client = stage.connect();
        // It may be refused before it has sent all of it.
        let _ = client.try_send(bytes);
        assert_eq!(client.read_to_close().0.first().filter(|first| **first != 21), None, "{why}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{why}");
    }
    assert_eq!(replica.record().accepted, 0);
}
