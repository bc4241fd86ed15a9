//! One after the other; the turn is one atomic for all workers and survives changes. With weights, a replica lets some of its
//! turns go by.

use super::accept;
use crate::candidates::Candidates;

pub(super) fn choose(candidates: &Candidates<'_>, turn: usize) -> Option<usize> {
    let next = turn % candidates.len();
    if candidates.is_usable(next) && accept::by_weight(candidates, next) {
        return Some(next);
    }
    // Somebody at random takes the turn: were it the next one, that would get twice its share.
    super::random::choose(candidates)
}
