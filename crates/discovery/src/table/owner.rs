//! Whose labels count: of the containers of a Compose service the newest that is ready, or else the newest.
//!
//! What it says stays in force while the service has no container, so that requests wait for the next one.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_labels::{Exposed, Wish};
use divisi_model::Slot;

use super::few::Few;
use crate::compose::ServiceKey;
use crate::entry::Age;
use crate::hash::{Map, Set};

/// A Compose service, or a container that is none of Compose's.
#[derive(Debug)]
pub(super) struct Owner {
    /// Its name in the routing table.
    pub(super) id: Arc<str>,
    /// Its containers whose labels are understood.
    members: Few<Age, Member>,
    /// Whose labels are in force.
    pub(super) lead: Option<Lead>,
    /// The routes that it has.
    pub(super) routes: Vec<Drawn>,
    /// Those of TCP.
    pub(super) streams: Vec<Drawn>,
    /// When what it said will be forgotten; None while it has a container.
    forget_at: Option<Instant>,
}

/// A container whose labels are understood.
#[derive(Debug)]
struct Member {
    lead: Lead,
    is_ready: bool,
}

/// A container, as far as its labels go.
#[derive(Clone, Debug)]
pub(super) struct Lead {
    pub(super) age: Age,
    pub(super) name: Arc<str>,
    pub(super) wish: Arc<Wish>,
    /// The service that it is if nobody says more.
    pub(super) main: Slot,
}

/// A route as it is in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    pub(super) name: Arc<str>,
    pub(super) slot: Slot,
    pub(super) closed: Option<String>,
    /// Whether somebody has asked for it, and it is not there by default.
    pub(super) is_asked: bool,
}

impl Owner {
    fn new(key: &ServiceKey) -> Self {
        let (routes, streams) = (Vec::new(), Vec::new());
        Self { id: key.whole(), members: Few::default(), lead: None, routes, streams, forget_at: None }
    }

    /// Whether somebody has asked for a route of it.
    pub(super) fn is_asked(&self) -> bool {
        self.routes.iter().any(|route| route.is_asked)
    }

    /// The label that says that it is not to be reached, or only by TCP.
    pub(super) fn refuses(&self) -> Option<&str> {
        let wish = &self.lead.as_ref()?.wish;
        match &wish.exposed {
            Exposed::No(label) => Some(label),
            _ if wish.routes.is_empty() => wish.streams.routes.first().map(|route| route.label.as_str()),
            Exposed::Unsaid | Exposed::Yes => None,
        }
    }

    /// Whose labels are to be in force.
    fn elect(&self) -> Option<&Lead> {
        let ready = self.members.values().rev().find(|member| member.is_ready);
        ready.map(|member| &member.lead).or_else(|| self.newest())
    }

    /// The same, or whose were in force, where nobody is there.
    pub(super) fn in_force(&self) -> Option<&Lead> {
        self.elect().or(self.lead.as_ref())
    }

    /// Whether these are other words than those on which it has its routes.
    pub(super) fn is_other(&self, lead: &Lead) -> bool {
        let known = self.lead.as_ref();
        known.is_none_or(|old| !Arc::ptr_eq(&old.wish, &lead.wish) || (&old.age, old.main) != (&lead.age, lead.main))
    }

