//! The power of two choices: of two replicas the one with fewer requests in flight. Two looks whatever the size of the
//! service, and no herd runs to the one that was idle a moment ago (Mitzenmacher, 2001).
//!
//! One of the two is the next in turn, the other is drawn at random. Two random ones balance as well under load, but a quiet
//! service would get ten requests on six or seven of its ten replicas.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::round_robin;
use crate::replica::Replica;

pub(super) fn choose(candidates: &[Arc<Replica>], cursor: &AtomicUsize) -> usize {
    let count = candidates.len();
    let next = round_robin::choose(candidates, cursor);
    if count == 1 {
        return next;
    }
    // Drawn from the others, so that the two always differ.
    let other = (next + 1 + fastrand::usize(..count - 1)) % count;
    if candidates[other].in_flight() < candidates[next].in_flight() { other } else { next }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::replica::Readiness;

    #[test]
    fn a_quiet_service_is_gone_through_in_turn() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 80));
        let candidates: Vec<_> = (0..10).map(|_| Replica::new("web", addr, Readiness::Ready)).collect();
        let cursor = AtomicUsize::new(7);
        let mut chosen: Vec<_> = (0..10).map(|_| choose(&candidates, &cursor)).collect();
        chosen.sort_unstable();
        assert_eq!(chosen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn of_two_the_idle_one_is_always_chosen() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 80));
        let candidates: Vec<_> = (0..2).map(|_| Replica::new("web", addr, Readiness::Ready)).collect();
        let _lease = candidates[0].claim();
        for n in 0..100 {
            assert_eq!(choose(&candidates, &AtomicUsize::new(n)), 1);
        }
    }
}
