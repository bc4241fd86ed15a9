//! What ACME is asked for, and what it brings: where the room of ACME is plugged in. Nothing here waits or reads files, so all
//! of it can be called from anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use divisi_tls::Certificate;
use tokio::sync::{Notify, watch};

/// Names that share a certificate: in lower case, in order, each once; `*.name` is a wildcard.
pub type NameSet = BTreeSet<Arc<str>>;

/// What ACME is asked for, and what it brings.
#[derive(Debug)]
pub struct Orders {
    wanted: watch::Sender<Arc<BTreeSet<NameSet>>>,
    brought: Mutex<Brought>,
    bell: Notify,
}

/// What ACME has brought so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brought {
    pub(crate) certificates: BTreeMap<NameSet, Arc<Certificate>>,
    pub(crate) coming: BTreeMap<NameSet, bool>,
    /// Those that no route has, and that are on their way because somebody was asked.
    pub(crate) demanded: BTreeSet<NameSet>,
    pub(crate) problems: BTreeMap<NameSet, Arc<str>>,
}

impl Brought {
    /// Whether the first certificate for names that are wanted is on its way.
    pub(crate) fn is_coming(&self, names: &NameSet) -> bool {
        let is_silent = !self.problems.contains_key(names);
        !self.certificates.contains_key(names) && self.coming.get(names).copied().unwrap_or(is_silent)
    }
}

impl Default for Orders {
    fn default() -> Self {
        let (wanted, _) = watch::channel(Arc::default());
        Self { wanted, brought: Mutex::default(), bell: Notify::new() }
    }
}

impl Orders {
    /// The certificates that are wanted, each with its names. Those that are missing in the next value are wanted no more.
    pub fn wanted(&self) -> watch::Receiver<Arc<BTreeSet<NameSet>>> {
        self.wanted.subscribe()
    }

    /// Here is a certificate for these names. It takes the place of the last one for them.
    pub fn put(&self, names: NameSet, certificate: Arc<Certificate>) {
        self.change(|brought| {
            brought.problems.remove(&names);
            brought.certificates.insert(names, certificate);
        });
    }

    /// The certificate for these names is used no more: it is over, and nobody renews it.
    pub fn remove(&self, names: &NameSet) {
        self.change(|brought| drop(brought.certificates.remove(names)));
    }

    /// Whether the first certificate for these names is on its way, so that handshakes wait for it. As long as nothing was said
    /// of names that are wanted, it is.
    pub fn coming(&self, names: &NameSet, is_coming: bool) {
        self.change(|brought| {
            brought.coming.insert(names.clone(), is_coming);
        });
    }

    /// Whether the first certificate for these names, which no route has, is on its way.
    pub fn coming_on_demand(&self, names: &NameSet, is_coming: bool) {
        self.change(|brought| {
            if is_coming {
                brought.demanded.insert(names.clone());
            } else {
                brought.demanded.remove(names);
            }
        });
    }

    /// What keeps the certificate for these names from being had or renewed; None where nothing does any more.
    pub fn problem(&self, names: &NameSet, problem: Option<&str>) {
        self.change(|brought| match problem {
            Some(problem) => drop(brought.problems.insert(names.clone(), problem.into())),
            None => drop(brought.problems.remove(names)),
        });
    }

    /// Says what is wanted, where that is something else than before.
    pub(crate) fn want(&self, wanted: BTreeSet<NameSet>) {
        let mut brought = self.lock();
        brought.coming.retain(|names, _| wanted.contains(names));
        // Of some of the names that share a certificate, too.
        brought.problems.retain(|names, _| wanted.iter().any(|wanted| names.is_subset(wanted)));
        drop(brought);
        self.wanted.send_if_modified(|last| {
            let is_other = **last != wanted;
            if is_other {
                *last = Arc::new(wanted);
            }
            is_other
        });
    }

    /// Waits for something to be brought.
    pub(crate) async fn heard(&self) {
        self.bell.notified().await;
    }

    pub(crate) fn brought(&self) -> Brought {
        self.lock().clone()
    }

    fn change(&self, change: impl FnOnce(&mut Brought)) {
        change(&mut self.lock());
        self.bell.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Brought> {
        // Whatever panicked left a value that is whole: no change is made of two steps.
        self.brought.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
