//! What became of connections, counted where they went.

use std::sync::atomic::{AtomicU64, Ordering};

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Both sides had ended it.
    Complete,
    /// A replica had it, and it broke off, or was cut off.
    Broken,
    /// No replica had it.
    Unserved,
}

impl Ending {
    /// All of them, in the order of [`Streams::endings`].
    pub const ALL: [Self; 3] = [Self::Complete, Self::Broken, Self::Unserved];

    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Broken => "broken",
            Self::Unserved => "unserved",
        }
    }
}

/// Connections of a service that have ended, and what went through them.
#[derive(Debug, Default)]
pub struct StreamMeter {
    endings: [AtomicU64; 3],
    received: AtomicU64,
    sent: AtomicU64,
}

/// What was counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// Connections by how they ended, in the order of [`Ending::ALL`].
    pub endings: [u64; 3],
    /// Bytes from clients.
    pub received: u64,
    /// Bytes to clients.
    pub sent: u64,
}

impl StreamMeter {
    /// One more that ended so, with so many bytes from the client and to it.
    pub fn count(&self, ending: Ending, received: u64, sent: u64) {
        self.endings[ending as usize].fetch_add(1, Ordering::Relaxed);
        self.received.fetch_add(received, Ordering::Relaxed);
        self.sent.fetch_add(sent, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn read(&self) -> Streams {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Streams {
            endings: std::array::from_fn(|ending| read(&self.endings[ending])),
            received: read(&self.received),
            sent: read(&self.sent),
        }
    }
}
