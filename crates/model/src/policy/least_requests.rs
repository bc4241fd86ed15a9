//! Of all replicas the one with the fewest requests in flight. Looks at each: fine for tens of them, dear for thousands.

use std::sync::Arc;

use crate::replica::Replica;

pub(super) fn choose(candidates: &[Arc<Replica>]) -> usize {
    // A random start, so that equals share: from a fixed one the first would get every request of a quiet service.
    let start = fastrand::usize(..candidates.len());
    let in_turn = (start..candidates.len()).chain(0..start);
    in_turn.min_by_key(|&index| candidates[index].in_flight()).unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::replica::Readiness;

    #[test]
    fn the_idle_one_is_found() {
        let addr = SocketAddr::from(([127, 0, 0, 1], 80));
        let candidates: Vec<_> = (0..9).map(|_| Replica::new("web", addr, Readiness::Ready)).collect();
        let _leases: Vec<_> = candidates.iter().enumerate().filter(|(n, _)| *n != 6).map(|(_, r)| r.claim()).collect();
        for _ in 0..50 {
            assert_eq!(choose(&candidates), 6);
        }
    }
}
