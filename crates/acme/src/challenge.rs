//! What is shown to the authority so that it can convince itself that names are ours, and taken down again.

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tracing::warn;

use crate::dns::Change;
use crate::error::AcmeError;
use crate::seams::Stage;
use crate::settings::{Dns, Kind, Settings};

/// What has to be shown for one name.
#[derive(Debug)]
pub(crate) struct Proof {
    /// To which kind of look.
    pub(crate) kind: Kind,
    /// Without the star of a wildcard.
    pub(crate) name: String,
    /// By what the authority asks for it over HTTP.
    pub(crate) token: String,
    /// What it expects there (RFC 8555 8.1).
    pub(crate) key_authorization: String,
    /// The SHA-256 of that, which it expects in a certificate.
    pub(crate) digest: Vec<u8>,
    /// The same in base64url, which it expects in a record.
    pub(crate) record: String,
}

/// What is shown at the moment. It is hidden when this is dropped, but for records, which somebody has to wait for.
pub(crate) struct Shown<'a> {
    stage: &'a dyn Stage,
    settings: &'a Settings,
    proofs: Vec<Proof>,
}

impl<'a> Shown<'a> {
    /// Nothing yet.
    pub(crate) fn new(stage: &'a dyn Stage, settings: &'a Settings) -> Self {
        Self { stage, settings, proofs: Vec::new() }
    }

    /// Shows it, so that the authority can see it afterwards.
    pub(crate) async fn show(&mut self, proof: Proof) -> Result<(), AcmeError> {
        // Kept first: what was shown halfway is hidden, too.
        self.proofs.push(proof);
        let Some(proof) = self.proofs.last() else { return Ok(()) };
        match proof.kind {
            Kind::Http01 => self.stage.show_token(&proof.token, &proof.key_authorization),
            Kind::TlsAlpn01 => {
                let (certificate, key) = certificate(&proof.name, &proof.digest)?;
                self.stage.show_certificate(&proof.name, certificate, key);
            }
            Kind::Dns01 => {
                if let Some(dns) = &self.settings.dns {
                    dns.change(Change::Present, &record_name(&proof.name), &proof.record, self.settings.pace.dns)
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Takes everything down, records included.
    pub(crate) async fn hide(mut self) {
        for proof in std::mem::take(&mut self.proofs) {
            self.take_down(&proof);
            if let (Kind::Dns01, Some(dns)) = (proof.kind, &self.settings.dns) {
                remove(dns, &proof, self.settings).await;
            }
        }
    }

    fn take_down(&self, proof: &Proof) {
        match proof.kind {
            Kind::Http01 => self.stage.hide_token(&proof.token),
            Kind::TlsAlpn01 => self.stage.hide_certificate(&proof.name),
            Kind::Dns01 => {}
        }
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        for proof in &self.proofs {
            self.take_down(proof);
        }
    }
}

/// A record that stays harms nobody, so that this is no failure of the order.
async fn remove(dns: &Dns, proof: &Proof, settings: &Settings) {
    let name = record_name(&proof.name);
    if let Err(problem) = dns.change(Change::Cleanup, &name, &proof.record, settings.pace.dns).await {
        warn!("acme: the TXT record {name} stays: {problem}");
    }
}

/// RFC 8555 8.4
fn record_name(name: &str) -> String {
    format!("_acme-challenge.{name}")
}

/// RFC 8737 3: for that name alone, with the digest in a critical extension.
fn certificate(name: &str, digest: &[u8]) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?.der().clone();
    Ok((certificate, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}
