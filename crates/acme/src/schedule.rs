//! When something is done: pure functions of time and of a number that spreads it.
//!
//! Lifetimes are of the wall clock, since certificates are. Pauses are of the monotonic clock, so that nobody who sets the
//! clock makes us ask again at once, or never.

use std::time::{Duration, Instant, SystemTime};

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// What certificates go by.
    pub(crate) wall: SystemTime,
    /// What pauses go by.
    pub(crate) steady: Instant,
}

impl Now {
    /// This moment.
    pub(crate) fn read() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }
}

/// From when to when a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Its first moment.
    pub from: SystemTime,
    /// Its last moment.
    pub until: SystemTime,
}

impl Validity {
    /// How long it holds.
    pub(crate) fn length(&self) -> Duration {
        self.until.duration_since(self.from).unwrap_or_default()
    }
}

/// When the authority would like a certificate to be renewed (RFC 9773 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its begin.
    pub start: SystemTime,
    /// Its end, which is later.
    pub end: SystemTime,
}

/// When a certificate is to be renewed. `share`, from 0 to 1, is where between the earliest and the latest moment.
///
/// With the authority's wish that is a moment in its window (RFC 9773 4.2: a uniformly random one), but not later than at
/// nine tenths of the lifetime, whatever the authority says, and not before the certificate is as old as `young`, or a tenth
/// of its lifetime: an authority that is always in a hurry would else be asked for one after the other. Without it the moment is the one that leaves a third, or up to
/// a thirtieth earlier: three days of ninety, five hours of six days.
pub(crate) fn renewal(validity: Validity, window: Option<Window>, share: f64, young: Duration) -> SystemTime {
    let share = share.clamp(0.0, 1.0);
    let length = validity.length();
    let Some(Window { start, end }) = window else {
        return validity.from + length.mul_f64(2.0 / 3.0 - share / 30.0);
    };
    let wish = start + end.duration_since(start).unwrap_or_default().mul_f64(share);
    wish.max(validity.from + young.min(length / 10)).min(validity.from + length.mul_f64(0.9))
}

/// How long to wait after the `times`th failure in a row: from `first`, doubling to `longest`, a quarter more or less by
/// `share` (0 to 1), and never less than the authority asked for.
pub(crate) fn pause(times: u32, first: Duration, longest: Duration, asked: Option<Duration>, share: f64) -> Duration {
    let doubled = first.saturating_mul(1 << times.saturating_sub(1).min(30)).min(longest);
    doubled.mul_f64(0.75 + share.clamp(0.0, 1.0) / 2.0).max(asked.unwrap_or_default().min(MOST_ASKED))
}

/// Limits of authorities are per week at most; who asks for more is mistaken, or a clock is.
const MOST_ASKED: Duration = Duration::from_hours(8 * 24);

/// How often an authority is asked when it would like a renewal: as often as it says, but not more often than each minute and
/// not less than each day (RFC 9773 4.3.2).
pub(crate) fn ask_again(said: Duration) -> Duration {
    said.clamp(Duration::from_mins(1), Duration::from_hours(24))
}

/// Watches the wall clock. After a leap nothing is renewed for some time, since everything may seem to be due at once; most
/// leaps are taken back, and a real one is no worse for a few minutes.
#[derive(Debug)]
pub(crate) struct Steadiness {
    last: Now,
    calm_from: Instant,
}

/// Further apart than this the clocks do not drift between two looks.
const LEAP: Duration = Duration::from_mins(10);
/// How long a new time must have stood.
const CALM: Duration = Duration::from_mins(5);

impl Steadiness {
    /// A clock that is believed at once: at the start there is nothing to compare it with.
    pub(crate) fn new(now: Now) -> Self {
        Self { last: now, calm_from: now.steady }
    }

