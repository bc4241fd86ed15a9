//! The replica table: what the engine says → the next snapshot. No runtime, no sockets; time comes as an argument.
//!
//! Engine answers may be older than events that were applied while they were on their way. The table counts events: an
//! answer is taken for a container only as far as no event has told of it since the answer was asked for.

mod answers;
mod draw;
mod few;
mod guards;
mod owner;
#[cfg(test)]
mod peek;
mod place;
mod publish;
mod served;
mod services;
mod settle;
mod sight;
mod streams;
#[cfg(test)]
mod tests;
mod understand;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use divisi_labels::{Reader, StickyKey};
use divisi_model::route::RoutingTable;
use divisi_model::tcp::Ports;
use divisi_model::{Readiness, Replica, ReplicaId, Slot, Spec, Speech, Unrouted};

use self::answers::Listing;
use self::guards::Guards;
use self::owner::Owners;
use self::services::Services;
use self::understand::Told;
use crate::choice::{Tallies, Wish};
use crate::compose::ServiceKey;
use crate::container::{Container, ContainerId, Health, Life, Said};
use crate::engine::Unreadable;
use crate::entry::{Entry, Place};
use crate::event::{Event, What};
use crate::hash::{Map, Set};
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
    /// What is wanted of services where their labels do not say.
    spec: Arc<Spec>,
    /// How replicas are spoken to where theirs do not say.
    speech: Arc<Speech>,
    reader: Reader,
    passed_over: Vec<String>,
    local_hosts: bool,
    sticky: StickyKey,
    tuning: Tuning,
    own: Own,
    entries: Map<ContainerId, Entry>,
    tallies: Tallies,
    /// Whether these are others than when the service was chosen.
    is_recounted: bool,
    /// Which service gets the requests for which there is no route, or why none does.
    choice: Option<Result<ServiceKey, String>>,
    /// The last one that did. Kept when it has no containers and while the choice is unclear.
    chosen: Option<ServiceKey>,
    services: Services,
    owners: Owners,
    guards: Guards,
    routes: RoutingTable,
    /// The ports that are open for TCP.
    ports: Arc<Ports>,
    fallback: Result<Slot, Unrouted>,
    /// Whether that was told.
    is_followed: bool,
    deadlines: BTreeSet<(Instant, ContainerId)>,
    dirty: Set<ContainerId>,
    jobs: Vec<Job>,
    listing: Option<Listing>,
    /// What could not be read of the last list.
    unreadable: Vec<Unreadable>,
    /// Whose labels were complained of.
    told: Told,
    listed: bool,
    clock: u64,
    news: News,
}

