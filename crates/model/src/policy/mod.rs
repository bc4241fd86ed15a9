//! How to pick a replica: one algorithm per file, each a function of the candidates.
//!
//! Who may be picked at all (ready, well, not tried before, below its limit) is for `Candidates` to say, for all of them.

mod accept;
pub(crate) mod affinity;
mod least_requests;
mod p2c;
mod random;
mod round_robin;

use std::fmt;
use std::str::FromStr;

use crate::candidates::Candidates;

/// How to pick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Of all replicas the one with the fewest requests in flight.
    LeastRequests,
    /// Of two replicas, the next in turn and one drawn at random, the one that is likely to answer sooner.
    #[default]
    P2c,
    /// Any, each as likely as the other.
    Random,
    /// One after the other.
    RoundRobin,
}

impl Policy {
    /// All of them, for help texts and tests.
    pub const ALL: [Self; 4] = [Self::P2c, Self::LeastRequests, Self::RoundRobin, Self::Random];

    /// What users write.
    pub fn name(self) -> &'static str {
        match self {
            Self::LeastRequests => "least-requests",
            Self::P2c => "p2c",
            Self::Random => "random",
            Self::RoundRobin => "round-robin",
        }
    }

    /// The index of the replica that gets the request; `turn` counts the service's picks. None where none is usable.
    pub(crate) fn choose(self, candidates: &Candidates<'_>, turn: usize) -> Option<usize> {
        if candidates.len() == 0 {
            return None;
        }
        match self {
            Self::LeastRequests => least_requests::choose(candidates),
            Self::P2c => p2c::choose(candidates, turn),
            Self::Random => random::choose(candidates),
            Self::RoundRobin => round_robin::choose(candidates, turn),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        Self::ALL.into_iter().find(|policy| policy.name() == text).ok_or(UnknownPolicy)
    }
}

/// A policy of that name does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPolicy;

impl fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Policy::ALL.map(Policy::name).join(", ");
        write!(f, "not a policy; one of {names}")
    }
}

impl std::error::Error for UnknownPolicy {}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::card::Card;
    use crate::moment::Moment;
    use crate::replica::{Health, Lease, Readiness, Replica};
    use crate::tried::Tried;

    const NOW: Moment = Moment::from_nanos(1_000_000_000);

    /// Replicas to choose among.
    pub(crate) struct Crowd(Vec<Arc<Replica>>);

    /// That many replicas, alike.
    pub(crate) fn crowd(count: usize) -> Crowd {
        heavy(&vec![1; count])
    }

    /// Replicas of these weights.
    pub(crate) fn heavy(weights: &[u32]) -> Crowd {
        let addr = SocketAddr::from(([127, 0, 0, 1], 80));
        let cards = (1..).zip(weights).map(|(number, weight)| Card { weight: *weight, ..Card::new("web", number) });
        let replica = |card| Replica::new(&Arc::default(), card, addr, Readiness::Ready, Health::Up);
        Crowd(cards.map(replica).collect())
    }

    impl Crowd {
        pub(crate) fn candidates(&self) -> Candidates<'_> {
            static NONE: Tried = Tried::NONE;
            self.but(&NONE)
        }

        fn but<'a>(&'a self, tried: &'a Tried) -> Candidates<'a> {
            let heaviest = self.0.iter().map(|replica| replica.weight()).fold(0.0, f32::max);
            let (limit, slow_start) = (usize::MAX, Duration::ZERO);
            Candidates { ready: &self.0, tried, all: false, limit, slow_start, heaviest, now: NOW }
        }

        /// The same for a request that was at `at` before.
        pub(crate) fn tried(&self, at: usize, then: impl FnOnce(&Candidates<'_>)) {
            let mut tried = Tried::default();
            tried.add(self.0[at].id());
            then(&self.but(&tried));
        }

        pub(crate) fn claim(&self, at: usize) -> Lease {
            self.0[at].claim(usize::MAX, NOW).expect("ready")
        }

        pub(crate) fn answer_after(&self, at: usize, millis: u64) {
            let begun = Moment::from_nanos(NOW.as_nanos() - millis * 1_000_000);
            let lease = self.0[at].claim(usize::MAX, begun).expect("ready");
            lease.answered(true, NOW);
        }
    }

    #[test]
    fn names_are_read_back() {
        for policy in Policy::ALL {
            assert_eq!(policy.name().parse(), Ok(policy));
        }
        assert_eq!("fastest".parse::<Policy>(), Err(UnknownPolicy));
    }

    #[test]
    fn every_policy_passes_over_who_is_out() {
        for policy in Policy::ALL {
            let crowd = crowd(4);
            crowd.0[1].set_readiness(Readiness::Draining, NOW);
            crowd.0[2].change_health(Health::Up, Health::Ejected);
            crowd.tried(0, |candidates| {
                assert!((0..50).all(|turn| policy.choose(candidates, turn) == Some(3)), "{policy}");
            });
            crowd.0[3].change_health(Health::Up, Health::Down);
            crowd.tried(0, |candidates| assert_eq!(policy.choose(candidates, 0), None, "{policy}"));
        }
    }

    #[test]
    fn every_policy_reaches_every_replica_by_its_weight() {
        for policy in [Policy::RoundRobin, Policy::Random] {
            let crowd = heavy(&[4, 2, 2, 2]);
            let mut seen = [0; 4];
            (0..10_000).for_each(|turn| seen[policy.choose(&crowd.candidates(), turn).expect("one")] += 1);
            assert!((3700..4300).contains(&seen[0]), "{policy}: {seen:?}");
            assert!(seen[1..].iter().all(|count| (1800..2200).contains(count)), "{policy}: {seen:?}");
        }
    }
}
