//! At which ports the request's way listens: for people, never for a decision on a connection.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// At which ports the request's way listens.
#[derive(Debug, Default)]
pub struct Listening {
    ports: Mutex<BTreeMap<u16, Standing>>,
    refused: AtomicU64,
}

/// How a port stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nobody listens, and nobody has tried yet.
    #[default]
    Closed,
    /// Connections are accepted.
    Open,
    /// It is one at which divisi serves HTTP. Connections inside TLS are told from those by their first bytes.
    Shared,
    /// It cannot be listened at; why, and what to do. It is tried again.
    Failed(Arc<str>),
}

impl Listening {
    /// How a port stands.
    pub fn of(&self, port: u16) -> Standing {
        self.lock().get(&port).cloned().unwrap_or_default()
    }

    /// A port stands otherwise. Returns whether that is news.
    pub fn set(&self, port: u16, standing: Standing) -> bool {
        let mut ports = self.lock();
        let is_news = ports.get(&port).unwrap_or(&Standing::Closed) != &standing;
        if standing == Standing::Closed {
            ports.remove(&port);
        } else {
            ports.insert(port, standing);
        }
        is_news
    }

    /// A connection was refused before it was known which service it is for.
    pub fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were, so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u16, Standing>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
