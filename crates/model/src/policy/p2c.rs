//! The power of two choices: of two replicas drawn at random the one with fewer requests in flight. Two looks whatever the
//! size of the service, and no herd runs to the one that was idle a moment ago (Mitzenmacher, 2001).

use std::sync::Arc;

use crate::replica::Replica;

pub(super) fn choose(candidates: &[Arc<Replica>]) -> usize {
    let count = candidates.len();
    if count == 1 {
        return 0;
    }
    let one = fastrand::usize(..count);
    // Drawn from the others, so that the two always differ.
    let other = (one + 1 + fastrand::usize(..count - 1)) % count;
    if candidates[other].in_flight() < candidates[one].in_flight() { other } else { one }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::replica::Readiness;

    #[test]
    fn of_two_the_idle_one_is_always_chosen() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 80));
        let candidates: Vec<_> = (0..2).map(|_| Replica::new("web", addr, Readiness::Ready)).collect();
        let _lease = candidates[0].claim();
        for _ in 0..100 {
            assert_eq!(choose(&candidates), 1);
        }
    }
}
