//! From a row to the replica that the request's way knows, and from the rows to the snapshot.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use divisi_model::{Card, Moment, Readiness, Replica, Service, Snapshot};

use super::{Job, Table};
use crate::container::{ContainerId, Health};
use crate::entry::{Entry, Unroutable};
use crate::news::Turn;
use crate::port::Port;

impl Table {
    /// Brings one row's replica in line with what is known of it.
    pub(super) fn settle(&mut self, id: &ContainerId, now: Instant) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let is_chosen = self.chosen.is_some() && self.last.as_ref() == Some(&entry.identity.key);
        let lacks_port = entry.seen && entry.container.port == Port::Unknown;
        let lacks_details =
            (is_chosen && entry.container.stop.is_none()) || (self.wish.service.is_none() && lacks_port);
        if lacks_details && !entry.asked {
            entry.asked = true;
            let urgent = is_chosen && lacks_port;
            self.jobs.push(Job::Inspect { id: Arc::clone(id), ticket: self.clock, urgent });
        }
        if is_chosen {
            match entry.addr(&self.own.standpoint) {
                Ok(addr) => self.route(id, addr, now),
                Err(why) => self.unroute(id, why, now),
            }
        }
    }

    fn route(&mut self, id: &ContainerId, addr: SocketAddr, now: Instant) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.complaint = None;
        let rank = (entry.identity.number, Arc::clone(id));
        let before = self.ready.len();
        let Some(service) = &self.chosen else { return };
        let (replica, is_new) = replica_at(entry, service, addr);
        let next = entry.readiness();
        // Set before the snapshot without it is published: a drain sees every lease that was given.
        let was = replica.set_readiness(next, Moment::now());
        if next == Readiness::Ready {
            self.changed |= was != next || is_new;
            self.ready.insert(rank, replica);
        } else {
            self.changed |= self.ready.remove(&rank).is_some();
            if next == Readiness::Starting && (entry.refuses || entry.container.health == Health::Unchecked) {
                self.jobs.push(Job::Probe(Arc::clone(id), replica));
            }
        }
        if was != next
            && let Some(turn) = turn(next, addr)
        {
            self.news.tell(now, &entry.container.name, &turn, before, self.ready.len());
        }
    }

    fn unroute(&mut self, id: &ContainerId, why: Unroutable, now: Instant) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let before = self.ready.len();
        if let Some(replica) = entry.replica.take() {
            replica.set_readiness(Readiness::Draining, Moment::now());
            self.changed |= self.ready.remove(&(entry.identity.number, Arc::clone(id))).is_some();
        }
        if entry.complaint.as_ref() != Some(&why) {
            if why != Unroutable::Unseen {
                let turn = Turn::Unroutable(&why.to_string());
                self.news.tell(now, &entry.container.name, &turn, before, self.ready.len());
            }
            entry.complaint = Some(why);
        }
    }

    /// The world as the rows have it.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        let Some(service) = &self.chosen else {
            return Snapshot::unrouted(self.reason.clone().unwrap_or_default());
        };
        let known = self.last.as_ref().and_then(|key| self.tallies.get(key)).map_or(0, |tally| tally.live);
        let ready = self.ready.values().map(Arc::clone).collect();
        let service = Arc::new(service.with_replicas(ready, known));
        self.chosen = Some(Arc::clone(&service));
        Snapshot::of(service)
    }
}

/// The row's replica, a new one if its address is another. Tells whether it is new.
fn replica_at(entry: &mut Entry, service: &Service, addr: SocketAddr) -> (Arc<Replica>, bool) {
    match &entry.replica {
        Some(replica) if replica.addr() == addr => (Arc::clone(replica), false),
        old => {
            if let Some(old) = old {
                // Connections to the old address lead nowhere, or to somebody else.
                old.set_readiness(Readiness::Gone, Moment::now());
                entry.accepts = false;
            }
            let card = Card::new(&entry.container.name, entry.identity.number);
            let replica = service.replica(card, addr, Readiness::Starting);
            entry.replica = Some(Arc::clone(&replica));
            (replica, true)
        }
    }
}

fn turn(next: Readiness, addr: SocketAddr) -> Option<Turn<'static>> {
    match next {
        Readiness::Ready => Some(Turn::Ready(addr)),
        Readiness::Unhealthy => Some(Turn::Unhealthy),
        Readiness::Paused => Some(Turn::Paused),
        Readiness::Draining => Some(Turn::Draining),
        Readiness::Starting | Readiness::Gone => None,
    }
}
