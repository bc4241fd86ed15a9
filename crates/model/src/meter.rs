//! What became of requests, counted where they went: at a replica, or at a service where no replica had them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Requests by the first digit of their status, from 1 to 5; at 0 those whose client got none.
#[derive(Debug, Default)]
pub struct Meter([AtomicU64; 6]);

impl Meter {
    /// One more with that status; 0 for none.
    pub fn count(&self, status: u16) {
        self.0[usize::from(status / 100).min(5)].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts by class.
    pub fn read(&self) -> [u64; 6] {
        std::array::from_fn(|class| self.0[class].load(Ordering::Relaxed))
    }
}

/// The upper bounds of the buckets of a [`Histogram`], in seconds; what is beyond the last is in one more. From half a
/// millisecond, below which nobody waits, to a minute, at which a replica's time is over.
pub const BOUNDS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// How long requests took.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    /// In nanoseconds.
    sum: AtomicU64,
}

impl Histogram {
    /// One more that took so long.
    pub fn count(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        // Most are short, and end the search soon.
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many are in each bucket, the last one of which has no bound, and how long all took together.
    pub fn read(&self) -> ([u64; BOUNDS.len() + 1], Duration) {
        let counts = std::array::from_fn(|bucket| self.buckets[bucket].load(Ordering::Relaxed));
        (counts, Duration::from_nanos(self.sum.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_go_by_their_first_digit() {
        let meter = Meter::default();
        [0, 101, 200, 204, 304, 404, 503, 799].into_iter().for_each(|status| meter.count(status));
        assert_eq!(meter.read(), [1, 1, 2, 1, 1, 2]);
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::default();
        for millis in [0, 1, 2, 60_000, 60_001] {
            histogram.count(Duration::from_millis(millis));
        }
        let (counts, sum) = histogram.read();
        assert_eq!((counts[0], counts[1], counts[2], counts[14], counts[15]), (1, 1, 1, 1, 1));
        assert_eq!(sum, Duration::from_millis(120_004));
    }
}
