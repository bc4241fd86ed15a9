//! Time as a number, so that it fits into an atomic and a test can make its own.

use std::ops::Add;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// A moment: nanoseconds since the program first asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// Now, of a clock that never goes back.
    pub fn now() -> Self {
        Self::of(Instant::now())
    }

    /// The same moment as `instant`; one before the first is the first.
    pub fn of(instant: Instant) -> Self {
        static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        let age = instant.saturating_duration_since(*ORIGIN);
        // Wraps after 584 years.
        Self(age.as_secs().wrapping_mul(1_000_000_000).wrapping_add(u64::from(age.subsec_nanos())))
    }

    /// The moment so many nanoseconds after the first.
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the first moment.
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time since `earlier`; none if that is later.
    #[inline]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}
