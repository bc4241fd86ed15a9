//! How to pick a replica: one algorithm per file, each a function of the candidates.
//!
//! A policy only says where to look first. Whether that replica may be picked (not tried before, not draining) is decided
//! in one place for all of them, by [`Service::pick`](crate::Service::pick), which goes on from there in turn.

mod least_requests;
mod p2c;
mod random;
mod round_robin;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::replica::Replica;

/// How to pick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Of all replicas the one with the fewest requests in flight.
    LeastRequests,
    /// Of two replicas, the next in turn and one drawn at random, the one with fewer requests in flight.
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

    /// The index of the replica to try first. `candidates` is not empty.
    pub(crate) fn choose(self, candidates: &[Arc<Replica>], cursor: &AtomicUsize) -> usize {
        match self {
            Self::LeastRequests => least_requests::choose(candidates),
            Self::P2c => p2c::choose(candidates, cursor),
            Self::Random => random::choose(candidates),
            Self::RoundRobin => round_robin::choose(candidates, cursor),
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
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for policy in Policy::ALL {
            assert_eq!(policy.name().parse(), Ok(policy));
        }
        assert_eq!("fastest".parse::<Policy>(), Err(UnknownPolicy));
    }
}
