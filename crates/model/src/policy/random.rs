//! Any replica, each as likely as its weight says: what the program of 2016 did.

use super::accept;
use crate::candidates::Candidates;

pub(super) fn choose(candidates: &Candidates<'_>) -> Option<usize> {
    let drawn = (0..accept::DRAWS).find_map(|_| candidates.any().filter(|&at| accept::by_weight(candidates, at)));
    drawn.or_else(|| candidates.any())
}
