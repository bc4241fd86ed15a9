//! What the engine's answers, lists and inspections, do to the table.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::{Job, Table, note_signal, understand};
use crate::container::{Container, ContainerId, Life};
use crate::engine::{List, Unreadable};
use crate::entry::Entry;
use crate::event::{Event, What};
use crate::hash::Set;
use crate::news::Turn;

/// What happened while a list was on its way.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The clock when it was asked for.
    pub(super) mark: u64,
    /// Containers that ended since.
    pub(super) ended: HashSet<ContainerId>,
    /// Containers of which something else was heard and that are not in the table, and the signals among that.
    missed: HashMap<ContainerId, Vec<(u8, Instant)>>,
}

impl Listing {
    /// Something happened to a container that is not in the table.
    pub(super) fn miss(&mut self, event: Event, now: Instant) {
        match event.what {
            What::Ended => drop(self.ended.insert(event.id)),
            What::Signalled(number) => note_signal(self.missed.entry(event.id).or_default(), number, now),
            _ => drop(self.missed.entry(event.id).or_default()),
        }
    }
}

impl Table {
    /// A list is being asked for.
    pub(crate) fn begin_list(&mut self) {
        self.listing = Some(Listing { mark: self.clock, ..Listing::default() });
    }

    /// The list did not come.
    pub(crate) fn abandon_list(&mut self) {
        self.listing = None;
    }

    /// The list that was begun has come: what it does not name has ended.
    pub(crate) fn apply_list(&mut self, list: List, now: Instant) {
        let Some(mut listing) = self.listing.take() else { return };
        let is_first = !std::mem::replace(&mut self.listed, true);
        if is_first {
            self.news.hold(now);
        }
        let mut named = Set::default();
        named.reserve(list.containers.len());
        // The first list brings all of them at once.
        self.entries.reserve(list.containers.len().saturating_sub(self.entries.len()));
        self.dirty.reserve(list.containers.len());
        for container in list.containers {
            if container.life != Life::Ended {
                named.insert(Arc::clone(&container.id));
                self.take_listed(container, &mut listing);
            }
        }
        if is_first {
            // Containers that are not Compose's are not counted; they are few.
            self.services.expect(self.tallies.len());
            self.owners.expect(self.tallies.len());
        }
        // What is known of those that cannot be read stays: they run, or the engine would not have named them. Where it cannot
        // even be said whom it named, nobody has ended.
        let is_blind = list.unreadable.iter().any(|lost| lost.id.is_none());
        named.extend(list.unreadable.iter().filter_map(|lost| lost.id.clone()));
        self.complain(list.unreadable, now);
        let is_lost =
            |entry: &Entry| !is_blind && entry.touched <= listing.mark && !named.contains(&entry.container.id);
        let lost: Vec<_> =
            self.entries.values().filter(|entry| is_lost(entry)).map(|entry| Arc::clone(&entry.container.id)).collect();
        for id in lost {
            self.remove(&id, now);
        }
    }

    fn take_listed(&mut self, container: Container, listing: &mut Listing) {
        let id = Arc::clone(&container.id);
        if let Some(entry) = self.entries.get_mut(&id) {
            // The list may still be about an earlier run of it, with another address.
            if entry.born > listing.mark {
                return;
            }
            let state = entry.touched <= listing.mark;
            entry.asked &= !std::mem::take(&mut entry.failed);
            self.learn(&id, container, state);
        } else if let Some(identity) = container.identity.clone()
            && !listing.ended.contains(&id)
            && self.own.id.as_ref() != Some(&id)
        {
            let missed = listing.missed.remove(&id);
            let asked = missed.is_some();
            // What was heard of it may be newer than the list, so it gets nothing before it was asked after.
            let signalled = missed.unwrap_or_default();
            let entry = Entry::new(container, identity, listing.mark);
            self.insert(Entry { asked, seen: !asked, signalled, ..entry });
            if asked {
                self.jobs.push(Job::Inspect { id, ticket: self.clock, urgent: true });
            }
        }
    }

    /// The answer to [`Job::Inspect`]; None when there is no such container.
    pub(crate) fn inspected(&mut self, id: &ContainerId, ticket: u64, answer: Option<Container>, now: Instant) {
        let Some(entry) = self.entries.get_mut(id).filter(|entry| ticket >= entry.born) else { return };
        entry.asked = false;
        let state = entry.touched <= ticket;
        match answer {
            Some(container) if container.life != Life::Ended => {
                self.learn(id, container, state);
                let signalled = self.entries.get_mut(id).map(|entry| std::mem::take(&mut entry.signalled));
                let signalled = signalled.unwrap_or_default();
                if !signalled.is_empty() {
                    // So far that was a guess.
                    self.drain(id, None);
                }
                for (number, at) in signalled {
                    self.signal(id, number, at);
                }
            }
            Some(_) if !state => {}
            Some(_) | None => self.remove(id, now),
        }
    }

    /// Says of each entry that could not be read so, once.
    fn complain(&mut self, unreadable: Vec<Unreadable>, now: Instant) {
        for lost in unreadable.iter().filter(|lost| !self.unreadable.contains(lost)) {
            let why = format!("the engine's list has something of it that cannot be read: {}", lost.why);
            self.news.tell(now, &lost.name, &Turn::Unroutable(&why), 0, 0);
        }
        self.unreadable = unreadable;
    }

    /// An inspection failed: the list will have to do. `nonsense` tells what is wrong with an answer that came.
    pub(crate) fn inspection_failed(&mut self, id: &ContainerId, nonsense: Option<String>, now: Instant) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let count = understand::count(entry, &self.services);
        entry.failed = true;
        if let Some(why) = nonsense
            && entry.nonsense.as_ref() != Some(&why)
        {
            self.news.tell(now, &entry.container.name, &Turn::Unreadable(&why), count, count);
            entry.nonsense = Some(why);
        }
        if !entry.seen {
            self.jobs.push(Job::List);
        }
    }

    fn learn(&mut self, id: &ContainerId, container: Container, state: bool) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let had_port = entry.container.port.is_for_everybody();
        entry.learn(container, state);
        let has_port = entry.container.port.is_for_everybody();
        if had_port != has_port
            && let Some(tally) = self.tallies.get_mut(&entry.identity.key)
        {
            self.is_recounted = true;
            self.owners.touch(&entry.identity.key);
            tally.ported = tally.ported + usize::from(has_port) - usize::from(had_port);
        }
        self.dirty.insert(Arc::clone(id));
    }
}
