//! What can be read off the running proxy from outside: for a metrics page, or a screen.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::tally::{Tally, Totals};
use crate::worker::Shared;

/// What can be read off the running proxy, by any thread and at any time. Cheap to clone; it goes on saying what it said last
/// when the proxy has stopped.
#[derive(Clone, Debug)]
pub struct Gauges {
    shared: Arc<Shared>,
    tallies: Arc<[Arc<Tally>]>,
}

impl Gauges {
    pub(crate) fn new(shared: &Arc<Shared>, tallies: &[Arc<Tally>]) -> Self {
        Self { shared: Arc::clone(shared), tallies: tallies.into() }
    }

    /// What was done so far.
    pub fn totals(&self) -> Totals {
        self.tallies.iter().fold(Totals::default(), |totals, tally| totals.add(tally))
    }

    /// Client connections that are open now.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Those of them whose clients have asked for nothing for a second, as they were some milliseconds ago.
    pub fn resting_connections(&self) -> usize {
        self.tallies.iter().map(|tally| tally.resting()).sum()
    }

    /// Connections to replicas that wait for a request, as they were some milliseconds ago.
    pub fn idle_connections(&self) -> usize {
        self.tallies.iter().map(|tally| tally.idle()).sum()
    }

    /// Lines of the access log that were lost, because nobody took them fast enough or at all.
    pub fn dropped_lines(&self) -> u64 {
        self.shared.dropped_lines.load(Ordering::Relaxed)
    }
}
