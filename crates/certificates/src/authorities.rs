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
    seen: BTreeMap<Arc<str>, Option<Stamp>>,
}

/// What is in such a file, or why that is not known.
pub(crate) type Read = (Arc<str>, Result<Vec<u8>, String>);

impl Authorities {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder: folder.unwrap_or_default(), seen: BTreeMap::new() }
    }

    /// Those of `wanted` that were not looked at before, or have changed since.
    pub(crate) fn look(&mut self, wanted: &BTreeSet<Arc<str>>) -> Vec<Read> {
        self.seen.retain(|file, _| wanted.contains(file));
        let mut changed = Vec::new();
        for file in wanted {
            let path = self.folder.join(&**file);
            let stamp = Stamp::of(&path);
            if self.seen.insert(Arc::clone(file), stamp) != Some(stamp) {
                changed.push((Arc::clone(file), read(&path).map_err(|why| why.to_string())));
            }
        }
        changed
    }
}
