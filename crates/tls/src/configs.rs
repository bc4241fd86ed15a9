//! What handshakes with clients are like. There are as few of these as can be: the certificate is found by name within the
//! handshake, so ten thousand hosts share one, and only who demands something of clients has another.

use std::fmt;
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256,
};
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, ServerConfig, SupportedCipherSuite};

use crate::keyring::Keyring;

/// What the cryptography is done with, for both sides.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let mut provider = default_provider();
        // AES with 128 bits first: nobody breaks it, and it costs less than with 256.
        let (cheapest, others): (Vec<_>, _) = provider.cipher_suites.into_iter().partition(is_cheapest);
        provider.cipher_suites = [cheapest, others].concat();
        Arc::new(provider)
    });
    Arc::clone(&PROVIDER)
}

fn is_cheapest(suite: &SupportedCipherSuite) -> bool {
    let cheapest =
        [TLS13_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256];
    cheapest.contains(suite)
}

/// The handshakes of one kind of client: those of whom nothing is demanded, or those that one authority must have signed.
#[derive(Debug)]
pub(crate) struct Configs {
    /// For who speaks HTTP.
    pub(crate) http: Arc<ServerConfig>,
    /// For who speaks anything else. Sessions of one are not resumed with the other.
    pub(crate) stream: Arc<ServerConfig>,
}

impl Configs {
    pub(crate) fn new(verifier: Arc<dyn ClientCertVerifier>, resolver: Arc<Resolver>) -> Result<Self, Error> {
        let stream = config(Arc::clone(&verifier), Arc::clone(&resolver) as _)?;
        let mut http = config(verifier, resolver)?;
        http.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { http: Arc::new(http), stream: Arc::new(stream) })
    }
}

/// TLS 1.2 and 1.3, resumed by tickets that only its own keys open. The keys are replaced every six hours, and the last ones
/// kept for as long. No early data: it can be replayed (RFC 8446 8).
fn config(verifier: Arc<dyn ClientCertVerifier>, resolver: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(resolver);
    config.ignore_client_order = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new()?;
    Ok(config)
}

/// A handshake by which an ACME authority looks whether a name is ours (RFC 8737 3): that protocol, and no session to resume.
pub(crate) fn challenge(resolver: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![crate::challenges::PROTOCOL.to_vec()];
    Ok(config)
}

/// Finds the certificate by the client's word.
pub(crate) struct Resolver {
    pub(crate) ring: Arc<ArcSwap<Keyring>>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let ring = self.ring.load();
        ring.find(hello.server_name()).map(|certificate| Arc::clone(certificate.signing()))
    }
}
