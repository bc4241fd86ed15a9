//! Whom a client of replicas believes, where that is not only whom an authority has signed. Whoever it is has at least the key of
//! what it shows.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use crate::certificate;
use crate::configs::provider;

/// Whom to believe.
#[derive(Debug)]
pub(super) enum Believed {
    /// Everybody, whatever certificate it shows, because a user said so of a service: its connections cannot be read by who only
    /// listens, and can be by who stands in between.
    Everybody,
    /// Who shows a certificate that an authority in a file has signed, or one that stands in the file itself.
    ///
    /// The second is what people have who made a certificate with `openssl req -x509`: it says that it is an authority, and webpki
    /// takes none for a server's (RFC 5280 does not forbid it). Whoever writes it into the file means just that server.
    ByFile { authorities: Arc<WebPkiServerVerifier>, file: Vec<CertificateDer<'static>> },
}

/// Believes them.
#[derive(Debug)]
pub(super) struct Verifier {
    believed: Believed,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(believed: Believed) -> Self {
        Self { believed, algorithms: provider().signature_verification_algorithms }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Believed::ByFile { authorities, file } = &self.believed else { return Ok(ServerCertVerified::assertion()) };
        match authorities.verify_server_cert(shown, between, name, ocsp, now) {
            Err(_) if file.contains(shown) && certificate::is_valid(shown, now.as_secs()) => {
                verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
