//! Of all replicas the one with the fewest requests in flight. Looks at each: fine for tens of them, dear for thousands.

use crate::candidates::Candidates;

pub(super) fn choose(candidates: &Candidates<'_>) -> Option<usize> {
    // A random start, so that equals share: from a fixed one the first would get every request of a quiet service.
    let start = fastrand::usize(..candidates.len());
    let in_turn = (start..candidates.len()).chain(0..start).filter(|&at| candidates.is_usable(at));
    let crowded = in_turn.map(|at| (at, candidates.ready[at].cost(None, candidates.slow_start, candidates.now)));
    crowded.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::crowd;

    #[test]
    fn the_idle_one_is_found() {
        let crowd = crowd(9);
        let _leases: Vec<_> = (0..9).filter(|n| *n != 6).map(|n| crowd.claim(n)).collect();
        for _ in 0..50 {
            assert_eq!(choose(&crowd.candidates()), Some(6));
        }
    }
}
