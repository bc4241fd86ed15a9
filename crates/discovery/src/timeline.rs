//! Which events say nothing any more: told twice, or later than others that came after them.

use crate::event::{Event, What};

/// An event that is older than its container's run by more than this, in nanoseconds, is not late: the engine's clock was
/// set back.
const CLOCK_SET: i64 = 60_000_000_000;
/// At most so long after its process began a container's start is told, in nanoseconds.
const START_EVENT: i64 = 1_000_000_000;

/// When what happened to a container in this run of it, by the engine's clock in nanoseconds; 0 where nobody told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timeline {
    began: i64,
    health: i64,
    pause: i64,
    /// Whether an end before the beginning was heard of that only an inspection told.
    is_rerun: bool,
}

impl Timeline {
    /// Of a container whose start was told at that time.
    pub(crate) fn from(began: i64) -> Self {
        Self { began, ..Self::default() }
    }

    /// Whether an event says nothing any more, where `started` is what an inspection says about the beginning.
    pub(crate) fn is_old(&mut self, event: &Event, started: Option<i64>) -> bool {
        let began = if self.began > 0 { self.began } else { started.unwrap_or(0) };
        let age = event.at.saturating_sub(began);
        // Where nobody has said yet when the run began, events are still older and younger than each other.
        let is_known = began > 0;
        if event.at == 0 || is_known && age < -CLOCK_SET {
            return false;
        }
        if is_known && age <= 0 {
            return true;
        }
        let last = match event.what {
            // The inspection saw the process begin; the event of it comes a little later.
            What::Started => return is_known && self.began == 0 && age <= START_EVENT,
            What::Health(_) => &mut self.health,
            What::Paused | What::Unpaused => &mut self.pause,
            What::Signalled(_) | What::Ended | What::Renamed | What::Rewired => return false,
        };
        let is_old = event.at < *last && *last - event.at <= CLOCK_SET;
        *last = if is_old { *last } else { event.at };
        is_old
    }

    /// Whether an old event shows that this run is not the one in which the container was listed, but a later one. An
    /// inspection that was answered after a restart can arrive before the events of the restart: then it makes them old.
    pub(crate) fn is_first_sign_of_rerun(&mut self, old: &Event) -> bool {
        self.began == 0 && old.what == What::Ended && !std::mem::replace(&mut self.is_rerun, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Health;

    const SECOND: i64 = 1_000_000_000;

    fn event(what: What, at: i64) -> Event {
        Event { id: "a".into(), identity: None, name: String::new(), what, at }
    }

    #[test]
    fn what_was_before_the_start_is_old() {
        let mut timeline = Timeline::from(100 * SECOND);
        for what in [What::Started, What::Ended, What::Signalled(15), What::Paused] {
            assert!(timeline.is_old(&event(what, 100 * SECOND), None), "{what:?}");
            assert!(timeline.is_old(&event(what, 99 * SECOND), None), "{what:?}");
            assert!(!timeline.is_old(&event(what, 101 * SECOND), None), "{what:?}");
            assert!(!timeline.is_old(&event(what, SECOND), None), "{what:?}: the clock was set back");
            assert!(!timeline.is_old(&event(what, 0), None), "{what:?}: nobody told when");
        }
    }

    #[test]
    fn the_start_that_an_inspection_saw_is_told_a_little_later() {
        let mut timeline = Timeline::default();
        let started = Some(100 * SECOND);
        assert!(!timeline.is_old(&event(What::Started, 100 * SECOND), None), "not inspected");
        assert!(timeline.is_old(&event(What::Started, 100 * SECOND + SECOND / 2), started));
        assert!(!timeline.is_old(&event(What::Started, 102 * SECOND), started), "it was started again");
        assert!(timeline.is_old(&event(What::Ended, 99 * SECOND), started));
        assert!(!timeline.is_old(&event(What::Ended, 100 * SECOND + 1), started));
    }

    #[test]
    fn of_two_that_contradict_each_other_the_later_counts() {
        let mut timeline = Timeline::from(SECOND);
        assert!(!timeline.is_old(&event(What::Health(Health::Healthy), 3 * SECOND), None));
        assert!(timeline.is_old(&event(What::Health(Health::Unhealthy), 2 * SECOND), None));
        assert!(!timeline.is_old(&event(What::Health(Health::Unhealthy), 4 * SECOND), None));
        assert!(!timeline.is_old(&event(What::Paused, 2 * SECOND), None), "another matter");
        assert!(!timeline.is_old(&event(What::Signalled(15), 2 * SECOND), None), "a signal is never undone");
    }

    #[test]
    fn they_do_before_anybody_has_said_when_the_run_began() {
        let mut timeline = Timeline::default();
        assert!(!timeline.is_old(&event(What::Health(Health::Unhealthy), 300 * SECOND), None));
        assert!(timeline.is_old(&event(What::Health(Health::Healthy), 299 * SECOND), None));
        assert!(!timeline.is_old(&event(What::Started, 299 * SECOND), None));
        assert!(!timeline.is_old(&event(What::Health(Health::Healthy), 200 * SECOND), None), "the clock was set back");
        assert!(!timeline.is_old(&event(What::Health(Health::Unhealthy), 201 * SECOND), None));
    }
}