impl Table {
    /// An empty table that will look for what `settings` say.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            wish: Wish { service: settings.service.clone(), project: settings.project.clone() },
            spec: Arc::new(settings.spec.clone()),
            speech: Arc::default(),
            reader: settings.reader.clone(),
            passed_over: settings.passed_over.clone(),
            local_hosts: settings.local_hosts,
            sticky: settings.sticky.clone(),
            tuning: settings.tuning.clone(),
            own: Own::outside(),
            entries: Map::default(),
            tallies: Tallies::default(),
            is_recounted: false,
            choice: None,
            chosen: None,
            services: Services::default(),
            owners: Owners::default(),
            guards: Guards::default(),
            routes: RoutingTable::default(),
            ports: Arc::default(),
            fallback: Err(Unrouted::unknown("nothing is known yet")),
            is_followed: false,
            deadlines: BTreeSet::new(),
            dirty: Set::default(),
            jobs: Vec::new(),
            listing: None,
            unreadable: Vec::new(),
            told: Told::default(),
            listed: false,
            clock: 0,
            news: News::default(),
        }
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
        self.is_recounted = true;
        self.owners.touch_all();
        self.place_again(|_| true);
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
        entry.forget_answers();
        for place in 0..entry.places.len() {
            let Some(replica) = entry.places[place].replica.take() else { continue };
            let slot = entry.places[place].slot;
            let Some(served) = self.services.get_mut(slot) else { continue };
            let before = served.count();
            settle::turn_to(&replica, Readiness::Gone, served.spec().drain, now);
            let is_changed = served.retire(entry);
            self.news.tell(now, &entry.container.name, &Turn::Gone, before, served.count());
            if is_changed {
                self.services.touch(slot);
            }
        }
        self.drain(&event.id, None);
    }

    fn start(&mut self, event: Event, now: Instant) {
        let Some(identity) = event.identity else { return };
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
            labels: Said::default(),
            environment: None,
            created: 0,
            started: None,
        };
        let timeline = Timeline::from(event.at);
        self.insert(Entry { seen: false, asked: true, timeline, ..Entry::new(container, identity, self.clock) });
        self.jobs.push(Job::Inspect { id: event.id, ticket: self.clock, urgent: true });
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
        self.dirty.insert(event.id);
    }

    fn miss(&mut self, event: Event, now: Instant) {
        if let Some(listing) = &mut self.listing {
            listing.miss(event, now);
        } else if event.identity.is_some()
            && matches!(event.what, What::Signalled(_) | What::Paused | What::Unpaused | What::Health(_))
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
        self.dirty.insert(Arc::clone(id));
    }

    /// A replica accepted a connection, or refused one.
    pub(crate) fn probed(&mut self, id: &ContainerId, replica: ReplicaId, accepted: bool) {
        let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.draining.is_none()) else { return };
        let is_it = |place: &&mut Place| place.replica.as_ref().is_some_and(|known| known.id() == replica);
        if let Some(place) = entry.places.iter_mut().find(is_it) {
            place.accepts = accepted;
            place.refuses = !accepted;
            self.dirty.insert(Arc::clone(id));
        }
    }

    /// The replicas that get requests.
    pub(crate) fn ready(&self) -> impl Iterator<Item = (&ContainerId, &Arc<Replica>)> {
        self.services.ready()
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|(deadline, _)| *deadline);
        [deadline, self.services.due(), self.owners.due(), self.news.due()].into_iter().flatten().min()
    }

    /// What was to be by `now` is: containers that should have ended and have not are replicas again, and the service is
    /// not waited for any more.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.news.flush(now);
        self.forget(now);
        while let Some((deadline, id)) = self.deadlines.pop_first() {
            if deadline > now {
                self.deadlines.insert((deadline, id));
                return;
            }
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            entry.draining = None;
            entry.forget_answers();
            let count = understand::count(entry, &self.services);
            entry.touched = self.clock;
            self.news.tell(now, &entry.container.name, &Turn::Survived, count, count);
            self.dirty.insert(id);
        }
    }

    fn insert(&mut self, entry: Entry) {
        if entry.identity.key.is_composed() {
            let tally = self.tallies.entry(entry.identity.key.clone()).or_default();
            tally.live += 1;
            tally.ported += usize::from(entry.container.port.is_for_everybody());
            self.is_recounted = true;
        }
        self.dirty.insert(Arc::clone(&entry.container.id));
        self.entries.insert(Arc::clone(&entry.container.id), entry);
    }

    fn remove(&mut self, id: &ContainerId, now: Instant) {
        if let Some(listing) = &mut self.listing {
            listing.ended.insert(Arc::clone(id));
        }
        let Some(mut entry) = self.entries.swap_remove(id) else { return };
        if let Some(tally) = self.tallies.get_mut(&entry.identity.key) {
            tally.live -= 1;
            tally.ported -= usize::from(entry.container.port.is_for_everybody());
            if tally.live == 0 {
                self.tallies.swap_remove(&entry.identity.key);
            }
            self.is_recounted = true;
        }
        if let Some(deadline) = entry.draining {
            self.deadlines.remove(&(deadline, Arc::clone(id)));
        }
        self.leave_all(&mut entry, now);
    }
}

/// Notes a signal and when it came, each once: there are only so many.
fn note_signal(signals: &mut Vec<(u8, Instant)>, number: u8, now: Instant) {
    signals.retain(|(other, _)| *other != number);
    signals.push((number, now));
}
