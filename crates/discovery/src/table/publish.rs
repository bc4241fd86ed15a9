//! From the rows to the snapshot.

use std::sync::Arc;
use std::time::Instant;

use divisi_model::{Readiness, Snapshot};
use tracing::{info, warn};

use super::chosen::Chosen;
use super::{Table, settle};
use crate::compose::ServiceKey;

impl Table {
    /// Draws the conclusions of everything since the last call. None when nothing changed for the request's way.
    pub(crate) fn commit(&mut self, now: Instant) -> Option<Snapshot> {
        if !self.listed {
            return None;
        }
        let last = self.chosen.as_ref().map(|chosen| &chosen.key);
        let choice = self.wish.choose(&self.own, &self.tallies, last);
        self.follow(choice, now);
        let dirty = std::mem::take(&mut self.dirty);
        // A replica is made as the service wants it, so that is settled first.
        for id in &dirty {
            self.read_labels(id, now);
        }
        self.adopt_spec();
        for id in &dirty {
            self.settle(id, now);
        }
        std::mem::take(&mut self.changed).then(|| self.snapshot())
    }

    fn follow(&mut self, choice: Result<ServiceKey, String>, now: Instant) {
        let is_followed = |key: &ServiceKey| self.chosen.as_ref().is_some_and(|chosen| chosen.key == *key);
        match choice {
            Ok(key) if is_followed(&key) && self.reason.is_none() => {}
            Err(reason) if self.reason.as_ref() == Some(&reason) => {}
            Ok(key) => {
                info!("requests go to service {:?} of project {:?}", key.service, key.project);
                if !self.tallies.contains_key(&key) {
                    warn!("service {:?} of project {:?} has no running container yet", key.service, key.project);
                }
                self.changed = true;
                self.reason = None;
                if !is_followed(&key) {
                    self.turn_to(key, now);
                }
            }
            Err(reason) => {
                // What is known of the service stays: with luck the choice becomes clear again.
                warn!("no request is routed: {reason}");
                self.changed = true;
                self.reason = Some(reason);
            }
        }
    }

    /// Another service gets the requests.
    fn turn_to(&mut self, key: ServiceKey, now: Instant) {
        let mut chosen = Chosen::new(key, (*self.spec).clone(), &self.tuning, now);
        let drain = self.chosen.as_ref().unwrap_or(&chosen).spec().drain;
        for entry in self.entries.values_mut() {
            entry.age = None;
            if let Some(replica) = entry.replica.take() {
                entry.accepts = false;
                settle::turn_to(&replica, Readiness::Draining, drain, now);
            }
            if entry.identity.key == chosen.key {
                chosen.arrive(entry.identity.number);
                self.dirty.push(Arc::clone(&entry.container.id));
            }
        }
        self.chosen = Some(chosen);
    }

    fn snapshot(&mut self) -> Snapshot {
        match (&mut self.chosen, &self.reason) {
            (Some(chosen), None) => Snapshot::of(chosen.publish()),
            (_, reason) => Snapshot::unrouted(reason.clone().unwrap_or_default()),
        }
    }
}
