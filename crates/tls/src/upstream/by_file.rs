//! Believes who shows a certificate that an authority in a file has signed, or one that stands in the file itself.
//!
//! The second is what people have who made a certificate with `openssl req -x509`: it says that it is an authority, and webpki
//! takes none for a server's (RFC 5280 does not forbid it). Whoever writes it into the file means just that server.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use crate::certificate;

/// Believes who shows a certificate that an authority in a file has signed, or one that stands in the file itself.
#[derive(Debug)]
pub(super) struct ByFile {
    authorities: Arc<WebPkiServerVerifier>,
    file: Vec<CertificateDer<'static>>,
}

impl ByFile {
    pub(super) fn new(authorities: Arc<WebPkiServerVerifier>, file: Vec<CertificateDer<'static>>) -> Self {
        Self { authorities, file }
    }
}

impl ServerCertVerifier for ByFile {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.authorities.verify_server_cert(shown, between, name, ocsp, now) {
            Err(_) if self.file.contains(shown) && certificate::is_valid(shown, now.as_secs()) => {
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
        self.authorities.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
