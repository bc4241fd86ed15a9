//! TLS to a remote engine, with the certificates that every Docker tool uses: both sides show one.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// The certificates are not what they should be.
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    /// A file cannot be read.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: pem::Error,
    },
    /// They do not fit together.
    #[error("the certificates in {}: {why}", folder.display())]
    Together {
        /// Where they are.
        folder: PathBuf,
        /// What is wrong with them.
        why: rustls::Error,
    },
    /// The engine's name can stand in no certificate.
    #[error("{0}: no name that a certificate can have")]
    Name(String),
}

/// How to speak TLS to one engine.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads `ca.pem`, `cert.pem` and `key.pem`. They are read again for each new link, so they may be replaced.
    pub(crate) fn new(authority: &str, certs: &Path) -> Result<Self, TlsError> {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name(host.to_owned()))?;
        let together = |why| TlsError::Together { folder: certs.to_owned(), why };
        let mut roots = RootCertStore::empty();
        for root in certificates(&certs.join("ca.pem"))? {
            roots.add(root).map_err(together)?;
        }
        let key_file = certs.join("key.pem");
        let key = PrivateKeyDer::from_pem_file(&key_file).map_err(|why| file(&key_file, why))?;
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(together)?
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates(&certs.join("cert.pem"))?, key)
            .map_err(together)?;
        Ok(Self { connector: Arc::new(config).into(), name })
    }

    /// TLS over `stream`.
    pub(crate) async fn wrap(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found = found.map_err(|why| file(path, why))?;
    if found.is_empty() { Err(file(path, pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn file(path: &Path, why: pem::Error) -> TlsError {
    TlsError::File { path: path.to_owned(), why }
}
