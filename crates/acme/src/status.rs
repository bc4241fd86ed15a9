//! How each set of names stands, for people.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use httpdate::HttpDate;
use tokio::sync::watch;

use crate::names::NameSet;
use crate::schedule::Validity;

/// How a set of names stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The names that share a certificate.
    pub names: NameSet,
    /// Whether a route has them, or somebody was asked and wants them. Else the certificate is served until it is over.
    pub is_wanted: bool,
    /// Whether one is being ordered at the moment.
    pub is_ordering: bool,
    /// From when to when the one holds that there is.
    pub certificate: Option<Validity>,
    /// When it is to be renewed.
    pub renewal: Option<SystemTime>,
    /// What went wrong since it last went well.
    pub trouble: Option<Trouble>,
}

/// Why there is no new certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// When it began.
    pub since: SystemTime,
    /// How often in a row.
    pub times: u32,
    /// What was said at the last time, in one line.
    pub said: String,
    /// When it is tried again.
    pub next: SystemTime,
}

impl fmt::Display for Trouble {
    /// What people are told: what was said, how often it failed since when, and when it is tried again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { since, times, said, next } = self;
        let date = |at: &SystemTime| HttpDate::from(*at);
        let plural = if *times == 1 { "" } else { "s" };
        write!(f, "{said}; {times} failure{plural} since {}, next try at {}", date(since), date(next))
    }
}

/// Where all of it is posted.
#[derive(Clone, Debug)]
pub struct Board(watch::Sender<Arc<[Status]>>);

impl Default for Board {
    fn default() -> Self {
        Self(watch::Sender::new(Arc::new([])))
    }
}

impl Board {
    /// What is posted now.
    pub fn read(&self) -> Arc<[Status]> {
        Arc::clone(&self.0.borrow())
    }

    /// Tells of changes.
    pub fn subscribe(&self) -> watch::Receiver<Arc<[Status]>> {
        self.0.subscribe()
    }

    pub(crate) fn post(&self, all: Vec<Status>) {
        self.0.send_if_modified(|posted| {
            let is_new = **posted != *all;
            if is_new {
                *posted = all.into();
            }
            is_new
        });
    }
}
