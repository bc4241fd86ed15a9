//! The replica table: what the engine says → the next snapshot. No runtime, no sockets; time comes as an argument.
//!
//! Engine answers may be older than events that were applied while they were on their way. The table counts events: an
//! answer is taken for a container only as far as no event has told of it since the answer was asked for.

mod answers;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_model::{Moment, Readiness, Replica, ReplicaId, Service, Snapshot, Spec};
use tracing::{info, warn};

use self::answers::Listing;
use crate::choice::{Tallies, Wish};
use crate::compose::ServiceKey;
use crate::container::{Container, ContainerId, Health, Life};
use crate::engine::Scope;
use crate::entry::Entry;
use crate::event::{Event, What};
use crate::network::Networking;
use crate::news::{News, Turn};
use crate::own::Own;
use crate::port::Port;
use crate::signal;

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
    spec: Spec,
    stop_margin: Duration,
    own: Own,
    entries: HashMap<ContainerId, Entry>,
    tallies: Tallies,
    /// The service that gets the requests, as last published.
    chosen: Option<Arc<Service>>,
    /// Its key, kept when it has no containers and when the choice has become unclear.
    last: Option<ServiceKey>,
    reason: Option<String>,
    /// Its ready replicas, by number.
    ready: BTreeMap<(u32, ContainerId), Arc<Replica>>,
    deadlines: BTreeSet<(Instant, ContainerId)>,
    dirty: Vec<ContainerId>,
    jobs: Vec<Job>,
    listing: Option<Listing>,
    listed: bool,
    changed: bool,
    clock: u64,
    news: News,
}

impl Table {
    /// An empty table that will look for what `wish` says.
    pub(crate) fn new(wish: Wish, spec: Spec, stop_margin: Duration) -> Self {
        Self {
            wish,
            spec,
            stop_margin,
            own: Own::outside(),
            entries: HashMap::new(),
            tallies: Tallies::new(),
            chosen: None,
            last: None,
            reason: None,
            ready: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            dirty: Vec::new(),
            jobs: Vec::new(),
            listing: None,
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
        } else if event.what == What::Started {
            self.start(event, now);
        } else if self.entries.contains_key(&event.id) {
            self.change(event, now);
        } else {
            self.miss(event);
        }
    }

    fn start(&mut self, event: Event, now: Instant) {
        let Some(identity) = event.identity.filter(|identity| self.is_in_scope(&identity.key)) else { return };
        self.remove(&event.id, now);
        let container = Container {
            id: Arc::clone(&event.id),
            name: event.name,
            identity: None,
            life: Life::Running,
            health: Health::Unchecked,
            port: Port::Unknown,
            networking: Networking::Attached(Vec::new()),
            stop: None,
        };
        self.insert(Entry { seen: false, asked: true, ..Entry::new(container, identity, self.clock) });
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

    fn miss(&mut self, event: Event) {
        if let Some(listing) = &mut self.listing {
            let list = if event.what == What::Ended { &mut listing.ended } else { &mut listing.missed };
            list.insert(event.id);
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
        if number == signal::KILL || number == rule.unwrap_or_default().signal {
            let deadline = now + rule.unwrap_or_default().timeout + self.stop_margin;
            if let Some(before) = entry.draining.replace(deadline) {
                self.deadlines.remove(&(before, Arc::clone(id)));
            }
            entry.touched = self.clock;
            self.deadlines.insert((deadline, Arc::clone(id)));
            self.dirty.push(Arc::clone(id));
        } else if rule.is_none() {
            entry.signalled = Some(number);
            entry.asked = true;
            self.jobs.push(Job::Inspect { id: Arc::clone(id), ticket: self.clock, urgent: true });
        }
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
        self.ready.iter().map(|((_, id), replica)| (id, replica))
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|(deadline, _)| *deadline);
        [deadline, self.news.due()].into_iter().flatten().min()
    }

    /// Containers that should have ended by `now` and have not are replicas again.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.news.flush(now);
        while let Some((deadline, id)) = self.deadlines.pop_first() {
            if deadline > now {
                self.deadlines.insert((deadline, id));
                return;
            }
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            entry.draining = None;
            entry.accepts = false;
            entry.touched = self.clock;
            let count = self.ready.len();
            self.news.tell(now, &entry.container.name, &Turn::Survived, count, count);
            self.dirty.push(id);
        }
    }

    fn insert(&mut self, entry: Entry) {
        let tally = self.tallies.entry(entry.identity.key.clone()).or_default();
        tally.live += 1;
        tally.ported += usize::from(matches!(entry.container.port, Port::At(_)));
        self.changed |= self.last.as_ref() == Some(&entry.identity.key);
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
        self.changed |= self.last.as_ref() == Some(&entry.identity.key);
        if let Some(deadline) = entry.draining {
            self.deadlines.remove(&(deadline, Arc::clone(id)));
        }
        if let Some(replica) = entry.replica {
            replica.set_readiness(Readiness::Gone, Moment::now());
            let before = self.ready.len();
            self.ready.remove(&(entry.identity.number, Arc::clone(id)));
            self.news.tell(now, &entry.container.name, &Turn::Gone, before, self.ready.len());
        }
    }

    /// Draws the conclusions of everything since the last call. None when nothing changed for the request's way.
    pub(crate) fn commit(&mut self, now: Instant) -> Option<Snapshot> {
        if !self.listed {
            return None;
        }
        let choice = self.wish.choose(&self.own, &self.tallies, self.last.as_ref());
        self.follow(choice);
        for id in std::mem::take(&mut self.dirty) {
            self.settle(&id, now);
        }
        std::mem::take(&mut self.changed).then(|| self.snapshot())
    }

    fn follow(&mut self, choice: Result<ServiceKey, String>) {
        let (key, reason) = match choice {
            Ok(key) => (Some(key), None),
            Err(reason) => (None, Some(reason)),
        };
        let routed = self.chosen.is_some() && self.last == key;
        if routed || (reason.is_some() && reason == self.reason) {
            return;
        }
        self.withdraw_all();
        self.changed = true;
        self.reason = reason;
        match (&key, &self.reason) {
            (Some(key), _) => {
                info!("requests go to service {:?} of project {:?}", key.service, key.project);
                if !self.tallies.contains_key(key) {
                    warn!("service {:?} of project {:?} has no running container yet", key.service, key.project);
                }
                self.chosen = Some(Arc::new(Service::new(key.service.as_str(), self.spec.clone())));
                let ids = self.entries.values().filter(|entry| entry.identity.key == *key);
                self.dirty.extend(ids.map(|entry| Arc::clone(&entry.container.id)));
                self.last = Some(key.clone());
            }
            (None, reason) => {
                warn!("no request is routed: {}", reason.as_deref().unwrap_or_default());
                self.chosen = None;
            }
        }
    }

    /// The service is not ours any more: its replicas get nothing new.
    fn withdraw_all(&mut self) {
        self.ready.clear();
        for entry in self.entries.values_mut() {
            entry.accepts = false;
            if let Some(replica) = entry.replica.take() {
                replica.set_readiness(Readiness::Draining, Moment::now());
            }
        }
    }
}
