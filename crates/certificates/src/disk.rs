//! All that is read from files, and when they changed. Read on a thread of its own: a slow disk must delay nobody.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::authorities::{Authorities, Read};
use crate::folder::Folder;

/// No chain and no key is as large. Of authorities a bundle of all that there are is a quarter of it.
const LARGEST: u64 = 1 << 20;

/// All that is read from files.
#[derive(Debug)]
pub(crate) struct Disk {
    /// Certificates with their keys.
    pub(crate) folder: Option<Folder>,
    clients: Authorities,
    trusts: Authorities,
}

/// What has changed since the last look.
#[derive(Debug)]
pub(crate) struct News {
    /// There are other certificates.
    pub(crate) is_other: bool,
    /// Files of authorities of clients that are new, or have changed.
    pub(crate) clients: Vec<Read>,
    /// And of authorities of replicas.
    pub(crate) trusts: Vec<Read>,
}

impl Disk {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        let [clients, trusts] = [folder.clone(), folder.clone()].map(Authorities::new);
        Self { folder: folder.map(Folder::new), clients, trusts }
    }

    /// Looks whether files have changed; of authorities at these, of clients and of replicas.
    pub(crate) fn look(&mut self, clients: &BTreeSet<Arc<str>>, trusts: &BTreeSet<Arc<str>>) -> News {
        News {
            is_other: self.folder.as_mut().is_some_and(Folder::look),
            clients: self.clients.look(clients),
            trusts: self.trusts.look(trusts),
        }
    }
}

/// By what a file is known to be the same as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
    /// Of the file or of who may read it.
    changed: (i64, i64),
}

impl Stamp {
    /// None where there is no such file.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().filter(Metadata::is_file).map(|about| Self {
            inode: about.ino(),
            length: about.len(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
        })
    }
}

/// All of a file that is not too large.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    Ok(bytes)
}
