//! Who must have signed a client's certificate.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use thiserror::Error;

use crate::configs::{self, Configs, Resolver};

/// Why nobody can be checked against a file of authorities. Who knows which file it is adds it.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// It is no PEM, or has no certificate in it.
    #[error("no certificate as PEM (-----BEGIN CERTIFICATE-----) can be read from it: {0}")]
    Pem(pem::Error),
    /// A certificate in it cannot sign others.
    #[error("a certificate in it cannot be used as an authority: {0}")]
    Odd(rustls::Error),
    /// All of it makes no verifier.
    #[error("clients cannot be checked against it: {0}")]
    Verifier(#[from] VerifierBuilderError),
    /// No keys for tickets.
    #[error(transparent)]
    Tls(rustls::Error),
}

/// Authorities, one of which must have signed a client's certificate. Sessions are resumed only with the very same value: its
/// tickets have keys of their own (nginx CVE-2025-23419), so whoever reads the file again makes an end of its old sessions.
pub struct ClientAuthority {
    name: Arc<str>,
    pub(crate) configs: Configs,
}

impl fmt::Debug for ClientAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuthority").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ClientAuthority {
    /// The certificates in `pem`; `name` is the path of its file, as in [`Protection`](divisi_model::route::Protection).
    pub(crate) fn new(name: Arc<str>, pem: &[u8], resolver: Arc<Resolver>) -> Result<Self, AuthorityError> {
        let roots = roots(pem)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), configs::provider()).build()?;
        Ok(Self { name, configs: Configs::new(verifier, resolver).map_err(AuthorityError::Tls)? })
    }

    /// The path of its file.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
}

pub(crate) fn roots(pem: &[u8]) -> Result<RootCertStore, AuthorityError> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem) {
        roots.add(root.map_err(AuthorityError::Pem)?).map_err(AuthorityError::Odd)?;
    }
    if roots.is_empty() { Err(AuthorityError::Pem(pem::Error::NoItemsFound)) } else { Ok(roots) }
}
