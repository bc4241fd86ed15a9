//! Pebble, the ACME authority of Let's Encrypt for tests, and the DNS server that comes with it: real programs (Debian's package
//! `pebble`) on ports of their own.

use std::env;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;

use crate::wait::until;

/// What is expected of the machine that tests run on.
const WORKS: &str = "files, ports and programs for tests";

/// How Pebble is to be.
#[derive(Clone, Debug, Default)]
pub struct Temper {
    /// Percent of good nonces that it refuses.
    pub refused_nonces: u32,
    /// Percent of names that are not verified again.
    pub reused: u32,
    /// Whether it takes some seconds to look.
    pub is_slow: bool,
    /// The key of an external account that it wants.
    pub external: Option<(&'static str, &'static str)>,
    /// The seconds that certificates hold.
    pub validity: Option<u64>,
    /// Another DNS server than the one that answers each name with 127.0.0.1.
    pub dns: Option<SocketAddr>,
}

/// The authority. Its processes and files end with it.
#[derive(Debug)]
pub struct Pebble {
    /// How it is.
    pub temper: Temper,
    /// Where the DNS server is told what to answer.
    pub dns_management: SocketAddr,
    folder: tempfile::TempDir,
    port: u16,
    /// Where it looks for http-01, and for tls-alpn-01.
    looks_at: (u16, u16),
    dns: SocketAddr,
    programs: Vec<Child>,
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.programs.iter_mut().for_each(end);
    }
}

impl Pebble {
    /// Everything but Pebble itself, which [`resume`](Self::resume) starts. It looks at these ports of 127.0.0.1, whatever the
    /// name: at the first for http-01, at the second for tls-alpn-01.
    ///
    /// # Panics
    /// When the programs cannot be started, as for all of this.
    pub fn prepare(temper: Temper, looks_at: (u16, u16)) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        write_certificates(folder.path());
        let (dns, dns_management) = (local(free_port()), local(free_port()));
        let server = start_dns(dns, dns_management);
        Self { temper, dns_management, folder, port: free_port(), looks_at, dns, programs: vec![server] }
    }

    /// Starts Pebble, again or for the first time: with a new root, and without knowing anybody.
    pub fn resume(&mut self) {
        let path = |name: &str| self.folder.path().join(name);
        let mut config = json!({
            "listenAddress": format!("127.0.0.1:{}", self.port),
            "managementListenAddress": "",
            "certificate": path("pebble.crt"),
            "privateKey": path("pebble.key"),
            "httpPort": self.looks_at.0,
            "tlsPort": self.looks_at.1,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": self.temper.external.is_some(),
        });
        if let Some((kid, hmac)) = self.temper.external {
            config["externalAccountMACKeys"] = json!({ kid: hmac });
        }
        if let Some(validity) = self.temper.validity {
            config["certificateValidityPeriod"] = json!(validity);
        }
        fs::write(path("config.json"), json!({ "pebble": config }).to_string()).expect(WORKS);
        let log = fs::File::options().create(true).append(true).open(path("pebble.log")).expect(WORKS);
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
        self.programs.push(command.stdout(log.try_clone().expect(WORKS)).stderr(log).spawn().expect(WORKS));
        until("Pebble listens", || TcpStream::connect(local(self.port)).is_ok());
    }

    /// Ends Pebble.
    pub fn stop(&mut self) {
        while self.programs.len() > 1 {
            end(&mut self.programs.pop().expect(WORKS));
        }
    }

    /// The port at which it is.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its directory.
    pub fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    /// Its files: `root.pem`, by which its own certificate is verified, `pebble.crt` and `pebble.key`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How many orders have been made; those that it refused for their nonce count, too.
    pub fn orders(&self) -> usize {
        let log = fs::read_to_string(self.log_path()).expect(WORKS);
        log.matches("POST /order-plz -> calling handler()").count()
    }

    /// How often something stands in its log.
    pub fn logged(&self, text: &str) -> usize {
        fs::read_to_string(self.log_path()).expect(WORKS).matches(text).count()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("pebble.log")
    }
}

fn start_dns(dns: SocketAddr, management: SocketAddr) -> Child {
    let mut command = Command::new("pebble-challtestsrv");
    command.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""]);
    command.args(["-dns01", &dns.to_string(), "-management", &management.to_string()]);
    let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect(WORKS);
    until("the DNS server listens", || TcpStream::connect(dns).is_ok() && TcpStream::connect(management).is_ok());
    server
}

/// A root, and the certificate with which Pebble itself is reached.
fn write_certificates(folder: &Path) {
    let root_key = KeyPair::generate().expect(WORKS);
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_certificate = root.self_signed(&root_key).expect(WORKS);
    let key = KeyPair::generate().expect(WORKS);
    let own = CertificateParams::new(["127.0.0.1".to_owned()]).expect(WORKS);
    let own = own.signed_by(&key, &Issuer::from_params(&root, &root_key)).expect(WORKS);
    fs::write(folder.join("root.pem"), root_certificate.pem()).expect(WORKS);
    fs::write(folder.join("pebble.crt"), own.pem()).expect(WORKS);
    fs::write(folder.join("pebble.key"), key.serialize_pem()).expect(WORKS);
}

/// Whether that program is there. With `CI=true` it has to be.
///
/// # Panics
/// When it has to be, and is not.
pub fn has(program: &str) -> bool {
    let places = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&places).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.any(|folder| folder.join(program).is_file());
    if !found {
        assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "{program} is missing");
        #[expect(clippy::print_stderr, reason = "says why a test was skipped")]
        {
            eprintln!("skipped: no {program}");
        }
    }
    found
}

/// A port where nobody listens. Programs that take no port 0 leave no other way.
pub fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect(WORKS);
        let addr = listener.local_addr().expect(WORKS);
        if UdpSocket::bind(addr).is_ok() {
            return addr.port();
        }
    }
}

/// That port of this machine.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Ends a program at once.
pub fn end(program: &mut Child) {
    let _ = program.kill();
    let _ = program.wait();
}
