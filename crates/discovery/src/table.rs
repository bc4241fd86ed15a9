//! The replica table: what the engine says → the next snapshot. No runtime, no sockets; time comes as an argument.
//!
//! Engine answers may be older than events that were applied while they were on their way. The table counts events: an
//! answer is taken for a container only as far as no event has told of it since the answer was asked for.

mod answers;
mod chosen;
mod labels;
#[cfg(test)]
mod peek;
mod publish;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use divisi_labels::StickyKey;
use divisi_model::{Readiness, Replica, ReplicaId, Spec};

use self::answers::Listing;
use self::chosen::Chosen;
use self::labels::Told;
use crate::choice::{Tallies, Wish};
use crate::compose::ServiceKey;
use crate::container::{Container, ContainerId, Health, Labels, Life};
use crate::engine::{Scope, Unreadable};
use crate::entry::Entry;
use crate::event::{Event, What};
use crate::network::Networking;
use crate::news::{News, Turn};
use crate::own::Own;
use crate::port::Port;
use crate::settings::{Settings, Tuning};
use crate::signal;
use crate::timeline::Timeline;

/// Something the table wants to know.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// Everything about one container.
    Inspect {
        /// Which.
        id: ContainerId,
        /// The table's clock, to be handed back with the answer.
        ticket: u64,
        /// Whether requests wait for the answer.
        urgent: bool,
    },
    /// Our own container.
    InspectOwn,
    /// Whether a replica accepts connections.
    Probe(ContainerId, Arc<Replica>),
    /// All containers, because an event must have been lost.
    List,
}

/// The replica table.
#[derive(Debug)]
pub(crate) struct Table {
    wish: Wish,
    /// What is wanted of the service where its labels do not say.
    spec: Arc<Spec>,
    sticky: StickyKey,
    tuning: Tuning,
    own: Own,
    entries: HashMap<ContainerId, Entry>,
    tallies: Tallies,
    /// The service that gets the requests. Kept when it has no containers and while the choice is unclear.
    chosen: Option<Chosen>,
    /// Why no request is routed.
    reason: Option<String>,
    deadlines: BTreeSet<(Instant, ContainerId)>,
    dirty: Vec<ContainerId>,
    jobs: Vec<Job>,
    listing: Option<Listing>,
    /// What could not be read of the last list.
    unreadable: Vec<Unreadable>,
    /// Whose labels were complained of.
    told: Told,
    listed: bool,
    changed: bool,
    clock: u64,
    news: News,
}

