//! The certificate that every proxy shows, and what our clients offer.
//!
//! Every proxy pays for the same cryptography, whatever it would choose by itself: TLS 1.3 with X25519, AES-128-GCM and a
//! P-256 certificate, which is what browsers and servers without a wish of their own agreed on before post-quantum keys.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::Result;

/// Whom clients ask for, by `Host` and by SNI.
pub(crate) const HOST: &str = "app.test";

/// Writes a certificate into `dir`: `certificates/app.test.crt` and `.key`, and both in one `haproxy.pem`.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn issue(dir: &Path) -> Result<()> {
    // A P-256 key, unless told otherwise.
    let issued = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    let (certificate, key) = (issued.cert.pem(), issued.signing_key.serialize_pem());
    let folder = dir.join("certificates");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("app.test.crt"), &certificate)?;
    fs::write(folder.join("app.test.key"), &key)?;
    Ok(fs::write(dir.join("haproxy.pem"), certificate + &key)?)
}

/// A client that looks at everything: for the question whether a proxy does what it should.
///
/// # Errors
/// When [`issue`] has not been here.
pub(crate) fn careful(dir: &Path, alpn: &[u8]) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(dir)?)?;
    let config = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// A client that checks no signature: for the load, which must cost less than what it measures.
///
/// # Errors
/// When [`issue`] has not been here.
pub(crate) fn lean(dir: &Path) -> Result<ClientConfig> {
    let provider = provider();
    let verifier = Arc::new(Known { certificate: certificate(dir)?, provider: Arc::clone(&provider) });
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn certificate(dir: &Path) -> Result<CertificateDer<'static>> {
    let file = dir.join("certificates/app.test.crt");
    Ok(CertificateDer::from_pem_file(&file).map_err(|error| format!("{}: {error}", file.display()))?)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    })
}

/// Accepts one certificate, byte by byte, and takes the handshake's signature as given.
#[derive(Debug)]
struct Known {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *shown == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 was offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
