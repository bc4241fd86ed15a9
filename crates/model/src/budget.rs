//! The retry budget: how many of a service's requests may be attempts beyond the first. Without one, replicas that fail under
//! load get twice that load.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::moment::Moment;
use crate::spec::RetryLimits;
use crate::state::State;

/// The seconds over which the share is taken.
const SECONDS: usize = 10;

/// What one second saw.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    number: u64,
    /// Requests of the service ever, when the second began.
    requests_before: u64,
    retries: u64,
}

/// Counts attempts over a sliding window. Only those who want to retry come here, so a lock does no harm.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    window: Mutex<[Second; SECONDS]>,
}

/// One attempt beyond the first, drawn from the budget of a service. One that is dropped without having been made goes back:
/// there may be nobody to make it at.
#[derive(Debug)]
#[must_use]
pub struct Retry {
    /// Of the service; None where it was made.
    state: Option<Arc<State>>,
    drawn_at: Moment,
}

impl Retry {
    pub(crate) fn new(state: &Arc<State>, now: Moment) -> Self {
        Self { state: Some(Arc::clone(state)), drawn_at: now }
    }

    /// It is made now.
    pub fn make(mut self) {
        self.state = None;
    }
}

impl Drop for Retry {
    fn drop(&mut self) {
        if let Some(state) = &self.state {
            state.give_back(self.drawn_at);
        }
    }
}

impl Budget {
    /// Takes one retry out of the budget, if there is one. `requests` are the service's requests ever.
    pub(crate) fn draw(&self, limits: &RetryLimits, requests: u64, now: Moment) -> bool {
        let mut window = self.lock();
        note(&mut window, requests, now);
        let number = number(now);
        let recent = || window.iter().filter(|second| second.number + SECONDS as u64 > number);
        let before = recent().map(|second| second.requests_before).min().unwrap_or(requests);
        let share = requests.saturating_sub(before) * u64::from(limits.percent) / 100;
        let allowed = share.max(u64::from(limits.per_second) * SECONDS as u64);
        let is_left = recent().map(|second| second.retries).sum::<u64>() < allowed;
        if is_left {
            window[slot(number)].retries += 1;
        }
        is_left
    }

    /// Puts one back that was drawn then. What is older than the window counts no more anyway.
    pub(crate) fn give_back(&self, drawn_at: Moment) {
        let number = number(drawn_at);
        let second = &mut self.lock()[slot(number)];
        if second.number == number {
            second.retries = second.retries.saturating_sub(1);
        }
    }

    /// Notes how many requests there were by now; called at least once a second for the share to be right.
    pub(crate) fn note(&self, requests: u64, now: Moment) {
        note(&mut self.lock(), requests, now);
    }

    fn lock(&self) -> MutexGuard<'_, [Second; SECONDS]> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(window: &mut [Second; SECONDS], requests: u64, now: Moment) {
    let number = number(now);
    let second = &mut window[slot(number)];
    if second.number != number {
        *second = Second { number, requests_before: requests, retries: 0 };
    }
}

/// The second's number, from 1: 0 is a second that never was.
fn number(now: Moment) -> u64 {
    now.as_nanos() / 1_000_000_000 + 1
}

fn slot(number: u64) -> usize {
    (number % SECONDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RetryLimits = RetryLimits { percent: 20, per_second: 2 };

    const fn at(second: u64) -> Moment {
        Moment::from_nanos(second * 1_000_000_000)
    }

    fn draw_all(budget: &Budget, requests: u64, now: Moment) -> usize {
        (0..1000).take_while(|_| budget.draw(&LIMITS, requests, now)).count()
    }

    #[test]
    fn a_quiet_service_has_a_few_per_second() {
        let budget = Budget::default();
        assert_eq!(draw_all(&budget, 1, at(0)), 20);
        assert_eq!(draw_all(&budget, 1, at(9)), 0, "the window is not over");
        assert_eq!(draw_all(&budget, 1, at(10)), 20);
    }

    #[test]
    fn a_busy_one_has_a_fifth_of_its_requests() {
        let budget = Budget::default();
        budget.note(0, at(0));
        budget.note(500, at(1));
        assert_eq!(draw_all(&budget, 1000, at(2)), 200);
        for second in 3..13 {
            budget.note(1000, at(second));
        }
        assert_eq!(draw_all(&budget, 1000, at(13)), 20, "what was long ago buys nothing");
    }

    #[test]
    fn what_is_given_back_can_be_drawn_again() {
        let budget = Budget::default();
        assert_eq!(draw_all(&budget, 1, at(0)), 20);
        (0..3).for_each(|_| budget.give_back(at(0)));
        assert_eq!(draw_all(&budget, 1, at(9)), 3);
        // The second in which it was drawn is long over; what stands in its place is another one's.
        assert_eq!(draw_all(&budget, 1, at(10)), 17);
        budget.give_back(at(0));
        assert_eq!(draw_all(&budget, 1, at(10)), 0);
    }
}
