//! From the rows to the snapshot.

use std::sync::Arc;
use std::time::Instant;

use divisi_model::{Readiness, Slot, Snapshot, Unrouted};
use tracing::{info, warn};

use super::served::Key;
use super::{Table, settle};
use crate::compose::ServiceKey;

/// What is said to whoever asks for what no route has.
const NOWHERE: &str = "no label asks for it";

impl Table {
    /// Draws the conclusions of everything since the last call. None when nothing changed for the request's way.
    pub(crate) fn commit(&mut self, now: Instant) -> Option<Snapshot> {
        if !self.listed {
            return None;
        }
        self.choose();
        let dirty = std::mem::take(&mut self.dirty);
        for id in &dirty {
            self.understand(id, now);
            self.place(id, now);
        }
        // A replica is made as its service wants it, so that is settled first.
        self.adopt_specs();
        for id in &dirty {
            self.settle(id, now);
        }
        let is_redrawn = self.draw(now);
        let is_refollowed = self.follow(now);
        let is_changed = is_redrawn || is_refollowed || self.services.is_changed();
        is_changed.then(|| {
            Snapshot::new(self.services.publish(), self.routes.clone(), self.fallback.clone())
                .with_ports(Arc::clone(&self.ports))
        })
    }

    /// Chooses anew which service gets the requests for which there is no route.
    fn choose(&mut self) {
        if !std::mem::take(&mut self.is_recounted) && self.choice.is_some() {
            return;
        }
        let choice = self.wish.choose(&self.own, &self.tallies, self.chosen.as_ref());
        if let Ok(key) = &choice
            && self.chosen.as_ref() != Some(key)
        {
            let last = self.chosen.replace(key.clone());
            self.place_again(|owner| owner == key || Some(owner) == last.as_ref());
        }
        self.choice = Some(choice);
    }

    /// The containers of some services may be replicas of others than before.
    pub(super) fn place_again(&mut self, is_meant: impl Fn(&ServiceKey) -> bool) {
        for entry in self.entries.values_mut().filter(|entry| is_meant(&entry.identity.key)) {
            entry.is_placed = false;
            self.dirty.insert(Arc::clone(&entry.container.id));
        }
    }

    /// Does what the labels of the newest containers want of their services.
    fn adopt_specs(&mut self) {
        for slot in self.services.touched() {
            let Some(served) = self.services.get_mut(slot) else { continue };
            let Some(id) = served.adopt() else { continue };
            let name = self.entries.get(&id).map_or("", |entry| &entry.container.name);
            info!("service {} is served as the labels of {name} say", served.name());
        }
    }

    /// Where requests go for which there is no route, by now. Returns whether that is another place than before.
    fn follow(&mut self, now: Instant) -> bool {
        let next = self.next_fallback(now);
        if next == self.fallback && self.is_followed {
            return false;
        }
        self.is_followed = true;
        match (&next, &self.choice) {
            (Ok(_), Some(Ok(key))) => {
                info!("requests go to service {:?} of project {:?}", key.service, key.project);
                if !self.tallies.contains_key(key) {
                    warn!("service {:?} of project {:?} has no running container yet", key.service, key.project);
                }
            }
            (Err(nowhere), _) if nowhere.is_known => info!("requests are routed by labels; others get a 404"),
            // What is known of the services stays: with luck the choice becomes clear again.
            (Err(unknown), _) => warn!("no request is routed: {}", unknown.reason),
            (Ok(_), _) => {}
        }
        self.fallback = next;
        true
    }

    fn next_fallback(&mut self, now: Instant) -> Result<Slot, Unrouted> {
        let is_named = self.wish.service.is_some();
        match &self.choice {
            // Whoever has asked for routes does not want all the rest to go anywhere. What other projects ask for changes nothing.
            _ if !is_named && self.is_home_asked() => Err(Unrouted::nowhere(NOWHERE)),
            Some(Ok(key)) => {
                let owner = self.owners.get(key);
                match owner.and_then(|owner| owner.refuses()).filter(|_| !is_named) {
                    Some(label) => Err(Unrouted::nowhere(format!("{label} of service {:?} says so", key.service))),
                    None => Ok(self.main_slot(&key.clone(), now)),
                }
            }
            Some(Err(_)) if self.owners.is_any_asked() => Err(Unrouted::nowhere(NOWHERE)),
            Some(Err(reason)) => Err(Unrouted::unknown(reason.clone())),
            None => Err(Unrouted::unknown("nothing is known yet")),
        }
    }

    fn is_home_asked(&self) -> bool {
        self.wish.project(&self.own).is_some_and(|project| self.owners.is_any_asked_in(project))
    }

    /// The service that a Compose service is if nobody says more; it is waited for where there is none.
    fn main_slot(&mut self, key: &ServiceKey, now: Instant) -> Slot {
        let lead = self.owners.get(key).and_then(|owner| owner.lead.as_ref());
        let known = lead.map(|lead| lead.main).filter(|slot| self.services.get(*slot).is_some());
        known.unwrap_or_else(|| self.services.slot_or_new(&Key::main(key), &self.spec, &self.tuning, now))
    }

    /// Owners and services that have had no container for long, and that nobody names, are forgotten.
    pub(super) fn forget(&mut self, now: Instant) {
        let is_any_service = self.services.expire(now);
        let gone = self.owners.expire(now);
        let (mut ids, mut ports) = (Vec::new(), Vec::new());
        for (key, owner) in &gone {
            self.guards.note_asked(key, Vec::new());
            for other in self.guards.set(key, &[]) {
                self.owners.touch(&other);
            }
            if owner.is_asked() {
                info!("the routes of {key} are gone: it has had no container for long");
            }
            if !owner.routes.is_empty() {
                ids.push(Arc::clone(&owner.id));
            }
            if !owner.streams.is_empty() {
                ports.push(Arc::clone(&owner.id));
                info!("the ports of {key} are closed: it has had no container for long");
            }
        }
        self.patch_ports(&ports, Vec::new());
        if !ids.is_empty() {
            self.patch(&ids, Vec::new());
            self.is_followed = false;
        }
        if is_any_service || !gone.is_empty() {
            let mut used = self.owners.used();
            used.extend(self.fallback.as_ref().ok());
            self.services.sweep(&used);
        }
    }

    /// A row is gone: nothing of it gets requests.
    pub(super) fn leave_all(&mut self, entry: &mut crate::entry::Entry, now: Instant) {
        for place in std::mem::take(&mut entry.places) {
            let Some(served) = self.services.get_mut(place.slot) else { continue };
            let before = served.count();
            served.leave(entry, now);
            if let Some(replica) = &place.replica {
                settle::turn_to(replica, Readiness::Gone, served.spec().drain, now);
                let after = served.count();
                self.news.tell(now, &entry.container.name, &crate::news::Turn::Gone, before, after);
            }
            self.services.touch(place.slot);
        }
        if let Some(age) = &entry.wish.age {
            self.owners.leave(&entry.identity.key, age, self.tuning.forget, now);
        }
    }
}
