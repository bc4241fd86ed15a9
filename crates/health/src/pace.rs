//! How often replicas are asked.

use std::time::Duration;

use divisi_model::Moment;

/// How often replicas are asked where their service does not say.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Pause after the first answer that is not the wanted one; grows by half from one to the next.
    pub first: Duration,
    /// Longest pause while the trouble is young.
    pub most: Duration,
    /// From this age on it is no longer young.
    pub young: Duration,
    /// Longest pause of all.
    pub most_when_old: Duration,
    /// How long a connection may take to be accepted.
    pub patience: Duration,
    /// Most questions under way.
    pub at_once: usize,
    /// Most questions per second.
    pub per_second: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(2),
            most: Duration::from_millis(40),
            young: Duration::from_secs(60),
            most_when_old: Duration::from_millis(500),
            patience: Duration::from_secs(1),
            at_once: 256,
            per_second: 2000,
        }
    }
}

impl Pace {
    /// The next pause where somebody is to be back soon: `last` was the one before, `age` is how long the trouble lasts.
    pub(crate) fn quick(&self, last: Duration, age: Duration) -> Duration {
        let most = if age < self.young { self.most } else { self.most_when_old };
        if last.is_zero() { self.first } else { last.saturating_add(last / 2).min(most) }
    }

    fn gap(&self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }
}

/// Keeps the questions within those allowed per second, whoever wants to be asked. As many as may be under way can be put at
/// once after a quiet time.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// When the next question would be put, were they put evenly.
    next: Moment,
}

impl Throttle {
    /// From when on one may be put.
    pub(crate) fn due(&self, pace: &Pace) -> Moment {
        let burst = pace.gap() * u32::try_from(pace.at_once).unwrap_or(u32::MAX);
        let burst = u64::try_from(burst.as_nanos()).unwrap_or(u64::MAX);
        Moment::from_nanos(self.next.as_nanos().saturating_sub(burst))
    }

    /// One was put.
    pub(crate) fn count(&mut self, pace: &Pace, now: Moment) {
        self.next = self.next.max(now) + pace.gap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_2_to_40_ms_and_to_500_ms_when_old() {
        let pace = Pace::default();
        let mut pauses = vec![pace.quick(Duration::ZERO, Duration::ZERO)];
        for _ in 0..10 {
            pauses.push(pace.quick(pauses[pauses.len() - 1], Duration::ZERO));
        }
        assert_eq!((pauses[0], pauses[1], pauses[10]), (pace.first, Duration::from_millis(3), pace.most));
        let mut last = pace.most;
        for _ in 0..10 {
            last = pace.quick(last, pace.young);
        }
        assert_eq!(last, pace.most_when_old);
    }

    #[test]
    fn no_more_are_asked_than_may_be() {
        let pace = Pace { at_once: 4, per_second: 10, ..Pace::default() };
        let (mut throttle, mut now, mut asked) = (Throttle::default(), Moment::from_nanos(1 << 40), 0);
        let end = now + Duration::from_secs(10);
        while now < end {
            if throttle.due(&pace) <= now {
                throttle.count(&pace, now);
                asked += 1;
            }
            now = now + Duration::from_millis(1);
        }
        assert_eq!(asked, 104, "ten a second, and once as many as may be under way");
    }
}
