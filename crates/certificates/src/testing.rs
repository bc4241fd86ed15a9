//! What the tests of this room have in common.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use divisi_tls::{Certificate, Source};
use rcgen::{CertificateParams, KeyPair};

/// A day.
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// A chain and a key, as PEM, valid from ten days ago for so many days from now on.
pub(crate) fn pair(names: &[&str], days: i64) -> (String, String) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    let distance = DAY * u32::try_from(days.unsigned_abs()).expect("a few days");
    let now = SystemTime::now();
    params.not_before = (now - DAY * 10).into();
    params.not_after = if days < 0 { now - distance } else { now + distance }.into();
    let key = KeyPair::generate().expect("a key");
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}

/// The same as a certificate.
pub(crate) fn certificate(names: &[&str], days: i64) -> Arc<Certificate> {
    let (chain, key) = pair(names, days);
    Arc::new(Certificate::from_pem(chain.as_bytes(), key.as_bytes(), Source::Acme).expect("a certificate"))
}

/// The same as files.
pub(crate) fn write(folder: &Path, stem: &str, names: &[&str], days: i64) {
    let (chain, key) = pair(names, days);
    std::fs::write(folder.join(format!("{stem}.crt")), chain).expect("a folder");
    std::fs::write(folder.join(format!("{stem}.key")), key).expect("a folder");
}
