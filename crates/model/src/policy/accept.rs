//! Weights and slow starts for policies that do not compare: a replica with less than the greatest share is passed over now
//! and then.

use crate::candidates::Candidates;

/// How often one is drawn before whoever comes is taken.
pub(super) const DRAWS: usize = 16;

/// Whether a replica takes its turn: always with the greatest share, else that much more seldom.
pub(super) fn by_weight(candidates: &Candidates<'_>, at: usize) -> bool {
    let share = candidates.ready[at].turns(candidates.slow_start, candidates.now);
    share >= candidates.heaviest || fastrand::f32() * candidates.heaviest < share
}
