//! A service that gets requests: what is known of it beyond the rows of its replicas.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_model::{Name, Replica, Service, Spec};
use tracing::{info, warn};

use super::few::Few;
use crate::compose::ServiceKey;
use crate::container::ContainerId;
use crate::entry::{Age, Entry};
use crate::settings::Tuning;

/// Which service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    /// The Compose service whose containers are its replicas. With an empty name, any of the project: then labels say by a name
    /// which ones are.
    pub(super) owner: ServiceKey,
    /// Its name among those of its owner; empty for the one that needs none.
    pub(super) name: String,
}

impl Key {
    /// The service that a Compose service is, if its labels say no more.
    pub(super) fn main(owner: &ServiceKey) -> Self {
        Self { owner: owner.clone(), name: String::new() }
    }

    /// A service of Traefik. Containers of one project that say the same name are its replicas.
    pub(super) fn of_traefik(project: &str, name: &str) -> Self {
        Self { owner: ServiceKey { project: project.into(), service: "".into() }, name: name.to_owned() }
    }

    /// What people call it.
    pub(super) fn title(&self) -> Name {
        let ServiceKey { project, service } = &self.owner;
        let title = match (&**service, self.name.as_str()) {
            ("", name) => format!("{name}@traefik").into(),
            (_, "") => Arc::clone(service),
            (service, name) => format!("{service}:{name}").into(),
        };
        Name { project: Arc::clone(project), service: title }
    }
}

/// A service that gets requests.
#[derive(Debug)]
pub(super) struct Served {
    /// Which it is.
    pub(super) key: Key,
    /// As it was last published, or will be next.
    service: Arc<Service>,
    /// Its ready replicas, by number.
    ready: Few<(u32, ContainerId), Arc<Replica>>,
    /// What its containers' labels want of it.
    wanted: Few<Age, Arc<Spec>>,
    /// What they say of the routes that lead to it, in the words of the newest.
    terms: (Option<Age>, Terms),
    /// The numbers of its containers, those that are expected back as well.
    numbers: Few<u32, Presence>,
    /// The latter, by when they are given up.
    missed: BTreeSet<(Instant, u32)>,
    /// Whether numbers came or went since the last snapshot.
    is_renumbered: bool,
    live: usize,
    /// When it will be forgotten; None where it has a container or is forgotten already.
    forget_at: Option<Instant>,
    absence: Duration,
    forget: Duration,
}

/// What stands between any route and the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Terms {
    /// Why nobody is served.
    pub(super) closed: Option<String>,
    /// Middlewares behind those of the route.
    pub(super) middlewares: Vec<String>,
    /// Replicas see their own address as the host.
    pub(super) hides_host: bool,
}

/// Whether there is anybody with a number.
#[derive(Debug)]
struct Presence {
    live: usize,
    /// Until when it is expected back; None while it runs.
    until: Option<Instant>,
}

impl Served {
    /// A service of which no container is known yet, and of which `spec` is wanted until its containers say more.
    pub(super) fn new(key: Key, spec: Arc<Spec>, tuning: &Tuning, now: Instant) -> Self {
        Self {
            service: Arc::new(Service::of(key.title(), spec)),
            key,
            ready: Few::default(),
            wanted: Few::default(),
            terms: (None, Terms::default()),
            numbers: Few::default(),
            missed: BTreeSet::new(),
            is_renumbered: false,
            live: 0,
            forget_at: Some(now + tuning.forget),
            absence: tuning.absence,
            forget: tuning.forget,
        }
    }

    /// What people call it.
    pub(super) fn name(&self) -> &Name {
        self.service.state().name()
    }

    /// Whether nobody waits for it, and nobody is there.
    pub(super) fn is_forgotten(&self) -> bool {
        self.live == 0 && self.forget_at.is_none()
    }

    /// The service, with the replicas of an earlier snapshot.
    pub(super) fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// What is wanted of it.
    pub(super) fn spec(&self) -> &Arc<Spec> {
        self.service.spec()
    }

    /// Its replicas that get requests, by number.
    pub(super) fn ready(&self) -> impl Iterator<Item = (&ContainerId, &Arc<Replica>)> {
        self.ready.iter().map(|((_, id), replica)| (id, replica))
    }

    /// How many get requests.
    pub(super) fn count(&self) -> usize {
        self.ready.len()
    }

