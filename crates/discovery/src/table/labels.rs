//! What the labels of containers say, and what that changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use tracing::info;

use super::Table;
use crate::container::ContainerId;
use crate::news::Turn;

/// Whose labels were complained of. Kept beyond the end of a container: one that is started again and again is not to be
/// complained of each time.
#[derive(Debug, Default)]
pub(super) struct Told(HashSet<ContainerId>);

impl Told {
    /// Beyond so many all are forgotten, and perhaps complained of a second time.
    const MOST: usize = 10_000;

    fn is_first(&mut self, id: &ContainerId) -> bool {
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.insert(Arc::clone(id))
    }
}

impl Table {
    /// Reads the labels of a container of the chosen service, unless they were read before.
    pub(super) fn read_labels(&mut self, id: &ContainerId, now: Instant) {
        let Some(chosen) = &mut self.chosen else { return };
        let Some(entry) = self.entries.get_mut(id) else { return };
        if entry.age.is_some() || !entry.seen || chosen.key != entry.identity.key {
            return;
        }
        let reading = divisi_labels::read(entry.container.labels.iter(), &self.spec);
        let spec = if reading.spec == *self.spec { Arc::clone(&self.spec) } else { Arc::new(reading.spec) };
        let age = (entry.container.created, entry.born, Arc::clone(id));
        entry.weight = reading.weight;
        entry.age = Some(age.clone());
        chosen.want(age, spec);
        if !reading.complaints.is_empty() && self.told.is_first(id) {
            let count = chosen.count();
            for complaint in reading.complaints {
                let turn = Turn::Mislabelled(&complaint.to_string());
                self.news.tell(now, &entry.container.name, &turn, count, count);
            }
        }
    }

    /// Does what the labels of the newest container want of the service.
    pub(super) fn adopt_spec(&mut self) {
        let Some(chosen) = &mut self.chosen else { return };
        let Some(id) = chosen.adopt() else { return };
        self.changed = true;
        let name = self.entries.get(&id).map_or("", |entry| &entry.container.name);
        info!("service {:?} is served as the labels of {name} say", chosen.key.service);
    }
}
