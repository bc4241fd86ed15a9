//! Certificates in files: `name.crt` or `name.pem` with `name.key`, as nginx-proxy has them, or a folder `name` with
//! `fullchain.pem` and `privkey.pem`, as certbot has them. Those called `default` are for who has no certificate.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use divisi_tls::{Certificate, CertificateError, Source, name};
use thiserror::Error;
use tracing::{info, warn};

use crate::disk::{Stamp, read};

/// Why a pair of files is not used. Told once; the last good one stays in use.
#[derive(Debug, Error)]
pub(crate) enum PairError {
    /// One of them cannot be read.
    #[error("{}: {why}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// There is a certificate without a key.
    #[error("{}: its private key is not there, which belongs into {}", chain.display(), key.display())]
    NoKey {
        /// The certificate.
        chain: PathBuf,
        /// Where its key should be.
        key: PathBuf,
    },
    /// The certificate cannot be used.
    #[error("{}: {why}", chain.display())]
    Chain {
        /// Its file.
        chain: PathBuf,
        /// Why.
        why: CertificateError,
    },
    /// The key cannot be used.
    #[error("{}: {why}", key.display())]
    Key {
        /// Its file.
        key: PathBuf,
        /// Why.
        why: CertificateError,
    },
    /// Both are well, but not together.
    #[error("{} and {}: {why}", chain.display(), key.display())]
    Together {
        /// The certificate.
        chain: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why.
        why: CertificateError,
    },
    /// It is over.
    #[error("{}: it expired {} ago; put a new one in its place", chain.display(), days(*since))]
    Expired {
        /// The certificate.
        chain: PathBuf,
        /// For how long.
        since: Duration,
    },
}

/// Certificates in files.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// By what their files are called.
    pairs: BTreeMap<Arc<str>, Pair>,
}

/// A certificate and its key.
#[derive(Debug, Default)]
pub(crate) struct Pair {
    /// How the files were at the last look.
    stamps: [Option<Stamp>; 2],
    /// The last good one.
    pub(crate) certificate: Option<Arc<Certificate>>,
    /// Why the files as they are now are not used.
    pub(crate) problem: Option<Arc<PairError>>,
    is_told: bool,
    /// They were not there at the last look. Who replaces files may take them away first.
    is_missing: bool,
}

/// Where a pair lies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    chain: PathBuf,
    key: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, pairs: BTreeMap::new() }
    }

    /// Takes up what has changed since the last look. Returns whether something has.
    pub(crate) fn look(&mut self) -> bool {
        // Where it cannot be read, nothing is known to have changed; who names one that is not there is told so at start.
        let Ok(places) = places(&self.path) else { return false };
        let mut is_other = false;
        for (stem, place) in &places {
            is_other |= self.pairs.entry(Arc::clone(stem)).or_default().look(place);
        }
        self.pairs.retain(|stem, pair| {
            let is_there = places.contains_key(stem);
            let was_missing = std::mem::replace(&mut pair.is_missing, !is_there);
            let stays = is_there || !was_missing;
            if !stays {
                info!("the certificate {stem} is gone from {}", self.path.display());
                is_other = true;
            }
            stays
        });
        is_other
    }

    /// What there is, by what the files are called.
    pub(crate) fn pairs(&self) -> &BTreeMap<Arc<str>, Pair> {
        &self.pairs
    }
}

