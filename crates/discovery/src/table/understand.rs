//! What containers say, in labels and variables.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use divisi_labels::{Wish, Words, understand};

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
        let Some(entry) = self.entries.get(id) else { return };
        let environment = entry.container.environment.as_ref();
        let is_news = environment.is_some_and(|said| !said.is_empty()) && !entry.wish.is_whole;
        if !entry.seen || entry.wish.wish.is_some() && !is_news {
            return;
        }
        let wish = self.understood_of_another(entry).unwrap_or_else(|| Arc::new(self.understood(entry)));
        let Some(entry) = self.entries.get_mut(id) else { return };
        let is_more = entry.container.environment.as_ref().is_some_and(|said| !said.is_empty());
        entry.wish.is_whole = entry.container.environment.is_some();
        entry.wish.age.get_or_insert_with(|| (entry.container.created, entry.born, Arc::clone(id)));
        let complaints: Vec<_> =
            wish.verdicts.iter().filter(|verdict| verdict.is_wrong()).map(ToString::to_string).collect();
        entry.wish.wish = Some(wish);
        entry.is_placed = false;
        if !complaints.is_empty() && self.told.is_first(id, is_more) {
            let count = count(entry, &self.services);
            for complaint in complaints {
                self.news.tell(now, &entry.container.name, &Turn::Mislabelled(&complaint), count, count);
            }
        }
    }

    fn understood(&self, entry: &Entry) -> Wish {
        let (key, container) = (&entry.identity.key, &entry.container);
        let (labels, environment) = (container.labels.pairs(), container.environment.as_ref());
        let environment = environment.map(|said| said.pairs()).unwrap_or_default();
        let words = Words {
            labels: &labels,
            environment: &environment,
            service: if key.is_composed() { &key.service } else { "" },
            project: &key.project,
            container: &container.name,
        };
        understand(&words, &self.spec, &self.reader)
    }

    /// What the newest container of the same service wants, where the two say the same, word for word. Replicas do, and to
    /// understand a word takes longer than to compare it.
    fn understood_of_another(&self, entry: &Entry) -> Option<Arc<Wish>> {
        let key = &entry.identity.key;
        // What is understood is the same only where the name of a container does not matter.
        if !key.is_composed() || self.reader.reads_container_names() {
            return None;
        }
        let newest = self.owners.get(key)?.newest().filter(|newest| newest.age.2 != entry.container.id)?;
        let other = self.entries.get(&newest.age.2)?;
        let theirs = other.container.environment.as_ref().filter(|said| other.wish.is_whole && !said.is_empty());
        let ours = entry.container.environment.as_ref().filter(|said| !said.is_empty());
        let is_same = other.container.labels == entry.container.labels && theirs == ours;
        is_same.then(|| Arc::clone(&newest.wish))
    }
}

/// How many get requests where that container is a replica.
pub(super) fn count(entry: &Entry, services: &super::services::Services) -> usize {
    entry.places.first().map_or(0, |place| services.count(place.slot))
}
