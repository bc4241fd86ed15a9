//! From a row to the replica that the request's way knows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_model::spec::Affinity;
use divisi_model::{Card, Moment, Readiness, Replica};

use super::chosen::Chosen;
use super::{Job, Table};
use crate::container::{ContainerId, Health};
use crate::entry::{Entry, Unroutable};
use crate::news::Turn;
use crate::port::Port;

impl Table {
    /// Brings one row's replica in line with what is known of it.
    pub(super) fn settle(&mut self, id: &ContainerId, now: Instant) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let is_chosen = self.chosen.as_ref().is_some_and(|chosen| chosen.key == entry.identity.key);
        let lacks_port = entry.seen && entry.container.port == Port::Unknown;
        let lacks_details =
            (is_chosen && entry.container.stop.is_none()) || (self.wish.service.is_none() && lacks_port);
        if lacks_details && !entry.asked {
            entry.asked = true;
            let urgent = is_chosen && (lacks_port || entry.container.health == Health::Unknown);
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
        let (Some(entry), Some(chosen)) = (self.entries.get_mut(id), &mut self.chosen) else { return };
        entry.complaint = None;
        let before = chosen.count();
        let token = |number| match chosen.spec().affinity {
            // Several replicas may have no number.
            Affinity::Cookie(_) if number > 0 => self.sticky.token(&chosen.key.project, &chosen.key.service, number),
            _ => String::new(),
        };
        let replica = replica_at(entry, chosen, addr, token, now);
        let next = entry.readiness();
        // Set before the snapshot without it is published: a drain sees every lease that was given.
        let was = turn_to(&replica, next, chosen.spec().drain, now);
        if next == Readiness::Ready {
            self.changed |= chosen.admit(entry, &replica);
        } else {
            self.changed |= chosen.retire(entry);
            if next == Readiness::Starting && (entry.refuses || entry.container.health == Health::Unchecked) {
                self.jobs.push(Job::Probe(Arc::clone(id), replica));
            }
        }
        if was != next
            && let Some(turn) = turn(next, addr)
        {
            self.news.tell(now, &entry.container.name, &turn, before, chosen.count());
        }
    }

    fn unroute(&mut self, id: &ContainerId, why: Unroutable, now: Instant) {
        let (Some(entry), Some(chosen)) = (self.entries.get_mut(id), &mut self.chosen) else { return };
        let before = chosen.count();
        if let Some(replica) = entry.replica.take() {
            turn_to(&replica, Readiness::Draining, chosen.spec().drain, now);
            self.changed |= chosen.retire(entry);
        }
        if entry.complaint.as_ref() != Some(&why) {
            if why != Unroutable::Unseen {
                let turn = Turn::Unroutable(&why.to_string());
                self.news.tell(now, &entry.container.name, &turn, before, chosen.count());
            }
            entry.complaint = Some(why);
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

/// The row's replica, a new one if its address is another.
fn replica_at(
    entry: &mut Entry,
    chosen: &Chosen,
    addr: SocketAddr,
    token: impl FnOnce(u32) -> String,
    now: Instant,
) -> Arc<Replica> {
    match &entry.replica {
        Some(replica) if replica.addr() == addr => Arc::clone(replica),
        old => {
            if let Some(old) = old {
                // Connections to the old address lead nowhere, or to somebody else.
                turn_to(old, Readiness::Gone, chosen.spec().drain, now);
                entry.accepts = false;
            }
            let number = entry.identity.number;
            let card = Card { weight: entry.weight, token: token(number), ..Card::new(&entry.container.name, number) };
            let replica = chosen.service().replica(card, addr, Readiness::Starting);
            Arc::clone(entry.replica.insert(replica))
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
