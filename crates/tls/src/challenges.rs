//! What an ACME authority asks for to see whether a name is ours: tokens over HTTP, certificates by ALPN.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificate::CertificateError;

/// The protocol of tls-alpn-01 (RFC 8737 6.2).
pub(crate) const PROTOCOL: &[u8] = b"acme-tls/1";

/// What is asked for at one moment. There are few: as many as names are being ordered.
#[derive(Default)]
pub(crate) struct Challenges {
    /// Key authorizations by token (RFC 8555 8.3).
    pub(crate) tokens: ArcSwap<HashMap<Arc<str>, Arc<str>>>,
    /// Certificates by name (RFC 8737 3).
    pub(crate) certificates: ArcSwap<HashMap<Arc<str>, Arc<CertifiedKey>>>,
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenges").field("tokens", &self.tokens.load().len()).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Challenges {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificates.load().get(hello.server_name()?).cloned()
    }
}

/// What shows the certificate of a challenge. Whether it belongs to its key is not looked at, as everything that looks refuses
/// an extension that it does not know and must not pass over, such as the one that this certificate is for (RFC 8737 3).
pub(crate) fn signing(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, CertificateError> {
    let key = aws_lc_rs::default_provider().key_provider.load_private_key(key).map_err(CertificateError::Together)?;
    Ok(Arc::new(CertifiedKey::new(vec![certificate], key)))
}

/// The same map with one more, or one less.
pub(crate) fn with<T: Clone>(map: &ArcSwap<HashMap<Arc<str>, T>>, key: &str, value: Option<&T>) {
    map.rcu(|old| {
        let mut next = HashMap::clone(old);
        match value {
            Some(value) => next.insert(key.into(), value.clone()),
            None => next.remove(key),
        };
        next
    });
}
