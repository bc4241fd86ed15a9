//! A client inside TLS that shows what it was shown, and the authorities that it and its servers have their certificates of.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use divisi_tls::rustls::crypto::aws_lc_rs::default_provider;
use divisi_tls::rustls::pki_types::pem::PemObject as _;
use divisi_tls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use divisi_tls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

const PATIENCE: Duration = Duration::from_secs(20);

/// A certificate and its key, as PEM.
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Pair {
    /// Puts it under that name into a folder; the key first, so that nobody sees the one without the other.
    pub(crate) fn write(&self, folder: &Path, stem: &str) {
        for (ending, text) in [("key", &self.key), ("crt", &self.chain)] {
            let draft = folder.join(format!(".{stem}.{ending}"));
            std::fs::write(&draft, text).expect("written");
            std::fs::rename(draft, folder.join(format!("{stem}.{ending}"))).expect("renamed");
        }
    }
}

/// An authority of a test.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a root").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn sign(&self, name: &str) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        Pair { chain: certificate.pem(), key: key.serialize_pem() }
    }
}

/// Whom it trusts in, and what it shows.
pub(crate) struct Trusting {
    config: Arc<ClientConfig>,
}

impl Trusting {
    /// In the authority whose certificate that PEM is.
    pub(crate) fn only(root: &str, shows: Option<&Pair>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(root.as_bytes()).expect("PEM")).expect("a root");
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions").with_root_certificates(roots);
        let config = match shows {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = vec![CertificateDer::from_pem_slice(pair.chain.as_bytes()).expect("PEM")];
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("PEM");
                builder.with_client_auth_cert(chain, key).expect("they belong together")
            }
        };
        Self { config: Arc::new(config) }
    }

    /// A connection to that host, once its handshake is done.
    pub(crate) fn connect(&self, addr: SocketAddr, host: &str) -> io::Result<Secure> {
        let tcp = TcpStream::connect(addr)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(host.to_owned()).expect("a name");
        let tls = ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(tls, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Secure { stream, host: host.to_owned() })
    }

    /// One GET on a connection of its own.
    pub(crate) fn get(&self, addr: SocketAddr, host: &str, path: &str) -> io::Result<String> {
        self.connect(addr, host)?.get(path)
    }
}

/// A connection inside TLS.
pub(crate) struct Secure {
    stream: StreamOwned<ClientConnection, TcpStream>,
    host: String,
}

impl Secure {
    /// The certificate that the server showed.
    pub(crate) fn shown(&self) -> Vec<u8> {
        self.stream.conn.peer_certificates().and_then(<[_]>::first).expect("a certificate").to_vec()
    }

    /// One GET: its response, whose length must be said.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<String> {
        write!(self.stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host)?;
        self.stream.flush()?;
        let mut text = String::new();
        let mut piece = [0; 4096];
        loop {
            let count = self.stream.read(&mut piece)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            text.push_str(&String::from_utf8_lossy(&piece[..count]));
            if text.split_once("\r\n\r\n").is_some_and(|(head, body)| body.len() >= length(head)) {
                return Ok(text);
            }
        }
    }
}

fn length(head: &str) -> usize {
    let named =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned));
    named.and_then(|length| length.trim().parse().ok()).expect("a length")
}
