//! One after the other; the turn is one atomic for all workers and survives changes. With weights, a replica lets some of its
//! turns go by.

use super::accept;
use crate::candidates::Candidates;

pub(super) fn choose(candidates: &Candidates<'_>, turn: usize) -> Option<usize> {
    let next = candidates.in_turn(turn).filter(|&next| accept::by_weight(candidates, next));
    next.or_else(|| super::random::choose(candidates))
}
