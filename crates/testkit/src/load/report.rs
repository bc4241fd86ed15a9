//! What came of a load.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What all clients saw.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Requests that may be repeated.
    pub gets: Tally,
    /// Requests that must not act twice.
    pub posts: Tally,
    /// GETs sent again by a client, whose connection was closed while the first was on its way.
    pub repeated: usize,
    /// Connections that a client found closed and made anew.
    pub reopened: usize,
}

/// What came of the requests of one method.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    waits: Vec<Duration>,
    failures: BTreeMap<String, Failures>,
}

/// Failures of one kind.
#[derive(Clone, Copy, Debug)]
struct Failures {
    count: usize,
    /// When the first was asked, counted from the beginning of the load.
    first: Duration,
}

impl Report {
    /// How many requests there were.
    pub fn asked(&self) -> usize {
        self.gets.asked() + self.posts.asked()
    }

    /// How many of them failed.
    pub fn failed(&self) -> usize {
        self.gets.failed() + self.posts.failed()
    }

    /// The share of requests that did not fail, from 0 to 1.
    pub fn success(&self) -> f64 {
        1.0 - self.failed() as f64 / self.asked().max(1) as f64
    }

    /// The longest wait for an end, good or bad.
    pub fn longest(&self) -> Duration {
        self.percentile(100)
    }

    /// The wait that so many per cent of the requests did not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut waits = [self.gets.waits.as_slice(), &self.posts.waits].concat();
        waits.sort_unstable();
        let rank = (waits.len() * percent).div_ceil(100).max(1);
        waits.get(rank - 1).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.gets.add(other.gets);
        self.posts.add(other.posts);
        self.repeated += other.repeated;
        self.reopened += other.reopened;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (method, tally) in [("GET", &self.gets), ("POST", &self.posts)] {
            writeln!(f, "   {method:4} {:6} asked, {} failed", tally.asked(), tally.failed())?;
            for (kind, Failures { count, first }) in &tally.failures {
                writeln!(f, "        {count:6} × {kind}; the first after {:.3} s", first.as_secs_f64())?;
            }
        }
        let [half, most, longest] = [50, 99, 100].map(|percent| self.percentile(percent));
        writeln!(f, "   waits: p50 {half:.1?}, p99 {most:.1?}, longest {longest:.1?}")?;
        let (reopened, repeated) = (self.reopened, self.repeated);
        write!(f, "   connections found closed and made anew: {reopened}; GETs sent again for that: {repeated}")
    }
}

impl Tally {
    /// How many requests there were.
    pub fn asked(&self) -> usize {
        self.waits.len()
    }

    /// How many of them failed.
    pub fn failed(&self) -> usize {
        self.failed_with("")
    }

    /// How many of them failed with this in the description: the status and the first line of the body, in quotes, or
    /// what became of the connection.
    pub fn failed_with(&self, part: &str) -> usize {
        self.failures.iter().filter(|(kind, _)| kind.contains(part)).map(|(_, failures)| failures.count).sum()
    }

    pub(super) fn note(&mut self, at: Duration, wait: Duration, failure: Option<String>) {
        self.waits.push(wait);
        if let Some(kind) = failure {
            self.fail(kind, Failures { count: 1, first: at });
        }
    }

    fn fail(&mut self, kind: String, more: Failures) {
        let failures = self.failures.entry(kind).or_insert(Failures { count: 0, first: more.first });
        failures.count += more.count;
        failures.first = failures.first.min(more.first);
    }

    fn add(&mut self, other: Self) {
        self.waits.extend(other.waits);
        for (kind, failures) in other.failures {
            self.fail(kind, failures);
        }
    }
}
