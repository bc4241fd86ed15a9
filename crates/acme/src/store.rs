//! The folder: account, certificates, troubles. May be shared by several divisi.
//!
//! ```text
//! <folder>/account.json              who we are to the authority: its key, too
//!          certificates/<names>.pem  key and chain in one file
//!          troubles/<names>.json     what went wrong and how often: a restart must not make us ask again at once
//!          leases/<names>.json       who is working on it until when
//! ```
//!
//! Files change in one step each: written beside, synced, renamed, and the folder synced. So whoever is killed at any moment
//! leaves the old file or the new one, and perhaps one beside them that the next start removes. Everything here blocks.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::certificate::{Certificate, CertificateError};
use crate::names::NameSet;

/// Begins the names of files that are not finished.
const UNFINISHED: &str = ".unfinished-";
/// An unfinished file this old is nobody's any more.
const ABANDONED: Duration = Duration::from_hours(1);
/// Longer files are not ours.
const LONGEST: u64 = 1024 * 1024;

/// The folder cannot be used.
#[derive(Debug, Error)]
#[error("{}: {what}", .path.display())]
pub struct StoreError {
    /// Which file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub what: Fault,
}

/// What is wrong with a file.
#[derive(Debug, Error)]
pub enum Fault {
    /// The system refuses.
    #[error("{0}; it must be a folder that divisi may write to")]
    Io(#[from] io::Error),
    /// It is not what we write.
    #[error("not what divisi writes there ({0}); remove it, and it is made anew")]
    Json(#[from] serde_json::Error),
    /// It is not what we write.
    #[error("not what divisi writes there ({0}); remove it, and it is made anew")]
    Certificate(#[from] CertificateError),
}

/// What is kept of an account.
#[derive(Deserialize, Serialize)]
pub(crate) struct StoredAccount {
    /// Whom the authority was told to write to.
    pub(crate) contact: String,
    /// What it is called at the authority.
    pub(crate) url: String,
    /// The same, and its key.
    pub(crate) credentials: instant_acme::AccountCredentials,
}

/// What went wrong for a set of names, until it went well.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct StoredTrouble {
    /// When it began, in seconds since 1970.
    pub(crate) since: u64,
    /// How often in a row.
    pub(crate) times: u32,
    /// The last failure.
    pub(crate) said: String,
    /// When it is tried again, in seconds since 1970.
    pub(crate) next: u64,
}

/// The folder of one authority.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

impl Store {
    /// The folder, made where it is missing, and cleaned of what somebody left who was killed.
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        let store = Self { root: root.to_owned() };
        for folder in [store.root.clone(), store.folder(CERTIFICATES), store.folder(TROUBLES), store.folder(LEASES)] {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(at(&folder))?;
            clean(&folder, SystemTime::now()).map_err(at(&folder))?;
        }
        Ok(store)
    }

    /// Where leases are.
    pub(crate) fn leases(&self) -> PathBuf {
        self.folder(LEASES)
    }

    pub(crate) fn account(&self) -> Result<Option<StoredAccount>, StoreError> {
        read_json(&self.root.join(ACCOUNT))
    }

    pub(crate) fn put_account(&self, account: &StoredAccount) -> Result<(), StoreError> {
        write_json(&self.root.join(ACCOUNT), account)
    }

    /// The authority does not know the account at `url` any more. One that somebody has made meanwhile stays.
    pub(crate) fn forget_account(&self, url: &str) -> Result<(), StoreError> {
        match self.account()? {
            Some(account) if account.url == url => remove(&self.root.join(ACCOUNT)),
            _ => Ok(()),
        }
    }

    pub(crate) fn certificate(&self, names: &NameSet) -> Result<Option<Certificate>, StoreError> {
        let path = self.certificate_path(names);
        let Some(text) = read(&path)? else { return Ok(None) };
        let certificate = Certificate::read(text).and_then(|certificate| certificate.must_be_for(names));
        certificate.map(Some).map_err(|fault| StoreError { path, what: fault.into() })
    }

    /// Every certificate that is new, and what is wrong with those that cannot be read. `seen` is what was there before.
    pub(crate) fn news(
        &self,
        seen: &mut HashMap<PathBuf, SystemTime>,
    ) -> Result<Vec<Result<Certificate, StoreError>>, StoreError> {
        let folder = self.folder(CERTIFICATES);
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let path = entry.map_err(at(&folder))?.path();
            if path.extension().is_none_or(|extension| extension != "pem") {
                continue;
            }
            // One that is gone by now is none.
            let Ok(changed) = fs::metadata(&path).and_then(|file| file.modified()) else { continue };
            if seen.insert(path.clone(), changed) == Some(changed) {
                continue;
            }
            if let Some(read) = read(&path).transpose() {
                let parse = |text| Certificate::read(text).map_err(|fault| StoreError { path, what: fault.into() });
                found.push(read.and_then(parse));
            }
        }
        Ok(found)
    }

    pub(crate) fn put_certificate(&self, certificate: &Certificate) -> Result<(), StoreError> {
        write(&self.certificate_path(certificate.names()), certificate.pem().as_bytes())
    }

    pub(crate) fn remove_certificate(&self, names: &NameSet) -> Result<(), StoreError> {
        remove(&self.certificate_path(names))
    }

    pub(crate) fn trouble(&self, names: &NameSet) -> Result<Option<StoredTrouble>, StoreError> {
        read_json(&self.trouble_path(names))
    }

