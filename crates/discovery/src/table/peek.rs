//! What only tests see of the table.

use super::Table;
use crate::container::{ContainerId, StopRule};
use crate::event::{Event, What};
use crate::signal;

impl Table {
    /// When the row of a container was made; None where there is none.
    pub(crate) fn born(&self, id: &ContainerId) -> Option<u64> {
        self.entries.get(id).map(|entry| entry.born)
    }

    /// Whether that event begins the stop of a container that stops by `rule`, and the table can know that.
    pub(crate) fn is_stopped_by(&self, event: &Event, rule: StopRule) -> bool {
        let Some(entry) = self.entries.get(&event.id) else { return false };
        let known = entry.container.stop.unwrap_or_default().signal;
        let mut timeline = entry.timeline;
        let is_stop = match event.what {
            What::Signalled(number) => number == signal::KILL || number == rule.signal && number == known,
            _ => false,
        };
        is_stop && !timeline.is_old(event, entry.container.started)
    }
}
