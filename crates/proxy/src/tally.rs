//! What a worker has done so far, in numbers.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What one worker has done so far. Written by that worker alone, read by anybody.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    requests: AtomicU64,
    /// By the first digit of the status; 0 where the client got none.
    statuses: [AtomicU64; 6],
    retries: AtomicU64,
    held: AtomicU64,
    held_millis: AtomicU64,
    broken: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    /// Connections to replicas that were opened.
    opened: AtomicU64,
    /// Connections to replicas that nobody uses, as they were at the last tick.
    idle: AtomicUsize,
    /// Connections of clients that wait in the lounge.
    resting: AtomicUsize,
}

/// What all workers have done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests accepted, malformed ones included.
    pub requests: u64,
    /// Responses by the first digit of their status, from 1 to 5; at 0 the requests whose client got none.
    pub statuses: [u64; 6],
    /// Attempts beyond the first.
    pub retries: u64,
    /// Requests that waited for a replica.
    pub held: u64,
    /// How long they waited, all together, in milliseconds.
    pub held_millis: u64,
    /// Responses that were begun and broken off.
    pub broken: u64,
    /// Bytes of requests that came from clients: heads, bodies with their framing, and tunnels.
    pub received: u64,
    /// Bytes of responses that went to clients, in the same way.
    pub sent: u64,
    /// Connections to replicas that were opened. All other attempts used one that there was.
    pub opened: u64,
}

/// What one exchange adds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) retries: u64,
    pub(crate) held: Option<Duration>,
    pub(crate) broken: bool,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl Tally {
    pub(crate) fn count(&self, outcome: &Outcome) {
        let class = usize::from(outcome.status / 100).min(5);
        add(&self.requests, 1);
        add(&self.statuses[class], 1);
        add(&self.received, outcome.received);
        add(&self.sent, outcome.sent);
        if outcome.retries > 0 {
            add(&self.retries, outcome.retries);
        }
        if let Some(held) = outcome.held {
            add(&self.held, 1);
            add(&self.held_millis, held.as_millis() as u64);
        }
        if outcome.broken {
            add(&self.broken, 1);
        }
    }

    pub(crate) fn count_opened(&self) {
        add(&self.opened, 1);
    }

    pub(crate) fn note_idle(&self, connections: usize) {
        self.idle.store(connections, Ordering::Relaxed);
    }

    pub(crate) fn note_resting(&self, connections: usize) {
        self.resting.store(connections, Ordering::Relaxed);
    }

    pub(crate) fn resting(&self) -> usize {
        self.resting.load(Ordering::Relaxed)
    }

    pub(crate) fn idle(&self) -> usize {
        self.idle.load(Ordering::Relaxed)
    }
}

/// With one writer there is nothing to lose between the two, and it saves the bus a lock.
fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

impl Totals {
    pub(crate) fn add(mut self, tally: &Tally) -> Self {
        self.requests += tally.requests.load(Ordering::Relaxed);
        for (sum, status) in self.statuses.iter_mut().zip(&tally.statuses) {
            *sum += status.load(Ordering::Relaxed);
        }
        self.retries += tally.retries.load(Ordering::Relaxed);
        self.held += tally.held.load(Ordering::Relaxed);
        self.held_millis += tally.held_millis.load(Ordering::Relaxed);
        self.broken += tally.broken.load(Ordering::Relaxed);
        self.received += tally.received.load(Ordering::Relaxed);
        self.sent += tally.sent.load(Ordering::Relaxed);
        self.opened += tally.opened.load(Ordering::Relaxed);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_add_up() {
        let tally = Tally::default();
        tally.count(&Outcome::default());
        tally.count(&Outcome { status: 204, retries: 2, received: 10, sent: 20, ..Outcome::default() });
        tally.count(&Outcome { held: Some(Duration::from_millis(7)), sent: 1, broken: true, ..Outcome::default() });
        let totals = Totals::default().add(&tally);
        assert_eq!((totals.requests, totals.statuses), (3, [2, 0, 1, 0, 0, 0]));
        assert_eq!((totals.retries, totals.held, totals.held_millis, totals.broken), (2, 1, 7, 1));
        assert_eq!((totals.received, totals.sent), (10, 21));
    }
}