    /// The newest of its containers.
    pub(super) fn newest(&self) -> Option<&Lead> {
        self.members.last().map(|(_, member)| &member.lead)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Owners {
    by_key: Map<ServiceKey, Owner>,
    /// Those whose words are to be looked at again.
    dirty: Set<ServiceKey>,
    again: Set<ServiceKey>,
    /// Services of which every route is to be looked at again, whose ever it is.
    again_at: HashSet<Slot>,
    forgets: BTreeSet<(Instant, ServiceKey)>,
    /// How many of each project have a route that somebody has asked for.
    asked: Map<Arc<str>, usize>,
}

impl Owners {
    /// There will be about so many.
    pub(super) fn expect(&mut self, count: usize) {
        self.by_key.reserve(count.saturating_sub(self.by_key.len()));
        self.dirty.reserve(count);
    }

    /// One of them.
    pub(super) fn get(&self, key: &ServiceKey) -> Option<&Owner> {
        self.by_key.get(key)
    }

    /// Whether somebody has asked for any route.
    pub(super) fn is_any_asked(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Whether somebody has asked for a route to a service of that project.
    pub(super) fn is_any_asked_in(&self, project: &str) -> bool {
        self.asked.contains_key(project)
    }

    /// These routes of one of them are in the table, on the word of `lead`.
    pub(super) fn set_routes(&mut self, key: &ServiceKey, lead: Lead, routes: Vec<Drawn>) {
        let Some(owner) = self.by_key.get_mut(key) else { return };
        let was_asked = owner.is_asked();
        owner.routes = routes;
        owner.lead = Some(lead);
        match (was_asked, owner.is_asked()) {
            (false, true) => *self.asked.entry(Arc::clone(&key.project)).or_default() += 1,
            (true, false) => self.forget_asked(key),
            _ => {}
        }
    }

    /// One of that project has no route any more that somebody has asked for.
    fn forget_asked(&mut self, key: &ServiceKey) {
        if let Some(count) = self.asked.get_mut(&key.project) {
            *count -= 1;
            if *count == 0 {
                self.asked.swap_remove(&key.project);
            }
        }
    }

    /// These routes of TCP of one of them are in force.
    pub(super) fn set_streams(&mut self, key: &ServiceKey, streams: Vec<Drawn>) {
        if let Some(owner) = self.by_key.get_mut(key) {
            owner.streams = streams;
        }
    }

    /// The labels of a container are understood.
    pub(super) fn join(&mut self, key: &ServiceKey, lead: Lead) {
        let owner = self.by_key.entry(key.clone()).or_insert_with(|| Owner::new(key));
        if let Some(at) = owner.forget_at.take() {
            self.forgets.remove(&(at, key.clone()));
        }
        let is_ready = owner.members.get(&lead.age).is_some_and(|member| member.is_ready);
        owner.members.insert(lead.age.clone(), Member { lead, is_ready });
        self.dirty.insert(key.clone());
    }

    /// A container has ended, or says nothing any more.
    pub(super) fn leave(&mut self, key: &ServiceKey, age: &Age, forget: Duration, now: Instant) {
        let Some(owner) = self.by_key.get_mut(key) else { return };
        if owner.members.remove(age).is_none() {
            return;
        }
        if owner.members.is_empty() {
            let at = now + forget;
            owner.forget_at = Some(at);
            self.forgets.insert((at, key.clone()));
        } else {
            self.dirty.insert(key.clone());
        }
    }

    /// A container can take requests, or cannot any more.
    pub(super) fn set_ready(&mut self, key: &ServiceKey, age: &Age, is_ready: bool) {
        let Some(member) = self.by_key.get_mut(key).and_then(|owner| owner.members.get_mut(age)) else { return };
        if std::mem::replace(&mut member.is_ready, is_ready) != is_ready {
            self.dirty.insert(key.clone());
        }
    }

    /// What it says means something else by now.
    pub(super) fn touch(&mut self, key: &ServiceKey) {
        if self.by_key.contains_key(key) {
            self.again.insert(key.clone());
        }
    }

    /// What is said of routes to that service may mean something else by now.
    pub(super) fn touch_all_at(&mut self, slot: Slot) {
        self.again_at.insert(slot);
    }

    /// What any of them says may mean something else by now.
    pub(super) fn touch_all(&mut self) {
        self.again.extend(self.by_key.keys().cloned());
    }

    /// Those whose words mean something else by now, even if they are the same.
    pub(super) fn take_again(&mut self) -> Set<ServiceKey> {
        let mut again = std::mem::take(&mut self.again);
        let slots = std::mem::take(&mut self.again_at);
        if !slots.is_empty() {
            // Whoever leads there is not written down. Looking at all of them once is enough, for however many services.
            let leads = |owner: &Owner| owner.routes.iter().any(|route| slots.contains(&route.slot));
            again.extend(self.by_key.iter().filter(|(_, owner)| leads(owner)).map(|(key, _)| key.clone()));
        }
        again
    }

    /// Those whose words are to be looked at again.
    pub(super) fn take_dirty(&mut self) -> Set<ServiceKey> {
        std::mem::take(&mut self.dirty)
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.forgets.first().map(|(at, _)| *at)
    }

    /// Those that are forgotten by `now`.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<(ServiceKey, Owner)> {
        let mut gone = Vec::new();
        while self.due().is_some_and(|at| at <= now) {
            let Some((_, key)) = self.forgets.pop_first() else { break };
            self.again.swap_remove(&key);
            if let Some(owner) = self.by_key.swap_remove(&key) {
                if owner.is_asked() {
                    self.forget_asked(&key);
                }
                gone.push((key, owner));
            }
        }
        gone
    }

    /// The services to which routes lead.
    pub(super) fn used(&self) -> HashSet<Slot> {
        self.by_key
            .values()
            .flat_map(|owner| owner.routes.iter().chain(&owner.streams))
            .map(|route| route.slot)
            .collect()
    }
}
