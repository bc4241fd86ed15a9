//! One question to a replica, and its answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use divisi_model::{Health, Replica};

/// What a replica is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inquiry {
    /// Whether it accepts a connection.
    Connect,
    /// What it answers to a GET of this path.
    Get(Arc<str>),
    /// Whether it answers at all: `OPTIONS *`, HTTP's ping (RFC 9110 9.3.7); by HTTP/2 `OPTIONS /`.
    Ping,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It accepted the connection; more was not asked.
    Accepted,
    /// It answered with that status.
    Status(u16),
    /// Nobody is there to accept a connection.
    Refused,
    /// Nothing came in time.
    Silent,
    /// The connection broke, or what came was no HTTP.
    Broken,
    /// We could not ask, which says nothing about the replica.
    Unasked,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::Refused => f.write_str("connection refused"),
            Self::Silent => f.write_str("no answer in time"),
            Self::Broken => f.write_str("no valid answer"),
            Self::Unasked => f.write_str("could not be asked"),
        }
    }
}

/// A replica to be asked now, to be handed back with its answer.
#[derive(Debug)]
pub struct Visit {
    pub(crate) replica: Arc<Replica>,
    pub(crate) inquiry: Inquiry,
    pub(crate) patience: Duration,
    /// What it was when it was asked; of something else the answer says nothing.
    pub(crate) asked_as: Health,
    /// Tells visits apart: an answer to any but a patient's last is not wanted.
    pub(crate) number: u64,
}

impl Visit {
    /// Who is asked.
    pub fn replica(&self) -> &Arc<Replica> {
        &self.replica
    }

    /// What.
    pub fn inquiry(&self) -> &Inquiry {
        &self.inquiry
    }

    /// How long the answer may take.
    pub fn patience(&self) -> Duration {
        self.patience
    }
}
