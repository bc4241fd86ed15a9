//! The power of two choices: of two replicas the one that is likely to answer sooner, which is its requests in flight times the
//! time in which it has answered of late. Two looks whatever the size of the service, and no herd runs to the one that was
//! idle a moment ago (Mitzenmacher, 2001).
//!
//! One of the two is the next in turn, the other is drawn at random. Two random ones balance as well under load, but a quiet
//! service would get ten requests on six or seven of its ten replicas.

use super::{accept, random};
use crate::candidates::Candidates;

pub(super) fn choose(candidates: &Candidates<'_>, turn: usize) -> Option<usize> {
    let next = candidates.in_turn(turn)?;
    let count = candidates.len();
    if count == 1 {
        return Some(next);
    }
    // Drawn from the others, so that the two always differ.
    let draw = || Some((next + 1 + fastrand::usize(..count - 1)) % count).filter(|&at| candidates.is_usable(at));
    let Some(other) = draw().or_else(draw) else { return Some(next) };
    if !candidates.are_idle(next, other) {
        return Some(candidates.better(next, other));
    }
    if accept::by_weight(candidates, next) { Some(next) } else { random::choose(candidates) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::{crowd, heavy};

    #[test]
    fn a_quiet_service_is_gone_through_in_turn() {
        let crowd = crowd(10);
        let mut chosen: Vec<_> = (7..17).filter_map(|turn| choose(&crowd.candidates(), turn)).collect();
        chosen.sort_unstable();
        assert_eq!(chosen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn of_two_the_idle_one_is_always_chosen() {
        let crowd = crowd(2);
        let _lease = crowd.claim(0);
        for turn in 0..100 {
            assert_eq!(choose(&crowd.candidates(), turn), Some(1));
        }
    }

    #[test]
    fn one_that_is_twenty_times_slower_is_left_alone() {
        let crowd = crowd(10);
        for at in 0..10 {
            crowd.answer_after(at, if at == 4 { 100 } else { 5 });
        }
        let slow = (0..1000).filter(|&turn| choose(&crowd.candidates(), turn) == Some(4)).count();
        assert_eq!(slow, 0);
    }

    #[test]
    fn one_late_answer_keeps_nobody_from_a_quiet_service() {
        let crowd = crowd(10);
        for at in 0..10 {
            crowd.answer_after(at, if at == 4 { 35 } else { 1 });
        }
        let mut chosen: Vec<_> = (0..10).filter_map(|turn| choose(&crowd.candidates(), turn)).collect();
        chosen.sort_unstable();
        assert_eq!(chosen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn weight_divides_a_quiet_service_too() {
        let crowd = heavy(&[1, 3]);
        let light = (0..4000).filter(|&turn| choose(&crowd.candidates(), turn) == Some(0)).count();
        assert!((850..1150).contains(&light), "{light} of 4000");
    }

    #[test]
    fn weight_divides_the_load() {
        let crowd = heavy(&[1, 3]);
        // In flight at 1 to 3 they are alike; one more at the light one and it is not chosen.
        let _light = crowd.claim(0);
        let _heavy: Vec<_> = (0..4).map(|_| crowd.claim(1)).collect();
        assert!((0..50).all(|turn| choose(&crowd.candidates(), turn) == Some(1)));
    }
}
