//! One worker's idle connections to replicas.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::Duration;

use divisi_model::{Moment, Readiness, Replica, ReplicaId};

use crate::transport::Transport;

/// Idle connections by replica. No locks: a worker's pool is its own.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    shelves: RefCell<HashMap<ReplicaId, Shelf, BuildHasherDefault<NumberHasher>>>,
}

#[derive(Debug)]
struct Shelf {
    replica: Arc<Replica>,
    /// The one used last is taken first, so that what is not needed grows old.
    idle: Vec<Idle>,
}

#[derive(Debug)]
struct Idle {
    stream: Transport,
    /// For whom the replica's certificate is, inside TLS.
    name: Option<String>,
    since: Moment,
}

impl Pool {
    /// How long a connection is kept that nobody uses.
    const OLDEST: Duration = Duration::from_secs(60);

    /// An idle connection to the replica that has not ended yet, as far as can be seen: one that has nothing to say. If it has, it has
    /// ended, or it answers what nobody asked. With `look_twice` the kernel is
    /// asked: worth a system call for a request that must not be sent twice.
    pub(crate) fn take(&self, replica: &Replica, name: Option<&str>, look_twice: bool) -> Option<Transport> {
        let mut shelves = self.shelves.borrow_mut();
        let idle = &mut shelves.get_mut(&replica.id())?.idle;
        while let Some(at) = idle.iter().rposition(|idle| idle.name.as_deref() == name) {
            let Idle { stream, .. } = idle.remove(at);
            if stream.is_quiet() && (!look_twice || stream.is_quiet_indeed()) {
                return Some(stream);
            }
        }
        None
    }

    /// Keeps a connection for the next request, if its replica will get one.
    pub(crate) fn put(&self, replica: &Arc<Replica>, stream: Transport, name: Option<String>, now: Moment) {
        if replica.readiness() != Readiness::Ready {
            return;
        }
        let mut shelves = self.shelves.borrow_mut();
        let shelf =
            shelves.entry(replica.id()).or_insert_with(|| Shelf { replica: Arc::clone(replica), idle: Vec::new() });
        shelf.idle.push(Idle { stream, name, since: now });
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.shelves.borrow().values().map(|shelf| shelf.idle.len()).sum()
    }

    /// Closes what has grown old, what the replica has closed, and everything of replicas that get no more requests.
    pub(crate) fn sweep(&self) {
        let now = Moment::now();
        self.shelves.borrow_mut().retain(|_, shelf| {
            let wanted = shelf.replica.readiness() == Readiness::Ready;
            shelf.idle.retain(|idle| wanted && now.since(idle.since) < Self::OLDEST && idle.stream.is_quiet());
            !shelf.idle.is_empty()
        });
    }
}

/// Replicas are numbered in order; their numbers need no mixing to spread.
#[derive(Debug, Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        // The map takes its bits from both ends of the word.
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = self.0.rotate_left(5) ^ number;
    }
}
