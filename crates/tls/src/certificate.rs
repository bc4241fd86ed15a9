//! A chain of certificates with its key: for whom, from whom, until when.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::InconsistentKeys;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use x509_parser::time::ASN1Time;

use crate::name;

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// From that file.
    File(Arc<Path>),
    /// From the local authority.
    Local,
    /// From an ACME authority.
    Acme,
}

impl Source {
    /// Its kind in one word, as metrics and programs read it: `file`, `local`, `acme`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Local => "local",
            Self::Acme => "acme",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Local => f.write_str("the local authority"),
            Self::Acme => f.write_str("ACME"),
        }
    }
}

/// Why a chain and a key make no certificate. Who knows where they come from adds it.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// The chain is no PEM, or has no certificate in it.
    #[error("no certificate as PEM (-----BEGIN CERTIFICATE-----) can be read from it: {0}")]
    Chain(pem::Error),
    /// The key is no PEM, or there is none.
    #[error("no private key as PEM (-----BEGIN PRIVATE KEY-----, not encrypted) can be read from it: {0}")]
    Key(pem::Error),
    /// The first certificate cannot be understood.
    #[error("the certificate cannot be understood: {0}")]
    Odd(String),
    /// The key is of a kind that cannot be used, or belongs to another certificate.
    #[error("{}", apart(.0))]
    Together(rustls::Error),
}

fn apart(why: &rustls::Error) -> String {
    match why {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the key is another certificate's: take the one with which this certificate was asked for".to_owned()
        }
        other => format!("the key, or the certificate, cannot be used: {other}"),
    }
}

/// A chain of certificates with its key.
pub struct Certificate {
    signing: Arc<CertifiedKey>,
    names: Vec<Arc<str>>,
    issuer: Arc<str>,
    not_before: SystemTime,
    not_after: SystemTime,
    source: Source,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("names", &self.names).field("source", &self.source).finish_non_exhaustive()
    }
}

impl Certificate {
    /// The chain, its own certificate first, and the key, both as PEM.
    ///
    /// # Errors
    /// One of them cannot be read, or they do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8], source: Source) -> Result<Self, CertificateError> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(CertificateError::Chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(CertificateError::Key)?;
        Self::from_der(chain, key, source)
    }

    /// The chain, its own certificate first, and the key.
    ///
    /// # Errors
    /// The chain is empty, one of them cannot be understood, or they do not belong together.
    pub fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        source: Source,
    ) -> Result<Self, CertificateError> {
        let first = chain.first().ok_or(CertificateError::Chain(pem::Error::NoItemsFound))?;
        let (_, read) = X509Certificate::from_der(first).map_err(|why| CertificateError::Odd(why.to_string()))?;
        let (names, issuer) = (names(&read), read.issuer().to_string().into());
        let (not_before, not_after) = (moment(read.validity().not_before), moment(read.validity().not_after));
        let signing = signing(chain, key)?;
        Ok(Self { signing, names, issuer, not_before, not_after, source })
    }

    /// What signs handshakes.
    pub fn signing(&self) -> &Arc<CertifiedKey> {
        &self.signing
    }

    /// The names that stand in it (`example.com`, `*.example.com`), in lower case.
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// Whether it is for `name`, which is in its [`normal`](name::normal) form; or for the wildcard `*.…`.
    pub fn covers(&self, name: &str) -> bool {
        self.names.iter().any(|pattern| name::covers(pattern, name))
    }

    /// Who signed it, as text for people.
    pub fn issuer(&self) -> &Arc<str> {
        &self.issuer
    }

    /// From when on it is valid.
    pub fn not_before(&self) -> SystemTime {
        self.not_before
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Whether it has expired.
    pub fn is_expired(&self, now: SystemTime) -> bool {
        now > self.not_after
    }

    /// Where it comes from.
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// The key with its chain, checked to belong together.
fn signing(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, CertificateError> {
    let signing = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
    signing.map(Arc::new).map_err(CertificateError::Together)
}

/// Whether a certificate is valid at that time, in seconds since 1970.
pub(crate) fn is_valid(certificate: &CertificateDer<'_>, now: u64) -> bool {
    let read = X509Certificate::from_der(certificate);
    read.is_ok_and(|(_, read)| {
        let now = UNIX_EPOCH + Duration::from_secs(now);
        moment(read.validity().not_before) <= now && now <= moment(read.validity().not_after)
    })
}

/// The DNS names among the subject's alternative ones. The common name counts for nothing (RFC 9525 4.1), as in browsers.
fn names(read: &X509Certificate<'_>) -> Vec<Arc<str>> {
    let alternative = read.subject_alternative_name().ok().flatten();
    let all = alternative.iter().flat_map(|extension| &extension.value.general_names);
    let names = all.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name::normal(name)?.into()),
        _ => None,
    });
    names.collect()
}

fn moment(time: ASN1Time) -> SystemTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(seconds)
}
