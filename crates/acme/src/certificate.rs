//! A certificate with its key, as it lies in the folder: one file, so that both change in one step.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use instant_acme::CertificateIdentifier;
use rcgen::{KeyPair, PublicKeyData as _};
use thiserror::Error;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;

use crate::names::{NameError, NameSet};
use crate::schedule::Validity;

/// A certificate that an authority has given, with its key. Its key never shows.
pub struct Certificate {
    names: NameSet,
    validity: Validity,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    id: Option<CertificateIdentifier<'static>>,
    pem: String,
}

/// What stands in a file, or came from an authority, is no certificate with its key.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// It is not in PEM.
    #[error("not a key and certificates in PEM")]
    Pem,
    /// There is nothing in it.
    #[error("no certificate in it")]
    Empty,
    /// The certificate itself makes no sense.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
    /// It says nothing of names, or of names that we would not ask for.
    #[error("the names in it: {0}")]
    Names(#[from] NameError),
    /// Certificate and key are not of one pair.
    #[error("the key is not that of the certificate")]
    Key,
    /// It is for something else.
    #[error("it is for {0}")]
    OtherNames(NameSet),
}

impl Certificate {
    /// Reads a key and a chain of certificates, the server's own first.
    ///
    /// # Errors
    /// When they are not that, or do not belong together.
    pub fn read(pem: String) -> Result<Self, CertificateError> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| CertificateError::Pem)?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| CertificateError::Pem)?;
        let own = chain.first().ok_or(CertificateError::Empty)?;
        let unreadable = |error: x509_parser::nom::Err<_>| CertificateError::Unreadable(error.to_string());
        let (_, parsed) = X509Certificate::from_der(own).map_err(unreadable)?;
        let pair = KeyPair::try_from(&key).map_err(|_| CertificateError::Key)?;
        if pair.subject_public_key_info() != parsed.public_key().raw {
            return Err(CertificateError::Key);
        }
        let validity = Validity { from: time(parsed.validity().not_before), until: time(parsed.validity().not_after) };
        let names = NameSet::new(names(&parsed)?)?;
        let id = CertificateIdentifier::try_from(own).ok().map(CertificateIdentifier::into_owned);
        Ok(Self { names, validity, key, id, chain, pem })
    }

    /// The names it is for.
    pub fn names(&self) -> &NameSet {
        &self.names
    }

    /// How long it holds.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The certificates that a server shows, its own first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The private key.
    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// By what the authority knows it (RFC 9773 4.1), if it says.
    pub(crate) fn id(&self) -> Option<&CertificateIdentifier<'static>> {
        self.id.as_ref()
    }

    /// Key and chain in PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Whether it is for exactly these names.
    pub(crate) fn must_be_for(self, names: &NameSet) -> Result<Self, CertificateError> {
        if self.names == *names { Ok(self) } else { Err(CertificateError::OtherNames(self.names)) }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("names", &self.names)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

fn names<'a>(certificate: &'a X509Certificate<'_>) -> Result<Vec<&'a str>, CertificateError> {
    let found = certificate.subject_alternative_name().map_err(|e| CertificateError::Unreadable(e.to_string()))?;
    let general = found.map_or(&[][..], |extension| &extension.value.general_names);
    let dns = |name: &'a GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    };
    Ok(general.iter().filter_map(dns).collect())
}

/// Certificates from before 1970 do not occur; they would be long over.
fn time(of: ASN1Time) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(of.timestamp()).unwrap_or_default())
}

#[cfg(test)]
pub(crate) mod tests {
    use rcgen::CertificateParams;

    use super::*;

    /// Key and certificate in PEM, from `days` ago to `days` from now.
    pub(crate) fn made(names: &[&str], days: i64) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        let now = SystemTime::now();
        let apart = Duration::from_hours(24 * days.unsigned_abs());
        params.not_before = (now - apart).into();
        params.not_after = if days < 0 { now - Duration::from_hours(1) } else { now + apart }.into();
        key.serialize_pem() + &params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn names_and_lifetime_are_read() {
        let certificate = Certificate::read(made(&["b.example", "a.example"], 30)).unwrap();
        assert_eq!(certificate.names().iter().collect::<Vec<_>>(), ["a.example", "b.example"]);
        let sixty = Duration::from_hours(60 * 24);
        assert!(certificate.validity().length().abs_diff(sixty) < Duration::from_secs(2));
        assert_eq!(certificate.chain().len(), 1);
    }

    #[test]
    fn what_is_not_one_pair_is_refused() {
        let (one, other) = (made(&["a.example"], 1), made(&["a.example"], 1));
        let split = |text: &str| text.find("-----BEGIN CERTIFICATE").unwrap();
        let mixed = format!("{}{}", &one[..split(&one)], &other[split(&other)..]);
        assert!(matches!(Certificate::read(mixed), Err(CertificateError::Key)));
        assert!(matches!(Certificate::read(one[..split(&one)].to_owned()), Err(CertificateError::Empty)));
        assert!(Certificate::read(one[..one.len() / 2].to_owned()).is_err());
        assert!(matches!(Certificate::read(String::new()), Err(CertificateError::Pem)));
        let read = Certificate::read(one).unwrap();
        let asked = NameSet::new(["b.example"]).unwrap();
        assert!(matches!(read.must_be_for(&asked), Err(CertificateError::OtherNames(_))));
    }

    #[test]
    fn the_key_does_not_show() {
        let text = format!("{:?}", Certificate::read(made(&["a.example"], 1)).unwrap());
        assert!(text.contains("a.example") && !text.contains("PRIVATE") && !text.contains("key"), "{text}");
    }
}
