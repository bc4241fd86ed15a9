//! What is to happen, and when. What is close together may happen in any order.

use std::collections::BTreeMap;
use std::time::Duration;

use divisi_health::Visit;
use divisi_model::Moment;

use super::millis;
use super::world::Place;
use crate::probe::Candidate;

/// Something that is to happen.
#[derive(Debug)]
pub(super) enum Item {
    /// A process begins to accept.
    Accepts(Place),
    /// A process ends by itself.
    Ends(Place),
    /// A process that was to end is killed.
    Killed(Place),
    /// A container with a restart policy is started again.
    Restarts(Place),
    /// What is on the stream arrives.
    Delivers,
    /// The stream is made anew.
    Reconnects,
    /// The engine looks for the answer to a call.
    Looks(u64),
    /// The answer arrives.
    Answers(u64),
    /// A timer of the change's way.
    Wakes,
    /// The ward looks at the world.
    Visits,
    /// A probe has ended.
    Probed(Candidate),
    /// A question to a replica, put at that time, has ended.
    Asked(Visit, Moment),
    /// A worker's clock ticks.
    Ticks,
    /// An attempt reaches the replica's address.
    Connects(u64, u64),
    /// The replica may have answered.
    Replies(u64, u64),
    /// Nobody has answered.
    TimesOut(u64, u64),
    /// The exchange ends.
    Finishes(u64, u64),
    /// One that waits was woken.
    Called(u64),
    /// One has waited too long.
    GivesUp(u64, u64),
    /// One that was beyond the budget looks again.
    Affords(u64, u64),
    /// One whose attempts have failed looks again.
    LooksAgain(u64, u64),
}

type Key = (Duration, u64);

/// What is to happen.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    items: BTreeMap<Key, Item>,
    count: u64,
    wake: Option<Key>,
}

impl Agenda {
    /// How far apart two things must be for their order to be certain.
    const BLUR: Duration = millis(1);

    pub(super) fn add(&mut self, due: Duration, item: Item) {
        self.count += 1;
        self.items.insert((due, self.count), item);
    }

    /// The timer of the change's way is set; it has but one.
    pub(super) fn wake_at(&mut self, due: Option<Duration>) {
        if self.wake.map(|(due, _)| due) == due {
            return;
        }
        if let Some(key) = self.wake.take() {
            self.items.remove(&key);
        }
        if let Some(due) = due {
            self.add(due, Item::Wakes);
            self.wake = Some((due, self.count));
        }
    }

    /// One of the things that are due next.
    pub(super) fn pop(&mut self, random: &mut fastrand::Rng) -> Option<(Duration, Item)> {
        let first = self.items.first_key_value()?.0.0;
        let close = self.items.range(..=(first + Self::BLUR, u64::MAX)).take(5).count();
        let key = *self.items.keys().nth(random.usize(..close))?;
        if self.wake == Some(key) {
            self.wake = None;
        }
        self.items.remove(&key).map(|item| (key.0, item))
    }
}
