//! What containers say, in labels and variables.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use divisi_labels::{Words, understand};

use super::Table;
use crate::container::ContainerId;
use crate::entry::Entry;
use crate::news::Turn;

/// Whose labels were complained of. Kept beyond the end of a container: one that is started again and again is not to be
/// complained of each time.
#[derive(Debug, Default)]
pub(super) struct Told(HashSet<(ContainerId, bool)>);

impl Told {
    /// Beyond so many all are forgotten, and perhaps complained of a second time.
    const MOST: usize = 10_000;

    fn is_first(&mut self, id: &ContainerId, is_whole: bool) -> bool {
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.insert((Arc::clone(id), is_whole))
    }
}

impl Table {
    /// Understands what a container says, unless that was done before: its labels as soon as they are known, and its environment,
    /// of which only an inspection tells, when there is any.
    pub(super) fn understand(&mut self, id: &ContainerId, now: Instant) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let environment = entry.container.environment.as_ref();
        let is_news = environment.is_some_and(|said| !said.is_empty()) && !entry.wish.is_whole;
        if !entry.seen || entry.wish.wish.is_some() && !is_news {
            return;
        }
        let (key, container) = (&entry.identity.key, &entry.container);
        let labels = container.labels.pairs();
        let environment = environment.map(|said| said.pairs()).unwrap_or_default();
        let words = Words {
            labels: &labels,
            environment: &environment,
            service: if key.is_composed() { &key.service } else { "" },
            project: &key.project,
            container: &container.name,
        };
        let wish = understand(&words, &self.spec, &self.reader);
        entry.wish.is_whole = container.environment.is_some();
        entry.wish.age.get_or_insert_with(|| (container.created, entry.born, Arc::clone(id)));
        let complaints: Vec<_> =
            wish.verdicts.iter().filter(|verdict| verdict.is_wrong()).map(ToString::to_string).collect();
        entry.wish.wish = Some(Arc::new(wish));
        entry.is_placed = false;
        if !complaints.is_empty() && self.told.is_first(id, entry.wish.is_whole && !environment.is_empty()) {
            let count = count(entry, &self.services);
            for complaint in complaints {
                self.news.tell(now, &entry.container.name, &Turn::Mislabelled(&complaint), count, count);
            }
        }
    }
}

/// How many get requests where that container is a replica.
pub(super) fn count(entry: &Entry, services: &super::services::Services) -> usize {
    entry.places.first().map_or(0, |place| services.count(place.slot))
}
