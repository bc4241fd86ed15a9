//! What became of each exchange. Every accepted request gives exactly one record, whatever happens to it.

use std::sync::atomic::{AtomicU64, Ordering};
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
        self
    }
}

/// One exchange as it goes on; written into the tally when it is dropped, and so exactly once.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    tally: &'a Tally,
    /// The status that the client got; 0 for none.
    pub(crate) status: u16,
    /// How many replicas the request was sent to, beyond the first.
    pub(crate) retries: u16,
    /// How long the request waited for a replica, if it did.
    pub(crate) held: Option<Duration>,
    /// The response was begun and broken off.
    pub(crate) broken: bool,
}

impl<'a> Record<'a> {
    pub(crate) fn begin(tally: &'a Tally) -> Self {
        Self { tally, status: 0, retries: 0, held: None, broken: false }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        let class = usize::from(self.status / 100).min(5);
        self.tally.requests.fetch_add(1, Ordering::Relaxed);
        self.tally.statuses[class].fetch_add(1, Ordering::Relaxed);
        if self.retries > 0 {
            self.tally.retries.fetch_add(u64::from(self.retries), Ordering::Relaxed);
        }
        if let Some(held) = self.held {
            self.tally.held.fetch_add(1, Ordering::Relaxed);
            self.tally.held_millis.fetch_add(held.as_millis() as u64, Ordering::Relaxed);
        }
        if self.broken {
            self.tally.broken.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_written_once_whatever_happens() {
        let tally = Tally::default();
        drop(Record::begin(&tally));
        let mut answered = Record::begin(&tally);
        answered.status = 204;
        answered.retries = 2;
        drop(answered);
        let totals = Totals::default().add(&tally);
        assert_eq!((totals.requests, totals.statuses[0], totals.statuses[2], totals.retries), (2, 1, 1, 2));
    }
}