    pub(crate) fn put_trouble(&self, names: &NameSet, trouble: &StoredTrouble) -> Result<(), StoreError> {
        write_json(&self.trouble_path(names), trouble)
    }

    pub(crate) fn clear_trouble(&self, names: &NameSet) -> Result<(), StoreError> {
        remove(&self.trouble_path(names))
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn certificate_path(&self, names: &NameSet) -> PathBuf {
        self.folder(CERTIFICATES).join(names.key() + ".pem")
    }

    fn trouble_path(&self, names: &NameSet) -> PathBuf {
        self.folder(TROUBLES).join(names.key() + ".json")
    }
}

const ACCOUNT: &str = "account.json";
const CERTIFICATES: &str = "certificates";
const TROUBLES: &str = "troubles";
const LEASES: &str = "leases";

fn at<E: Into<Fault>>(path: &Path) -> impl Fn(E) -> StoreError {
    move |what| StoreError { path: path.to_owned(), what: what.into() }
}

fn clean(folder: &Path, now: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        let age = |time| now.duration_since(time).unwrap_or_default();
        // Another divisi may be writing one this very moment.
        if is_ours && age(entry.metadata()?.modified()?) > ABANDONED {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<String>, StoreError> {
    let long = || io::Error::other("a file of more than a mebibyte");
    let text = fs::metadata(path).and_then(|file| match file.len() {
        ..=LONGEST => fs::read_to_string(path),
        _ => Err(long()),
    });
    match text {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    read(path)?.map(|text| serde_json::from_str(&text).map_err(at(path))).transpose()
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    write(path, &serde_json::to_vec_pretty(value).map_err(at(path))?)
}

/// Puts this in the place of what is at `path`, in one step that lasts.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    let beside = folder.join(format!("{UNFINISHED}{:016x}", fastrand::u64(..)));
    let written = write_beside(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .and_then(|()| File::open(folder)?.sync_all());
    written.map_err(|error| {
        // It has no use, and nothing more can be done if it stays.
        let _ = fs::remove_file(&beside);
        at(path)(error)
    })
}

fn write_beside(beside: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes what is at `path`, if anything is.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::certificate::tests::made;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("a/b")).unwrap();
        (folder, store)
    }

    #[test]
    fn what_is_put_is_found_and_nobody_else_may_read_it() {
        let (_folder, store) = store();
        let certificate = Certificate::read(made(&["a.example", "*.b.example"], 1)).unwrap();
        let names = certificate.names().clone();
        assert!(store.certificate(&names).unwrap().is_none());
        store.put_certificate(&certificate).unwrap();
        assert_eq!(store.certificate(&names).unwrap().unwrap().pem(), certificate.pem());
        assert_eq!(store.news(&mut HashMap::new()).unwrap().len(), 1);
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(store.certificate_path(&names)), 0o600);
        assert_eq!(mode(store.folder(CERTIFICATES)), 0o700);
        store.remove_certificate(&names).unwrap();
        store.remove_certificate(&names).unwrap();
        assert!(store.news(&mut HashMap::new()).unwrap().is_empty());
    }

    #[test]
    fn troubles_last_until_they_are_cleared() {
        let (_folder, store) = store();
        let names = NameSet::new(["a.example"]).unwrap();
        let trouble = StoredTrouble { since: 1, times: 2, said: "no".to_owned(), next: 3 };
        store.put_trouble(&names, &trouble).unwrap();
        assert_eq!(store.trouble(&names).unwrap(), Some(trouble));
        store.clear_trouble(&names).unwrap();
        assert_eq!(store.trouble(&names).unwrap(), None);
    }

    #[test]
    fn a_spoilt_file_is_told_of_by_name_and_spoils_no_other() {
        let (_folder, store) = store();
        store.put_certificate(&Certificate::read(made(&["a.example"], 1)).unwrap()).unwrap();
        let names = NameSet::new(["b.example"]).unwrap();
        fs::write(store.certificate_path(&names), "-----BEGIN").unwrap();
        let problem = store.certificate(&names).unwrap_err().to_string();
        assert!(problem.contains("b.example.pem") && problem.contains("remove it"), "{problem}");
        let (good, bad): (Vec<_>, Vec<_>) =
            store.news(&mut HashMap::new()).unwrap().into_iter().partition(Result::is_ok);
        assert_eq!((good.len(), bad.len()), (1, 1));
        fs::write(store.root.join(ACCOUNT), "{}").unwrap();
        assert!(store.account().is_err());
    }

    #[test]
    fn what_a_killed_one_left_goes_and_what_one_is_writing_stays() {
        let (_folder, store) = store();
        let (old, new) =
            (store.folder(CERTIFICATES).join(".unfinished-1"), store.folder(CERTIFICATES).join(".unfinished-2"));
        for path in [&old, &new] {
            fs::write(path, "-----BEGIN").unwrap();
        }
        let long_ago = SystemTime::now() - ABANDONED * 2;
        File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
        assert!(store.news(&mut HashMap::new()).unwrap().is_empty(), "unfinished files are not certificates");
        Store::open(&store.root).unwrap();
        assert!(!old.exists() && new.exists());
    }

    #[test]
    fn a_folder_that_is_a_file_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        let problem = Store::open(&path).unwrap_err().to_string();
        assert!(problem.contains(&path.display().to_string()), "{problem}");
    }
}