impl Table {
    /// An empty table that will look for what `settings` say.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            wish: Wish { service: settings.service.clone(), project: settings.project.clone() },
            spec: Arc::new(settings.spec.clone()),
            sticky: settings.sticky.clone(),
            tuning: settings.tuning.clone(),
            own: Own::outside(),
            entries: HashMap::new(),
            tallies: Tallies::new(),
            chosen: None,
            reason: None,
            deadlines: BTreeSet::new(),
            dirty: Vec::new(),
            jobs: Vec::new(),
            listing: None,
            unreadable: Vec::new(),
            told: Told::default(),
            listed: false,
            changed: false,
            clock: 0,
            news: News::default(),
        }
    }

    /// Which containers to ask the engine for.
    pub(crate) fn scope(&self) -> Scope {
        self.wish.scope(&self.own)
    }

    /// Whether a list was ever applied: before that there is nothing to publish.
    pub(crate) fn is_listed(&self) -> bool {
        self.listed
    }

    /// What the table wants to know by now.
    pub(crate) fn take_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs)
    }

    /// Who we are, which may have changed: every address may be another one.
    pub(crate) fn set_own(&mut self, own: Own, now: Instant) {
        if own == self.own {
            return;
        }
        self.own = own;
        if let Some(id) = self.own.id.clone() {
            self.remove(&id, now);
        }
        self.dirty.extend(self.entries.keys().cloned());
    }

    /// Something happened.
    pub(crate) fn apply(&mut self, event: Event, now: Instant) {
        self.clock += 1;
        if self.own.id.as_ref() == Some(&event.id) {
            if event.what == What::Rewired {
                self.jobs.push(Job::InspectOwn);
            }
        } else if self.is_old(&event) {
            self.hear_old(&event, now);
        } else if event.what == What::Started {
            self.start(event, now);
        } else if self.entries.contains_key(&event.id) {
            self.change(event, now);
        } else {
            self.miss(event, now);
        }
    }

    fn is_old(&mut self, event: &Event) -> bool {
        let entry = self.entries.get_mut(&event.id);
        entry.is_some_and(|entry| entry.timeline.is_old(event, entry.container.started))
    }

    /// It was told twice, or late. It says no more than that the container may have been started again.
    fn hear_old(&mut self, event: &Event, now: Instant) {
        let Some(entry) = self.entries.get_mut(&event.id) else { return };
        if !entry.timeline.is_first_sign_of_rerun(event) {
            return;
        }
        entry.accepts = false;
        if let (Some(replica), Some(chosen)) = (entry.replica.take(), &mut self.chosen) {
            let before = chosen.count();
            settle::turn_to(&replica, Readiness::Gone, chosen.spec().drain, now);
            self.changed |= chosen.retire(entry);
            self.news.tell(now, &entry.container.name, &Turn::Gone, before, chosen.count());
        }
        self.drain(&event.id, None);
    }

    fn start(&mut self, event: Event, now: Instant) {
        let Some(identity) = event.identity.filter(|identity| self.is_in_scope(&identity.key)) else { return };
        self.remove(&event.id, now);
        let container = Container {
            id: Arc::clone(&event.id),
            name: event.name,
            identity: None,
            life: Life::Running,
            health: Health::Unknown,
            port: Port::Unknown,
            networking: Networking::Attached(Vec::new()),
            stop: None,
            labels: Labels::default(),
            created: 0,
            started: None,
        };
        let timeline = Timeline::from(event.at);
        self.insert(Entry { seen: false, asked: true, timeline, ..Entry::new(container, identity, self.clock) });
        self.jobs.push(Job::Inspect { id: event.id, ticket: self.clock, urgent: true });
    }

    fn is_in_scope(&self, key: &ServiceKey) -> bool {
        match self.scope() {
            Scope::Project(project) => key.project == project,
            Scope::Service(service) => key.service == service,
            Scope::Nothing => false,
        }
    }

    fn change(&mut self, event: Event, now: Instant) {
        if event.what == What::Ended {
            return self.remove(&event.id, now);
        }
        let ticket = self.clock;
        let Some(entry) = self.entries.get_mut(&event.id) else { return };
        match event.what {
            What::Rewired => {
                // One that is being stopped leaves its networks; nobody will ask for its address any more.
                if entry.draining.is_none() {
                    self.jobs.push(Job::Inspect { id: event.id, ticket, urgent: true });
                }
                return;
            }
            What::Signalled(number) => return self.signal(&event.id, number, now),
            What::Renamed => {
                entry.container.name = event.name;
                return;
            }
            What::Paused => entry.container.life = Life::Paused,
            What::Unpaused => entry.container.life = Life::Running,
            What::Health(health) => entry.container.health = health,
            What::Started | What::Ended => return,
        }
        entry.touched = ticket;
        self.dirty.push(event.id);
    }

    fn miss(&mut self, event: Event, now: Instant) {
        if let Some(listing) = &mut self.listing {
            listing.miss(event, now);
        } else if let Some(identity) = event.identity
            && matches!(event.what, What::Signalled(_) | What::Paused | What::Unpaused | What::Health(_))
            && self.is_in_scope(&identity.key)
        {
            // It runs and is not here: its start was lost.
            self.jobs.push(Job::List);
        }
    }

    fn signal(&mut self, id: &ContainerId, number: u8, now: Instant) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let rule = entry.container.stop;
        if rule.is_none() {
            note_signal(&mut entry.signalled, number, now);
            // One that stops most containers is taken for a stop until it is known better.
            let is_pressing = !matches!(number, signal::KILL | signal::TERM);
            if !std::mem::replace(&mut entry.asked, true) || is_pressing {
                self.jobs.push(Job::Inspect { id: Arc::clone(id), ticket: self.clock, urgent: true });
            }
        }
        if number == signal::KILL || number == rule.unwrap_or_default().signal {
            let deadline = now + rule.unwrap_or_default().timeout + self.tuning.stop_margin;
            entry.touched = self.clock;
            self.drain(id, Some(deadline));
        }
    }

    /// Its stop may take until then; None where it is none.
    fn drain(&mut self, id: &ContainerId, deadline: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if let Some(before) = std::mem::replace(&mut entry.draining, deadline) {
            self.deadlines.remove(&(before, Arc::clone(id)));
        }
        self.deadlines.extend(deadline.map(|deadline| (deadline, Arc::clone(id))));
        self.dirty.push(Arc::clone(id));
    }

    /// A replica accepted a connection, or refused one.
    pub(crate) fn probed(&mut self, id: &ContainerId, replica: ReplicaId, accepted: bool) {
        if let Some(entry) = self.entries.get_mut(id)
            && entry.replica.as_ref().is_some_and(|known| known.id() == replica)
            && entry.draining.is_none()
        {
            entry.accepts = accepted;
            entry.refuses = !accepted;
            self.dirty.push(Arc::clone(id));
        }
    }

    /// The replicas that get requests.
    pub(crate) fn ready(&self) -> impl Iterator<Item = (&ContainerId, &Arc<Replica>)> {
        self.chosen.iter().flat_map(Chosen::ready)
    }

    fn count(&self) -> usize {
        self.chosen.as_ref().map_or(0, Chosen::count)
    }

    /// What is known of each container.
    pub(crate) fn sightings(&self) -> Vec<crate::report::Sighting> {
        Vec::new()
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|(deadline, _)| *deadline);
        let chosen = self.chosen.as_ref().and_then(Chosen::due);
        [deadline, chosen, self.news.due()].into_iter().flatten().min()
    }

    /// What was to be by `now` is: containers that should have ended and have not are replicas again, and the service is
    /// not waited for any more.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.news.flush(now);
        if let Some(chosen) = &mut self.chosen {
            self.changed |= chosen.expire(now);
        }
        while let Some((deadline, id)) = self.deadlines.pop_first() {
            if deadline > now {
                self.deadlines.insert((deadline, id));
                return;
            }
            let count = self.count();
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            entry.draining = None;
            entry.accepts = false;
            entry.touched = self.clock;
            self.news.tell(now, &entry.container.name, &Turn::Survived, count, count);
            self.dirty.push(id);
        }
    }

    fn insert(&mut self, entry: Entry) {
        let tally = self.tallies.entry(entry.identity.key.clone()).or_default();
        tally.live += 1;
        tally.ported += usize::from(matches!(entry.container.port, Port::At(_)));
        if let Some(chosen) = self.chosen.as_mut().filter(|chosen| chosen.key == entry.identity.key) {
            chosen.arrive(entry.identity.number);
            self.changed = true;
        }
        self.dirty.push(Arc::clone(&entry.container.id));
        self.entries.insert(Arc::clone(&entry.container.id), entry);
    }

    fn remove(&mut self, id: &ContainerId, now: Instant) {
        if let Some(listing) = &mut self.listing {
            listing.ended.insert(Arc::clone(id));
        }
        let Some(entry) = self.entries.remove(id) else { return };
        if let Some(tally) = self.tallies.get_mut(&entry.identity.key) {
            tally.live -= 1;
            tally.ported -= usize::from(matches!(entry.container.port, Port::At(_)));
            if tally.live == 0 {
                self.tallies.remove(&entry.identity.key);
            }
        }
        if let Some(deadline) = entry.draining {
            self.deadlines.remove(&(deadline, Arc::clone(id)));
        }
        let Some(chosen) = self.chosen.as_mut().filter(|chosen| chosen.key == entry.identity.key) else { return };
        self.changed = true;
        let before = chosen.count();
        chosen.leave(&entry, now);
        if let Some(replica) = entry.replica {
            settle::turn_to(&replica, Readiness::Gone, chosen.spec().drain, now);
            self.news.tell(now, &entry.container.name, &Turn::Gone, before, chosen.count());
        }
    }
}

/// Notes a signal and when it came, each once: there are only so many.
fn note_signal(signals: &mut Vec<(u8, Instant)>, number: u8, now: Instant) {
    signals.retain(|(other, _)| *other != number);
    signals.push((number, now));
}
