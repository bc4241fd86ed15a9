//! The replica that a request should come back to.

use crate::candidates::Candidates;

/// The one with that number, where it can take the request.
pub(crate) fn numbered(candidates: &Candidates<'_>, number: u32) -> Option<usize> {
    let at = candidates.ready.binary_search_by_key(&number, |replica| replica.number()).ok()?;
    candidates.is_usable(at).then_some(at)
}

/// The one with the highest score for that hash (rendezvous hashing, Thaler and Ravishankar, 1998): when a replica goes only
/// its own requests move, and when it comes back they return. Scores are made of numbers, which a new container inherits.
pub(crate) fn hashed(candidates: &Candidates<'_>, hash: u64) -> Option<usize> {
    let usable = (0..candidates.len()).filter(|&at| candidates.is_usable(at));
    let scored = usable.map(|at| {
        let replica = &candidates.ready[at];
        (at, score(hash, replica.number(), replica.weight()))
    });
    scored.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(at, _)| at)
}

/// Weighted as in "Weighted Distributed Hash Tables" (Schindelhauer and Schomaker, 2005).
fn score(hash: u64, number: u32, weight: f32) -> f32 {
    let mixed = mix(hash ^ mix(u64::from(number) + 1));
    let unit = ((mixed >> 40) as f32 + 0.5) / (1_u64 << 24) as f32;
    -weight / unit.ln()
}

/// The finaliser of SplitMix64: every bit of the input moves every bit of the output.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::{crowd, heavy};

    #[test]
    fn when_one_goes_only_its_own_requests_move() {
        let crowd = crowd(5);
        let all: Vec<_> = (0..1000).map(|hash| hashed(&crowd.candidates(), hash).expect("one")).collect();
        assert!((0..5).all(|at| all.iter().filter(|&&chosen| chosen == at).count() > 120), "evenly");
        crowd.tried(2, |candidates| {
            for (hash, &before) in (0..).zip(&all) {
                let now = hashed(candidates, hash).expect("one");
                assert!(now == before || before == 2, "only those of the one that went move");
            }
        });
    }

    #[test]
    fn weights_count() {
        let crowd = heavy(&[1, 3]);
        let heavy = (0..4000).filter(|&hash| hashed(&crowd.candidates(), hash) == Some(1)).count();
        assert!((2850..3150).contains(&heavy), "{heavy} of 4000");
    }

    #[test]
    fn a_number_is_found_while_it_can_be_used() {
        let crowd = crowd(3);
        assert_eq!(numbered(&crowd.candidates(), 2), Some(1));
        assert_eq!(numbered(&crowd.candidates(), 9), None);
        crowd.tried(1, |candidates| assert_eq!(numbered(candidates, 2), None));
    }
}