    /// A container of it runs.
    pub(super) fn arrive(&mut self, number: u32) {
        self.live += 1;
        match self.numbers.get_mut(&number) {
            Some(presence) => {
                presence.live += 1;
                if let Some(until) = presence.until.take() {
                    self.missed.remove(&(until, number));
                }
            }
            None => {
                self.is_renumbered = true;
                self.numbers.insert(number, Presence { live: 1, until: None });
            }
        }
        self.forget_at = None;
        if self.service.is_forgotten() {
            info!("service {} has a container again", self.name());
            self.service = Arc::new(self.service.with_forgotten(false));
        }
    }

    /// A container of it has ended, or is none of it any more.
    pub(super) fn leave(&mut self, entry: &Entry, now: Instant) {
        let number = entry.identity.number;
        self.retire(entry);
        if let Some(age) = &entry.wish.age {
            self.wanted.remove(age);
        }
        self.live -= 1;
        if let Some(presence) = self.numbers.get_mut(&number) {
            presence.live -= 1;
            if presence.live == 0 {
                let until = now + self.absence;
                presence.until = Some(until);
                self.missed.insert((until, number));
            }
        }
        if self.live == 0 {
            self.forget_at = Some(now + self.forget);
        }
    }

    /// A replica of it gets requests. Returns whether it is another one than before.
    pub(super) fn admit(&mut self, entry: &Entry, replica: &Arc<Replica>) -> bool {
        let rank = (entry.identity.number, Arc::clone(&entry.container.id));
        let before = self.ready.insert(rank, Arc::clone(replica));
        before.is_none_or(|before| before.id() != replica.id())
    }

    /// A replica of it gets no requests. Returns whether it got any before.
    pub(super) fn retire(&mut self, entry: &Entry) -> bool {
        self.ready.remove(&(entry.identity.number, Arc::clone(&entry.container.id))).is_some()
    }

    /// The labels of a container of that age want `spec`. Replicas mostly want the same, and then it is kept once.
    pub(super) fn want(&mut self, age: Age, spec: Arc<Spec>) {
        let known = self.service.spec();
        let spec = if *known == spec { Arc::clone(known) } else { spec };
        self.wanted.insert(age, spec);
    }

    /// What stands between any route and it.
    pub(super) fn terms(&self) -> &Terms {
        &self.terms.1
    }

    /// A container of that age says what stands before it. Returns whether that is something new.
    pub(super) fn set_terms(&mut self, age: &Age, terms: &Terms) -> bool {
        if self.terms.0.as_ref().is_some_and(|newest| newest > age) {
            return false;
        }
        self.terms.0 = Some(age.clone());
        let is_news = self.terms.1 != *terms;
        if is_news {
            self.terms.1 = terms.clone();
        }
        is_news
    }

    /// Does what the labels of the newest container want. Returns whose that is, if it is something new.
    pub(super) fn adopt(&mut self) -> Option<ContainerId> {
        let (age, spec) = self.wanted.last()?;
        if spec == self.service.spec() {
            return None;
        }
        self.service = Arc::new(self.service.with_spec(Arc::clone(spec)));
        Some(Arc::clone(&age.2))
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        let missed = self.missed.first().map(|(until, _)| *until);
        [missed, self.forget_at].into_iter().flatten().min()
    }

    /// Numbers that did not come back in time are not expected any more, nor is the whole service. Returns whether there is
    /// any news.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let mut changed = false;
        while let Some((until, number)) = self.missed.first().copied().filter(|(until, _)| *until <= now) {
            self.missed.remove(&(until, number));
            self.numbers.remove(&number);
            self.is_renumbered = true;
            changed = true;
        }
        if self.forget_at.is_some_and(|at| at <= now) {
            self.forget_at = None;
            let time = self.forget.as_secs_f32();
            warn!("service {} has had no container for {time} s: requests no longer wait for one", self.name());
            self.service = Arc::new(self.service.with_forgotten(true));
            changed = true;
        }
        changed
    }

    /// The service as it is now.
    pub(super) fn publish(&mut self) -> Arc<Service> {
        let ready = self.ready.values().map(Arc::clone).collect();
        let mut service = self.service.with_replicas(ready, self.live);
        if std::mem::take(&mut self.is_renumbered) {
            service = service.with_expected(self.numbers.keys().copied().collect());
        }
        self.service = Arc::new(service);
        Arc::clone(&self.service)
    }
}