    /// Whether the wall clock can be believed by now.
    pub(crate) fn look(&mut self, now: Now) -> bool {
        let expected = self.last.wall + now.steady.duration_since(self.last.steady);
        let apart = now.wall.duration_since(expected).unwrap_or_else(|earlier| earlier.duration());
        if apart > LEAP {
            self.calm_from = now.steady + CALM;
        }
        self.last = now;
        now.steady >= self.calm_from
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn validity(days: u32) -> Validity {
        let from = UNIX_EPOCH + DAY * 20_000;
        Validity { from, until: from + DAY * days }
    }

    #[test]
    fn without_a_wish_a_third_of_the_lifetime_is_left() {
        let ninety = validity(90);
        assert_eq!(renewal(ninety, None, 0.0, DAY), ninety.from + DAY * 60);
        assert_eq!(renewal(ninety, None, 1.0, DAY), ninety.from + DAY * 57);
        let (six, seed) = (validity(6), fastrand::u64(..));
        let at = renewal(six, None, fastrand::Rng::with_seed(seed).f64(), DAY);
        assert!(at >= six.from + DAY * 3 && at <= six.from + DAY * 4, "seed {seed}: {at:?}");
    }

    #[test]
    fn a_wish_is_followed_wherever_it_lies_but_not_to_the_end() {
        let ninety = validity(90);
        let window = |from: u32, to: u32| Some(Window { start: ninety.from + DAY * from, end: ninety.from + DAY * to });
        assert_eq!(renewal(ninety, window(10, 12), 0.5, DAY), ninety.from + DAY * 11);
        assert_eq!(renewal(ninety, window(2, 2), 0.5, DAY), ninety.from + DAY * 2, "a revocation is near: at once");
        assert_eq!(renewal(ninety, window(0, 0), 0.5, DAY), ninety.from + DAY, "but not one after the other");
        let six = validity(6);
        let past = Some(Window { start: UNIX_EPOCH, end: UNIX_EPOCH });
        assert_eq!(renewal(six, past, 0.5, DAY), six.from + DAY * 6 / 10, "nor for short ones");
        assert_eq!(renewal(ninety, window(200, 300), 0.5, DAY), ninety.from + DAY * 81);
        assert_eq!(
            renewal(ninety, window(12, 10), 0.5, DAY),
            ninety.from + DAY * 12,
            "a window that ends before it begins"
        );
    }

    #[test]
    fn pauses_double_up_to_a_day_and_spread() {
        let of = |times, share| pause(times, Duration::from_mins(1), DAY, None, share);
        assert_eq!(of(1, 0.5), Duration::from_mins(1));
        assert_eq!(of(2, 0.5), Duration::from_mins(2));
        assert_eq!(of(2, 0.0), Duration::from_secs(90));
        assert_eq!(of(2, 1.0), Duration::from_secs(150));
        assert_eq!(of(12, 0.5), DAY);
        assert_eq!(of(u32::MAX, 1.0), DAY.mul_f64(1.25));
        assert_eq!(of(0, 0.5), Duration::from_mins(1), "nobody has failed zero times, but it must not panic");
    }

    #[test]
    fn the_authority_can_ask_for_longer_pauses_and_not_for_shorter_ones() {
        let of = |asked| pause(1, Duration::from_mins(1), DAY, Some(asked), 0.5);
        assert_eq!(of(Duration::from_hours(3)), Duration::from_hours(3));
        assert_eq!(of(Duration::ZERO), Duration::from_mins(1));
        assert_eq!(of(Duration::MAX), MOST_ASKED);
        assert_eq!(ask_again(Duration::ZERO), Duration::from_mins(1));
        assert_eq!(ask_again(Duration::MAX), DAY);
    }

    #[test]
    fn after_a_leap_the_clock_is_believed_when_it_has_stood() {
        let start = Now::read();
        let at = |minutes: u64, leap: Duration| Now {
            wall: start.wall + Duration::from_mins(minutes) + leap,
            steady: start.steady + Duration::from_mins(minutes),
        };
        let mut clock = Steadiness::new(start);
        assert!(clock.look(at(60, Duration::ZERO)), "an hour on both clocks is no leap");
        assert!(!clock.look(at(61, DAY * 100)));
        assert!(!clock.look(at(65, DAY * 100)));
        assert!(clock.look(at(66, DAY * 100)));
        assert!(!clock.look(at(67, Duration::ZERO)), "a leap back is one, too");
        assert!(!clock.look(at(71, Duration::ZERO)) && clock.look(at(72, Duration::ZERO)));
    }
}
