//! From a row to the replicas that the request's way knows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_labels::Dialect;
use divisi_model::spec::Affinity;
use divisi_model::{Card, Moment, Readiness, Replica};

use super::served::Served;
use super::{Job, Table};
use crate::container::{ContainerId, Health};
use crate::entry::{Entry, Unroutable};
use crate::news::Turn;
use crate::port::Port;

impl Table {
    /// Brings one row's replicas in line with what is known of it.
    pub(super) fn settle(&mut self, id: &ContainerId, now: Instant) {
        self.ask(id);
        let places = self.entries.get(id).map_or(0, |entry| entry.places.len());
        for place in 0..places {
            let Some(entry) = self.entries.get(id) else { return };
            match entry.addr(entry.places[place].port, &self.own.standpoint) {
                Ok(addr) => self.reach(id, place, addr, now),
                Err(why) => self.miss_out(id, place, why, now),
            }
        }
        let Some(entry) = self.entries.get(id) else { return };
        if let Some(age) = &entry.wish.age {
            let is_ready = entry
                .places
                .iter()
                .any(|place| place.replica.as_ref().is_some_and(|replica| replica.readiness() == Readiness::Ready));
            self.owners.set_ready(&entry.identity.key, age, is_ready);
        }
    }

    /// Wants to know what is not known of a row and matters.
    fn ask(&mut self, id: &ContainerId) {
        let Some(entry) = self.entries.get(id).filter(|entry| !entry.asked) else { return };
        let is_placed = !entry.places.is_empty();
        let is_asked_for = entry.places.iter().any(|place| place.is_asked);
        let needs_port = entry.places.iter().any(|place| place.port.is_none());
        let lacks_port = entry.seen && needs_port && entry.container.port == Port::Unknown;
        let reads_variables = self.reader.dialects.has(Dialect::NginxProxy);
        let lacks_details = is_placed && entry.container.stop.is_none()
            || reads_variables && entry.container.environment.is_none()
            || lacks_port;
        if lacks_details {
            let urgent = is_asked_for && (lacks_port || entry.container.health == Health::Unknown);
            self.jobs.push(Job::Inspect { id: Arc::clone(id), ticket: self.clock, urgent });
            if let Some(entry) = self.entries.get_mut(id) {
                entry.asked = true;
            }
        }
    }

    fn reach(&mut self, id: &ContainerId, place: usize, addr: SocketAddr, now: Instant) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let slot = entry.places[place].slot;
        let Some(served) = self.services.get_mut(slot) else { return };
        entry.places[place].complaint = None;
        let before = served.count();
        let key = &entry.identity.key;
        let token = |number| match served.spec().affinity {
            // Several replicas may have no number.
            Affinity::Cookie(_) if number > 0 => self.sticky.token(&key.project, &key.service, number),
            _ => String::new(),
        };
        let token = token(entry.identity.number);
        let replica = replica_at(entry, place, served, addr, token, now);
        let next = entry.readiness(&entry.places[place]);
        // Set before the snapshot without it is published: a drain sees every lease that was given.
        let was = turn_to(&replica, next, served.spec().drain, now);
        let is_changed = if next == Readiness::Ready { served.admit(entry, &replica) } else { served.retire(entry) };
        if next == Readiness::Starting && (entry.places[place].refuses || entry.container.health == Health::Unchecked) {
            self.jobs.push(Job::Probe(Arc::clone(id), replica));
        }
        if was != next
            && let Some(turn) = turn(next, addr)
        {
            self.news.tell(now, &entry.container.name, &turn, before, served.count());
        }
        if is_changed {
            self.services.touch(slot);
        }
    }

    fn miss_out(&mut self, id: &ContainerId, place: usize, why: Unroutable, now: Instant) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let slot = entry.places[place].slot;
        let Some(served) = self.services.get_mut(slot) else { return };
        let before = served.count();
        if let Some(replica) = entry.places[place].replica.take() {
            turn_to(&replica, Readiness::Draining, served.spec().drain, now);
            if served.retire(entry) {
                self.services.touch(slot);
            }
        }
        let place = &mut entry.places[place];
        if place.complaint.as_ref() != Some(&why) {
            if why != Unroutable::Unseen && place.is_asked {
                let turn = Turn::Unroutable(&why.to_string());
                self.news.tell(now, &entry.container.name, &turn, before, self.services.count(slot));
            }
            place.complaint = Some(why);
        }
    }
}

/// Sets a replica's readiness; what still goes on at one that leaves is cut off after `drain`. That goes for one whose
/// container has ended, too: where its network went first, nobody tells that its connections are dead.
pub(super) fn turn_to(replica: &Replica, next: Readiness, drain: Duration, now: Instant) -> Readiness {
    let now = Moment::of(now);
    let was = replica.set_readiness(next, now);
    let leaves = |readiness| matches!(readiness, Readiness::Draining | Readiness::Gone);
    match (leaves(was), leaves(next)) {
        (false, true) => replica.set_cut(Some(now + drain)),
        (true, false) => replica.set_cut(None),
        _ => {}
    }
    was
}

/// The row's replica at a place, a new one if its address is another, or the way in which it is spoken to.
fn replica_at(
    entry: &mut Entry,
    place: usize,
    served: &Served,
    addr: SocketAddr,
    token: String,
    now: Instant,
) -> Arc<Replica> {
    let (number, weight) = (entry.identity.number, entry.weight());
    let place = &mut entry.places[place];
    match &place.replica {
        Some(replica) if replica.addr() == addr && *replica.speech() == place.speech => Arc::clone(replica),
        old => {
            if let Some(old) = old {
                // Connections to the old address lead nowhere, or to somebody else; those that were begun in another way speak
                // past it.
                turn_to(old, Readiness::Gone, served.spec().drain, now);
                place.accepts = false;
            }
            let speech = Arc::clone(&place.speech);
            let card = Card { weight, token, speech, ..Card::new(&entry.container.name, number) };
            let replica = served.service().replica(card, addr, Readiness::Starting);
            Arc::clone(place.replica.insert(replica))
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
