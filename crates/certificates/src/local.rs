//! The local authority: one root, kept in a file, that signs a certificate for each private name.
//!
//! It is unconstrained (RFC 5280 4.2.1.10): what is permitted there are domains, and names without a dot are in none.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use divisi_tls::rustls::pki_types::pem::{self, PemObject as _};
use divisi_tls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use divisi_tls::{Certificate, CertificateError, Source};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use thiserror::Error;
use tracing::{info, warn};

use crate::disk::read;
use crate::store;

const DAY: Duration = Duration::from_secs(86_400);

/// How long a root is valid, and when a new one is made in its place.
const ROOT: Duration = Duration::from_secs(10 * 365 * 86_400);
const ROOT_ENDS: Duration = Duration::from_secs(180 * 86_400);

/// How long what it signs is valid, and when it is signed anew.
const LEAF: Duration = Duration::from_secs(60 * 86_400);
const LEAF_ENDS: Duration = Duration::from_secs(20 * 86_400);

/// The longest common name.
const COMMON_NAME: usize = 64;

/// The addresses of `localhost`.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The clock of whoever looks may be behind.
const SKEW: Duration = DAY;

/// The file in the data folder.
const FILE: &str = "local-authority.pem";

/// Why there is no local authority, or none that is kept.
#[derive(Debug, Error)]
pub(crate) enum LocalError {
    /// The file cannot be read or written.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// There is something else in the file.
    #[error("{}: no local authority of divisi: {why}; if nobody needs what is in it, delete it and start divisi again", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The machine makes no keys, or no certificates.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// What was made cannot be used.
    #[error("cannot use a certificate of the local authority: {0}")]
    Use(#[from] CertificateError),
}

/// One root, and what it has signed.
#[derive(Debug)]
pub(crate) struct Local {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    leaves: HashMap<Arc<str>, Arc<Certificate>>,
}

impl Local {
    /// The one that is kept in the folder; made there if it is the first time, and in memory where it cannot be kept.
    pub(crate) fn open(data: Option<&Path>) -> Result<Self, LocalError> {
        let now = SystemTime::now();
        let Some(folder) = data else {
            return Self::made(now).map(|(local, _)| local);
        };
        if !folder.is_dir() {
            info!(
                "the local authority is kept in memory only, as there is no folder {}: mount a volume there",
                folder.display()
            );
            return Self::made(now).map(|(local, _)| local);
        }
        match Self::kept(&folder.join(FILE), now) {
            Err(problem @ (LocalError::File { .. } | LocalError::Content { .. })) => {
                let advice = match problem {
                    LocalError::File { .. } => {
                        "; mount a volume there that divisi's user may write to, or name another (--data)"
                    }
                    _ => "",
                };
                warn!(
                    "the local authority is not kept, so each start of divisi has another one, which nobody trusts: \
                     {problem}{advice}"
                );
                Self::made(now).map(|(local, _)| local)
            }
            done => done,
        }
    }

    fn kept(path: &Path, now: SystemTime) -> Result<Self, LocalError> {
        let file = |why| LocalError::File { path: path.to_owned(), why };
        let is_over = match Self::read(path) {
            Ok((local, ends)) if now + ROOT_ENDS < ends => return Ok(local),
            Ok(_) => true,
            Err(LocalError::File { why, .. }) if why.kind() == io::ErrorKind::NotFound => false,
            Err(problem) => return Err(problem),
        };
        let secret = Self::made(now)?.1;
        if is_over {
            store::replace(path, secret.as_bytes()).map_err(file)?;
            warn!(
                "the local authority in {} is replaced before it ends: trust the new one (divisi ca)",
                path.display()
            );
        } else {
            match store::create(path, secret.as_bytes()) {
                Ok(()) => info!("made a local authority, kept in {}; `divisi ca` prints it", path.display()),
                // Another divisi on the same volume was faster, and its one is taken.
                Err(problem) if problem.kind() == io::ErrorKind::AlreadyExists => {}
                Err(problem) => return Err(file(problem)),
            }
        }
        Ok(Self::read(path)?.0)
    }

