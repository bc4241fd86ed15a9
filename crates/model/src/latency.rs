//! How soon a replica answers: a moving average that rises at once and falls slowly (peak-EWMA, as in Finagle), and that
//! also sees the answers that do not come.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::moment::Moment;

/// How long an old answer counts: after so long it has a third of its weight.
const MEMORY: Duration = Duration::from_secs(2);

/// Nanoseconds. Answers below this are equally good: what differs there is the machine's noise, and one answer that came late
/// must not keep a replica of a fast service away from its requests.
const FLOOR: f32 = 10e6;

/// A replica that has not answered for so many times its usual time counts as that slow, and not as slower. Were there no
/// bound, one request that waits on purpose (a long poll) would keep all others away from its replica.
const MOST_SILENCE: f32 = 16.0;

/// What is known of how soon a replica answers. Written on every request by any worker; a lost update is one answer that
/// does not count.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    /// Nanoseconds, as the bits of an `f32`; 0 before the first answer.
    average: AtomicU32,
    /// When `average` was true.
    stamp: AtomicU64,
    /// Requests that wait for the head of their response.
    awaited: AtomicU32,
    /// When it last answered, or began to owe an answer.
    heard: AtomicU64,
}

impl Latency {
    /// A request goes to the replica.
    pub(crate) fn ask(&self, now: Moment) {
        if self.awaited.fetch_add(1, Relaxed) == 0 {
            self.heard.store(now.as_nanos(), Relaxed);
        }
    }

    /// The head of a response came to a request of `asked`.
    pub(crate) fn answer(&self, asked: Moment, now: Moment) {
        self.give_up();
        self.heard.store(now.as_nanos(), Relaxed);
        let (old, new) = (self.average(), now.since(asked).as_nanos() as f32);
        let next = if old <= new { new } else { new + (old - new) * self.fade(now) };
        self.average.store(next.to_bits(), Relaxed);
        self.stamp.store(now.as_nanos(), Relaxed);
    }

    /// Nobody waits for that answer any more.
    pub(crate) fn give_up(&self) {
        self.awaited.fetch_sub(1, Relaxed);
    }

    /// How long a request would wait for an answer, in nanoseconds; None where nobody knows yet.
    pub(crate) fn estimate(&self, now: Moment) -> Option<f32> {
        let average = self.average();
        if average == 0.0 {
            return None;
        }
        let expected = (average * self.fade(now)).max(FLOOR);
        if self.awaited.load(Relaxed) == 0 {
            return Some(expected);
        }
        let silence = now.since(Moment::from_nanos(self.heard.load(Relaxed))).as_nanos() as f32;
        Some(expected.max(silence.min(expected * MOST_SILENCE)))
    }

    /// The average of late, undecayed: what people want to see.
    pub(crate) fn last(&self) -> Option<Duration> {
        let average = self.average();
        (average > 0.0).then(|| Duration::from_nanos(average as u64))
    }

    fn average(&self) -> f32 {
        f32::from_bits(self.average.load(Relaxed))
    }

    /// How much of the average is left by now.
    fn fade(&self, now: Moment) -> f32 {
        let age = now.since(Moment::from_nanos(self.stamp.load(Relaxed)));
        (-age.as_secs_f32() / MEMORY.as_secs_f32()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Moment {
        Moment::from_nanos(millis * 1_000_000)
    }

    fn millis(latency: &Latency, now: u64) -> f32 {
        latency.estimate(at(now)).expect("known") / 1e6
    }

    fn exchange(latency: &Latency, from: u64, to: u64) {
        latency.ask(at(from));
        latency.answer(at(from), at(to));
    }

    #[test]
    fn it_rises_at_once_and_falls_slowly() {
        let latency = Latency::default();
        assert_eq!(latency.estimate(at(0)), None);
        exchange(&latency, 0, 20);
        assert_eq!(millis(&latency, 20), 20.0);
        exchange(&latency, 20, 220);
        assert_eq!(millis(&latency, 220), 200.0);
        exchange(&latency, 220, 240);
        assert!(millis(&latency, 240) > 190.0, "one good answer does not make up for a bad one");
        assert!(millis(&latency, 2240) < 80.0, "after the memory's length a third is left");
        assert_eq!(millis(&latency, 100_000), 10.0, "the floor");
    }

    #[test]
    fn an_answer_that_does_not_come_counts_up_to_a_bound() {
        let latency = Latency::default();
        exchange(&latency, 0, 10);
        latency.ask(at(10));
        assert!((millis(&latency, 60) - 50.0).abs() < 1.0);
        assert!(millis(&latency, 10_000) <= 160.0);
        latency.give_up();
        assert!(millis(&latency, 10_000) <= 10.0, "nobody waits any more");
    }
}
