//! Pebble and the DNS server that comes with it, on ports of their own, with the servers that Pebble looks at.

use std::fs;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use divisi_acme::Settings;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::stage::{House, settings};

/// How Pebble is to be.
#[derive(Clone, Debug)]
pub(crate) struct Temper {
    /// Percent of good nonces that it refuses.
    pub(crate) refused_nonces: u32,
    /// Percent of names that are not verified again.
    pub(crate) reused: u32,
    /// Whether it takes some seconds to look.
    pub(crate) is_slow: bool,
    /// The key of an external account that it wants.
    pub(crate) external: Option<(&'static str, &'static str)>,
    /// The seconds that certificates hold.
    pub(crate) validity: Option<u64>,
    /// Another DNS server than the one that answers each name with 127.0.0.1.
    pub(crate) dns: Option<SocketAddr>,
    /// Whether somebody answers http-01.
    pub(crate) has_http: bool,
}

impl Default for Temper {
    fn default() -> Self {
        Self { refused_nonces: 0, reused: 0, is_slow: false, external: None, validity: None, dns: None, has_http: true }
    }
}

/// The authority. Its processes end with it.
pub(crate) struct Authority {
    pub(crate) house: Arc<House>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) temper: Temper,
    /// Where the DNS server is told what to answer.
    pub(crate) dns_management: SocketAddr,
    port: u16,
    ports: (u16, u16),
    dns: SocketAddr,
    programs: Vec<Child>,
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.stop();
        for program in &mut self.programs {
            end(program);
        }
    }
}

impl Authority {
    pub(crate) async fn start(temper: Temper) -> Self {
        let mut authority = Self::prepare(temper).await;
        authority.resume();
        authority
    }

    /// Everything but Pebble itself.
    pub(crate) async fn prepare(temper: Temper) -> Self {
        let house = Arc::new(House::default());
        let folder = tempfile::tempdir().unwrap();
        write_certificates(&folder);
        let ports = (serve_http(&house, temper.has_http).await, serve_tls(&house).await);
        let (dns, dns_management) = (local(free_port()), local(free_port()));
        let server = start_dns(dns, dns_management);
        let port = free_port();
        Self { house, folder, temper, dns_management, port, ports, dns, programs: vec![server] }
    }

    /// Starts Pebble, again or for the first time: with a new root, and without knowing anybody.
    pub(crate) fn resume(&mut self) {
        let path = |name: &str| self.folder.path().join(name);
        let mut config = json!({
            "listenAddress": format!("127.0.0.1:{}", self.port),
            "managementListenAddress": "",
            "certificate": path("pebble.crt"),
            "privateKey": path("pebble.key"),
            "httpPort": self.ports.0,
            "tlsPort": self.ports.1,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": self.temper.external.is_some(),
        });
        if let Some((kid, hmac)) = self.temper.external {
            config["externalAccountMACKeys"] = json!({ kid: hmac });
        }
        if let Some(validity) = self.temper.validity {
            config["certificateValidityPeriod"] = json!(validity);
        }
        fs::write(path("config.json"), json!({ "pebble": config }).to_string()).unwrap();
        let log = fs::File::options().create(true).append(true).open(path("pebble.log")).unwrap();
        let mut command = Command::new("pebble");
        command.arg("-config").arg(path("config.json"));
        command.arg("-dnsserver").arg(self.temper.dns.unwrap_or(self.dns).to_string());
        command.env("PEBBLE_WFE_NONCEREJECT", self.temper.refused_nonces.to_string());
        command.env("PEBBLE_AUTHZREUSE", self.temper.reused.to_string());
        if self.temper.is_slow {
            command.env("PEBBLE_VA_SLEEPTIME", "4");
        } else {
            command.env("PEBBLE_VA_NOSLEEP", "1");
        }
        self.programs.push(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let log = self.log_path();
        wait(|| StdStream::connect(local(self.port)).is_ok(), || fs::read_to_string(&log).unwrap());
    }

    /// Ends Pebble.
    pub(crate) fn stop(&mut self) {
        while self.programs.len() > 1 {
            end(&mut self.programs.pop().unwrap());
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    /// The settings for this authority, with a folder beside its own.
    pub(crate) fn settings(&self) -> Settings {
        settings(&self.directory(), &self.folder.path().join("root.pem"), &self.folder.path().join("data"))
    }

    /// The folder of this authority among the settings' folders.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data/acme").join(format!("127.0.0.1_{}", self.port))
    }

    /// How many orders have been made.
    pub(crate) fn orders(&self) -> usize {
        let log = fs::read_to_string(self.log_path()).unwrap();
        log.matches("POST /order-plz -> calling handler()").count()
    }

    /// How often something stands in its log.
    pub(crate) fn logged(&self, text: &str) -> usize {
        fs::read_to_string(self.log_path()).unwrap().matches(text).count()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("pebble.log")
    }
}

fn start_dns(dns: SocketAddr, management: SocketAddr) -> Child {
    let mut command = Command::new("pebble-challtestsrv");
    command.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""]);
    command.args(["-dns01", &dns.to_string(), "-management", &management.to_string()]);
    let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait(|| StdStream::connect(dns).is_ok() && StdStream::connect(management).is_ok(), || "the DNS server".to_owned());
    server
}

/// A root, and the certificate with which Pebble itself is reached.
fn write_certificates(folder: &tempfile::TempDir) {
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_certificate = root.self_signed(&root_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let own = own.signed_by(&key, &Issuer::from_params(&root, &root_key)).unwrap();
    fs::write(folder.path().join("root.pem"), root_certificate.pem()).unwrap();
    fs::write(folder.path().join("pebble.crt"), own.pem()).unwrap();
    fs::write(folder.path().join("pebble.key"), key.serialize_pem()).unwrap();
}

/// What divisi does for http-01, by other means.
async fn serve_http(house: &Arc<House>, is_there: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let house = Arc::clone(house);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if is_there {
                tokio::spawn(answer(stream, Arc::clone(&house)));
            }
        }
    });
    port
}

async fn answer(mut stream: TcpStream, house: Arc<House>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let token = path.strip_prefix("/.well-known/acme-challenge/").unwrap_or_default();
    let found = house.tokens.lock().unwrap().get(token).cloned();
    let (status, text) = found.map_or(("404 Not Found", String::new()), |text| ("200 OK", text));
    let length = text.len();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}");
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// What divisi does for tls-alpn-01, by other means.
async fn serve_tls(house: &Arc<House>) -> u16 {
    let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(Arc::clone(house) as _);
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    port
}

/// A port where nobody listens. Programs that take no port 0 leave no other way.
pub(crate) fn free_port() -> u16 {
    loop {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        if UdpSocket::bind(addr).is_ok() {
            return addr.port();
        }
    }
}

pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Waits until something is so. Blocks, as the programs do not need us.
pub(crate) fn wait(is_so: impl Fn() -> bool, tell: impl Fn() -> String) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "not ready: {}", tell());
        thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn end(program: &mut Child) {
    let _ = program.kill();
    let _ = program.wait();
}