    /// The authority in a file, and when it ends.
    fn read(path: &Path) -> Result<(Self, SystemTime), LocalError> {
        let text = read(path).map_err(|why| LocalError::File { path: path.to_owned(), why })?;
        let content = |why: String| LocalError::Content { path: path.to_owned(), why };
        let odd = |why: pem::Error| content(why.to_string());
        let certificate = CertificateDer::from_pem_slice(&text).map_err(odd)?;
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(odd)?;
        // Looks whether they belong together, too.
        let root = Certificate::from_der(vec![certificate.clone()], key.clone_key(), Source::Local);
        let root = root.map_err(|why| content(why.to_string()))?;
        let key = KeyPair::try_from(&key).map_err(|why| content(why.to_string()))?;
        let pem = part(&String::from_utf8_lossy(&text), "CERTIFICATE").unwrap_or_default();
        let params = params(&key, root.not_before());
        Ok((Self { issuer: Issuer::new(params, key), pem, leaves: HashMap::new() }, root.not_after()))
    }

    /// A new one, and what is to be written to a file.
    fn made(now: SystemTime) -> Result<(Self, String), LocalError> {
        let key = KeyPair::generate()?;
        let params = params(&key, now - SKEW);
        let pem = params.self_signed(&key)?.pem();
        let secret = format!("{pem}{}", key.serialize_pem());
        Ok((Self { issuer: Issuer::new(params, key), pem, leaves: HashMap::new() }, secret))
    }

    /// Its certificate, as PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The certificate for a name, or for `*.name`; signed if there is none, or none that is good for long enough.
    pub(crate) fn leaf(&mut self, name: &Arc<str>, now: SystemTime) -> Result<Arc<Certificate>, LocalError> {
        if let Some(leaf) = self.known(name, now) {
            return Ok(leaf);
        }
        let leaf = Arc::new(self.signed(name, now)?);
        self.leaves.insert(Arc::clone(name), Arc::clone(&leaf));
        Ok(leaf)
    }

    /// The certificate for a name, if there is one that is good for long enough.
    pub(crate) fn known(&self, name: &str, now: SystemTime) -> Option<Arc<Certificate>> {
        self.leaves.get(name).filter(|leaf| now + LEAF_ENDS < leaf.not_after()).cloned()
    }

    /// Forgets the certificates of all other names.
    pub(crate) fn retain(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.leaves.retain(|name, _| is_wanted(name));
    }

    fn signed(&self, name: &str, now: SystemTime) -> Result<Certificate, LocalError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([name.to_owned()])?;
        // Who comes by one of these addresses names nobody, and is shown this one.
        if name == "localhost" {
            params.subject_alt_names.extend(LOOPBACK.map(SanType::IpAddress));
        }
        // A common name is short (RFC 5280, ub-common-name), and nobody looks at it where there are other names.
        params.distinguished_name = named(if name.len() <= COMMON_NAME { name } else { "divisi" });
        params.not_before = (now - SKEW).into();
        params.not_after = (now + LEAF).into();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&key, &self.issuer)?;
        let secret = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Ok(Certificate::from_der(vec![leaf.der().clone()], secret, Source::Local)?)
    }
}

/// What stands in the certificate of the root. It follows from the key, so that nothing but key and certificate has to be kept.
fn params(key: &KeyPair, not_before: SystemTime) -> CertificateParams {
    let id: String =
        CertificateParams::default().key_identifier(key).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("divisi local authority {id}"));
    params.not_before = not_before.into();
    params.not_after = (not_before + ROOT).into();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// The first part of PEM that is called so, with its lines around it.
fn part(text: &str, label: &str) -> Option<String> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let from = text.find(&begin)?;
    let to = text[from..].find(&end)? + from + end.len();
    Some(format!("{}\n", &text[from..to]))
}

#[cfg(test)]
mod tests;
