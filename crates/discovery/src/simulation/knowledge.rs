//! What was heard of each container and of each replica: nothing may be done against it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_model::{Moment, Replica, ReplicaId, Spec};

use super::engine::Found;
use super::world::Truth;
use crate::container::{Container, ContainerId, Health, Life, StopRule};
use crate::event::{Event, What};
use crate::table::Table;

/// What was heard of one container. Times are the engine's.
#[derive(Clone, Debug)]
struct Heard {
    rule: StopRule,
    has_check: bool,
    /// The last event of each kind, and whether the container could get requests after it.
    life: (i64, bool),
    health: (i64, bool),
    /// When the engine looked for the latest answer that tells the same.
    life_seen: i64,
    health_seen: i64,
    /// Its stop has begun, and its end was not heard of.
    stop: Option<Stop>,
}

/// A stop that was heard of.
#[derive(Clone, Copy, Debug)]
struct Stop {
    at: i64,
    /// The container's row then.
    born: u64,
    /// Until when it gets no requests.
    until: Instant,
}

/// What was heard of all.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    stop_margin: Duration,
    /// By name, which in a simulation never passes to another container.
    ids: HashMap<String, ContainerId>,
    heard: HashMap<ContainerId, Heard>,
    /// Containers of which something was heard since the last snapshot that allows another replica for them.
    changed: HashSet<ContainerId>,
    /// Replicas that have accepted a probe.
    accepted: HashSet<ReplicaId>,
    /// Replicas that have refused a connection and were not asked since.
    refused: HashSet<ReplicaId>,
    /// When requests took replicas out.
    ejected: HashMap<ReplicaId, Moment>,
    /// What inspections there may be at most, and how many there were.
    may_ask: usize,
    asked: usize,
}

impl Knowledge {
    pub(super) fn new(stop_margin: Duration) -> Self {
        Self { stop_margin, ..Self::default() }
    }

    /// A container is made or renamed.
    pub(super) fn meet(&mut self, truth: &Truth) {
        self.ids.insert(truth.name.clone(), Arc::clone(&truth.id));
        self.heard.entry(Arc::clone(&truth.id)).or_insert_with(|| Heard {
            rule: truth.stop,
            has_check: truth.health != Health::Unchecked,
            life: (0, true),
            health: (0, true),
            life_seen: 0,
            health_seen: 0,
            stop: None,
        });
    }

    /// An event is about to be applied.
    pub(super) fn apply(&mut self, event: &Event, table: &Table, now: Instant) {
        self.may_ask += 1;
        if matches!(event.what, What::Started | What::Ended | What::Rewired) {
            self.changed.insert(Arc::clone(&event.id));
        }
        let Some(heard) = self.heard.get_mut(&event.id) else { return };
        heard.hear(event);
        if let Some(born) = table.born(&event.id).filter(|_| table.is_stopped_by(event, heard.rule)) {
            heard.stop = Some(Stop { at: event.at, born, until: now + heard.rule.timeout + self.stop_margin });
        }
        if event.what == What::Ended && heard.stop.is_some_and(|stop| stop.at < event.at) {
            heard.stop = None;
        }
    }

    /// An answer of the engine, which looked at that time, is about to be applied.
    pub(super) fn learn(&mut self, found: &Found, looked: i64) {
        match found {
            Found::All(list) => {
                self.may_ask += list.containers.len();
                let named: HashSet<_> = list.containers.iter().map(|container| &container.id).collect();
                self.changed.extend(self.ids.values().filter(|id| !named.contains(id)).cloned());
                for container in &list.containers {
                    // The list does not say the health of a frozen one.
                    self.see(container, container.life != Life::Paused, looked);
                }
            }
            Found::One(Some(container)) => self.see(container, true, looked),
            Found::One(None) | Found::Nothing => {}
        }
    }

