//! The replicas among which one request is to find its own.

use std::sync::Arc;
use std::time::Duration;

use crate::moment::Moment;
use crate::replica::{Health, Lease, Readiness, Replica};
use crate::service::NoReplica;
use crate::tried::Tried;

/// An idle replica lets its turn go by only if it is so many times slower than another idle one. Were it less, a single late
/// answer would keep it from the requests of a quiet service for seconds.
const MUCH_SLOWER: f32 = 4.0;

/// The replicas among which one request is to find its own.
#[derive(Debug)]
pub(crate) struct Candidates<'a> {
    pub(crate) ready: &'a [Arc<Replica>],
    pub(crate) tried: &'a Tried,
    /// So many have failed that all of them are used.
    pub(crate) all: bool,
    /// Most requests at one of them.
    pub(crate) limit: usize,
    pub(crate) slow_start: Duration,
    /// The greatest weight among them.
    pub(crate) heaviest: f32,
    pub(crate) now: Moment,
}

impl Candidates<'_> {
    /// How many there are, usable or not.
    pub(crate) fn len(&self) -> usize {
        self.ready.len()
    }

    /// Whether the request may go to that one.
    pub(crate) fn is_usable(&self, at: usize) -> bool {
        let replica = &self.ready[at];
        self.is_willing(replica) && replica.in_flight() < self.limit && !self.tried.contains(replica.id())
    }

    fn is_willing(&self, replica: &Replica) -> bool {
        let is_well = match replica.health() {
            Health::Up => true,
            Health::Down => false,
            Health::Ejected => self.all,
        };
        is_well && replica.readiness() == Readiness::Ready
    }

    /// The first usable one from `start` on, in turn.
    pub(crate) fn usable_from(&self, start: usize) -> Option<usize> {
        (start..self.len()).chain(0..start).find(|&at| self.is_usable(at))
    }

    /// The next in turn, or somebody at random in its stead: were it always the one behind it, that would get twice its share.
    pub(crate) fn in_turn(&self, turn: usize) -> Option<usize> {
        let next = turn % self.len();
        if self.is_usable(next) { Some(next) } else { self.any() }
    }

    /// Any usable one, each as likely as the other as long as most are usable.
    pub(crate) fn any(&self) -> Option<usize> {
        let draw = || Some(fastrand::usize(..self.len())).filter(|&at| self.is_usable(at));
        draw().or_else(draw).or_else(|| self.usable_from(fastrand::usize(..self.len())))
    }

    /// Which of two is likely to answer sooner; `first` where they are alike.
    pub(crate) fn better(&self, first: usize, second: usize) -> usize {
        let (a, b) = (&self.ready[first], &self.ready[second]);
        let (mut latency, mut other) = (a.estimate(self.now), b.estimate(self.now));
        if latency.is_none() || other.is_none() {
            (latency, other) = (None, None);
        }
        let cost = a.cost(latency, self.slow_start, self.now);
        if b.cost(other, self.slow_start, self.now) < cost { second } else { first }
    }

    /// Whether neither of the two has anything to do, and the first is not much slower.
    pub(crate) fn are_idle(&self, first: usize, second: usize) -> bool {
        let (a, b) = (&self.ready[first], &self.ready[second]);
        let is_idle = a.in_flight() == 0 && b.in_flight() == 0;
        is_idle && a.estimate(self.now).zip(b.estimate(self.now)).is_none_or(|(a, b)| a < b * MUCH_SLOWER)
    }

    /// A lease on that one, or on the next that gives one: between the look and the claim the world may have changed.
    pub(crate) fn claim(&self, first: usize) -> Option<Lease> {
        let in_turn = || (first + 1..self.len()).chain(0..first).filter(|&at| self.is_usable(at));
        let claim = |at: usize| self.ready[at].claim(self.limit, self.now);
        claim(first).or_else(|| in_turn().find_map(claim))
    }

    /// Why there is none to be had.
    pub(crate) fn why_none(&self) -> NoReplica {
        let mut why = NoReplica::NoneReady;
        for replica in self.ready.iter().filter(|replica| self.is_willing(replica)) {
            if !self.tried.contains(replica.id()) {
                return NoReplica::Busy;
            }
            why = NoReplica::Tried;
        }
        why
    }
}