impl Pair {
    fn look(&mut self, place: &Place) -> bool {
        let stamps = [Stamp::of(&place.chain), Stamp::of(&place.key)];
        // What could not be read is tried again: there may have been too many open files.
        let is_read = !matches!(self.problem.as_deref(), Some(PairError::Read { .. }));
        if stamps == self.stamps && is_read {
            self.tell();
            return false;
        }
        self.stamps = stamps;
        let last = self.problem.take().map(|problem| problem.to_string());
        let is_taken = match take(place, SystemTime::now()) {
            Ok((certificate, expired)) => {
                let is_taken = expired.is_none() || self.certificate.is_none();
                if is_taken {
                    info!("{}: certificate for {}", place.chain.display(), certificate.names().join(", "));
                    self.certificate = Some(Arc::new(certificate));
                }
                self.problem = expired.map(Arc::new);
                is_taken
            }
            Err(problem) => {
                self.problem = Some(Arc::new(problem));
                false
            }
        };
        let is_other = self.problem.as_ref().map(ToString::to_string) != last;
        if is_other {
            self.is_told = false;
        } else {
            self.tell();
        }
        is_taken || is_other
    }

    /// Tells of a problem at the second look: between the first and that the other one of two files may have come.
    fn tell(&mut self) {
        if let Some(problem) = self.problem.as_ref().filter(|_| !self.is_told) {
            let stays = if self.certificate.is_some() { "; the last good one stays in use" } else { "" };
            warn!("{problem}{stays}");
            self.is_told = true;
        }
    }
}

/// The pairs that there are. What has no key beside it and belongs to another certificate (nginx-proxy's `.chain.pem`,
/// `.dhparam.pem`, `.ca.crt`) is none.
fn places(folder: &Path) -> io::Result<BTreeMap<Arc<str>, Place>> {
    let mut places = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(file) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let place = if path.is_dir() {
            let place = Place { chain: path.join("fullchain.pem"), key: path.join("privkey.pem") };
            (place.chain.exists() && place.key.exists()).then_some((file, place))
        } else {
            of_file(&path, file)
        };
        if let Some((stem, place)) = place {
            // A `.crt` before the folder of its name, as acme-companion links from one to the other.
            let is_first = place.chain.extension().is_some_and(|extension| extension == "crt");
            if is_first || !places.contains_key(stem) {
                places.insert(Arc::from(stem), place);
            }
        }
    }
    Ok(places)
}

fn of_file<'a>(path: &Path, file: &'a str) -> Option<(&'a str, Place)> {
    let place = |stem| Place { chain: path.to_owned(), key: path.with_file_name(format!("{stem}.key")) };
    if let Some(stem) = file.strip_suffix(".crt") {
        let is_authority = stem == "ca" || stem.ends_with(".ca");
        return (!is_authority).then(|| (stem, place(stem)));
    }
    let stem = file.strip_suffix(".pem")?;
    Some((stem, place(stem))).filter(|(_, place)| place.key.exists())
}

fn take(place: &Place, now: SystemTime) -> Result<(Certificate, Option<PairError>), PairError> {
    let bytes = |path: &PathBuf| read(path).map_err(|why| PairError::Read { path: path.clone(), why });
    let Place { chain, key } = place.clone();
    let certificates = bytes(&chain)?;
    if !key.exists() {
        return Err(PairError::NoKey { chain, key });
    }
    let source = Source::File(chain.as_path().into());
    let certificate = match Certificate::from_pem(&certificates, &bytes(&key)?, source) {
        Ok(certificate) => certificate,
        Err(why @ CertificateError::Key(_)) => return Err(PairError::Key { key, why }),
        Err(why @ CertificateError::Together(_)) => return Err(PairError::Together { chain, key, why }),
        Err(why) => return Err(PairError::Chain { chain, why }),
    };
    let expired = now.duration_since(certificate.not_after()).ok().map(|since| PairError::Expired { chain, since });
    Ok((certificate, expired))
}

/// For which name a file is by what it is called; None for `default` and what is no name.
pub(crate) fn name_of(stem: &str) -> Option<Arc<str>> {
    let is_name = stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte));
    name::normal(stem).filter(|name| is_name && name != DEFAULT).map(Into::into)
}

/// What the files of the certificate for all others are called.
pub(crate) const DEFAULT: &str = "default";

fn days(time: Duration) -> String {
    match time.as_secs() / 86_400 {
        0 => "less than a day".to_owned(),
        1 => "a day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests;