    fn see(&mut self, container: &Container, tells_health: bool, looked: i64) {
        // Its address may be another.
        self.changed.insert(Arc::clone(&container.id));
        if let Some(heard) = self.heard.get_mut(&container.id) {
            heard.life_seen = heard.life_seen.max(looked);
            if tells_health {
                heard.health_seen = heard.health_seen.max(looked);
            }
        }
    }

    /// An inspection has told something of a container, be it that there is none.
    pub(super) fn inspect(&mut self, id: &ContainerId) {
        self.changed.insert(Arc::clone(id));
    }

    /// The engine is asked for a container. Never more often than something was heard.
    pub(super) fn ask(&mut self) {
        self.asked += 1;
        assert!(self.asked <= self.may_ask, "more inspections than news");
    }

    /// The containers that may have other replicas in this snapshot than in the last.
    pub(super) fn take_changed(&mut self) -> HashSet<ContainerId> {
        std::mem::take(&mut self.changed)
    }

    /// Whose replica that is.
    pub(super) fn id(&self, replica: &Replica) -> Option<&ContainerId> {
        self.ids.get(replica.name())
    }

    /// A probe has ended.
    pub(super) fn probe(&mut self, replica: &Replica, accepted: bool) {
        if accepted {
            self.accepted.insert(replica.id());
        }
    }

    /// A request has failed at a replica.
    pub(super) fn fail(&mut self, replica: &Replica, is_refused: bool, is_out: bool, now: Moment) {
        if is_refused {
            assert_eq!(replica.health(), divisi_model::Health::Down, "{} has refused a connection", replica.name());
            // Who is down already is asked by then, and its answers are newer than a connection that was begun while it was up.
            if is_out {
                self.refused.insert(replica.id());
            }
        } else if is_out {
            self.ejected.insert(replica.id(), now);
        }
    }

    /// A replica was asked at `put`, and is no longer out if `is_back`.
    pub(super) fn answer(&mut self, replica: &Replica, put: Moment, is_back: bool, spec: &Spec) {
        self.refused.remove(&replica.id());
        if let Some(ejected) = self.ejected.get(&replica.id()).filter(|_| is_back) {
            let name = replica.name();
            assert!(put >= *ejected + spec.ejection.time, "{name} is back for what it said before its time");
        }
    }

    /// A request is about to go to a replica: nothing that was heard may be against it.
    pub(super) fn allow(&self, replica: &Replica, table: &Table, now: Instant) {
        let name = replica.name();
        assert!(!self.refused.contains(&replica.id()), "{name} has refused a connection and was not asked since");
        let Some(id) = self.id(replica) else { return };
        let heard = &self.heard[id];
        let is_stopping = |stop: Stop| table.born(id) == Some(stop.born) && now < stop.until;
        assert!(!heard.stop.is_some_and(is_stopping), "{name} gets a request although its stop has begun");
        let lives = heard.life.1 || heard.life_seen > heard.life.0;
        assert!(lives, "{name} gets a request although it has ended or is paused");
        let is_healthy = heard.health.1 || heard.health_seen > heard.health.0;
        assert!(is_healthy, "{name} gets a request although it is not healthy");
        let is_sound = heard.has_check || self.accepted.contains(&replica.id());
        assert!(is_sound, "{name} gets a request although it has accepted no connection");
    }
}

impl Heard {
    /// Of two events the later counts, in whatever order they come.
    fn hear(&mut self, event: &Event) {
        let later = |known: &mut (i64, bool), is_good| {
            if known.0 < event.at {
                *known = (event.at, is_good);
            }
        };
        match event.what {
            What::Started => {
                later(&mut self.life, true);
                later(&mut self.health, !self.has_check);
            }
            What::Ended | What::Paused => later(&mut self.life, false),
            What::Unpaused => later(&mut self.life, true),
            What::Health(health) => later(&mut self.health, health == Health::Healthy),
            What::Signalled(_) | What::Renamed | What::Rewired => {}
        }
    }
}
