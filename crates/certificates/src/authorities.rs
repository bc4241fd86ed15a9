//! Files of authorities that routes and replicas name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::{Stamp, read};

/// Files of authorities, and how they were when they were read.
#[derive(Debug)]
pub(crate) struct Authorities {
    /// Where relative paths begin.
    folder: PathBuf,
    seen: BTreeMap<Arc<str>, Seen>,
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    stamp: Option<Stamp>,
    /// Why it could not be read.
    error: Option<String>,
}

/// What is in such a file, or why that is not known.
pub(crate) type Read = (Arc<str>, Result<Vec<u8>, String>);

impl Authorities {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder: folder.unwrap_or_default(), seen: BTreeMap::new() }
    }

    /// Those of `wanted` that were not looked at before, or have changed since. What could not be read is tried again.
    pub(crate) fn look(&mut self, wanted: &BTreeSet<Arc<str>>) -> Vec<Read> {
        self.seen.retain(|file, _| wanted.contains(file));
        let mut changed = Vec::new();
        for file in wanted {
            let path = self.folder.join(&**file);
            let stamp = Stamp::of(&path);
            let last = self.seen.get(file);
            if last.is_some_and(|last| last.stamp == stamp && last.error.is_none()) {
                continue;
            }
            let found = read(&path).map_err(|why| why.to_string());
            let seen = Seen { stamp, error: found.as_ref().err().cloned() };
            if last != Some(&seen) {
                changed.push((Arc::clone(file), found));
                self.seen.insert(Arc::clone(file), seen);
            }
        }
        changed
    }
}
