//! What must hold, whatever happens. Everything here is counted anew, beside what the rooms under test count themselves.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use divisi_model::{Health, Lease, Moment, NoReplica, Readiness, Replica, ReplicaId, Service, Snapshot, Spec, Tried};

use super::knowledge::Knowledge;
use super::millis;
use super::play::{DRAIN, Simulation, TICK, Tally};
use super::request::{Outcome, Phase, Request};
use super::world::Truth;
use crate::container::Life;

/// How long the first in the line may wait while somebody has room: two ticks, and the time to get up.
const PATIENCE: Duration = millis(105);
/// The same while nobody does anything: only the time to get up. No tick is needed for that.
const IMPATIENCE: Duration = millis(4);

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Laws {
    pub(super) tally: Tally,
    /// Since when those that leave have been leaving, as long as somebody is there.
    leaving: BTreeMap<ReplicaId, Duration>,
    /// Since when there has been room without a break.
    room_since: Option<Duration>,
    /// The same, and nobody did anything.
    idle_since: Option<Duration>,
    /// The first in the line, by its order of arrival, and since when it is.
    head: Option<(u64, Duration)>,
    /// By second: requests that came, attempts beyond their first.
    seconds: BTreeMap<u64, (u64, u64)>,
}

impl Laws {
    /// Another snapshot is about to be published.
    pub(super) fn publishes(&mut self, knowledge: &mut Knowledge, last: &Snapshot, next: &Snapshot) {
        self.tally.snapshots += 1;
        let changed = knowledge.take_changed();
        let (Ok(last), Ok(next)) = (last.route(), next.route()) else { return };
        assert!(Arc::ptr_eq(last.state(), next.state()), "the same service has another state");
        for replica in next.ready() {
            assert_eq!(replica.readiness(), Readiness::Ready, "{} is published", replica.name());
            let of_old = |old: &&Arc<Replica>| old.name() == replica.name() && old.addr() == replica.addr();
            let id = knowledge.id(replica);
            if let Some(old) = last.ready().iter().find(of_old).filter(|_| id.is_none_or(|id| !changed.contains(id))) {
                assert!(Arc::ptr_eq(old, replica), "{} has not changed and is another replica", replica.name());
            }
        }
        for replica in last.ready().iter().filter(|old| !next.ready().iter().any(|new| Arc::ptr_eq(old, new))) {
            assert_ne!(replica.readiness(), Readiness::Ready, "{} leaves and would take requests", replica.name());
        }
        let numbers: Vec<_> = next.ready().iter().map(|replica| replica.number()).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
    }

    pub(super) fn ends(&mut self, outcome: Outcome) {
        *(match outcome {
            Outcome::Answered => &mut self.tally.answered,
            Outcome::Failed => &mut self.tally.failed,
            Outcome::Unheld | Outcome::Unrouted => &mut self.tally.unheld,
            Outcome::Left => &mut self.tally.left,
        }) += 1;
    }

    /// A request has looked for a replica.
    pub(super) fn picks(&mut self, service: &Service, tried: &Tried, picked: &Result<Lease, NoReplica>, now: Moment) {
        let all = uses_ejected(service);
        let is_willing = |replica: &&Arc<Replica>| {
            replica.readiness() == Readiness::Ready
                && (replica.health() == Health::Up || all && replica.health() == Health::Ejected)
        };
        let limit = service.spec().replica_limit.map_or(usize::MAX, |limit| limit as usize);
        let willing: Vec<_> = service.ready().iter().filter(is_willing).collect();
        let untried = || willing.iter().filter(|replica| !tried.contains(replica.id()));
        match picked {
            Ok(lease) => {
                let replica = lease.replica();
                self.tally.leases += 1;
                self.seconds.entry(second(now)).or_default().0 += u64::from(tried.is_empty());
                self.tally.desperate += u64::from(replica.health() == Health::Ejected);
                let name = replica.name();
                assert!(untried().any(|other| Arc::ptr_eq(other, replica)), "{name} should not have been picked");
                assert!(replica.in_flight() <= limit, "{name} has more than it may");
            }
            Err(NoReplica::NoneReady) => assert!(willing.is_empty(), "{} are ready", willing.len()),
            Err(NoReplica::Tried) => assert!(!willing.is_empty() && untried().count() == 0, "somebody was not tried"),
            Err(NoReplica::Busy) => {
                assert!(untried().count() > 0, "nobody is there to be busy");
                assert!(untried().all(|replica| replica.in_flight() >= limit), "somebody has room");
            }
        }
    }

    /// One that waits has looked for a replica: nobody else may who came later.
    pub(super) fn looks(&self, number: u64, requests: &BTreeMap<u64, Request>) {
        let waits = requests.get(&number).and_then(|request| request.waits);
        assert_eq!(waits, first_in_line(requests), "request {number} overtakes");
    }

    /// A request was let in, or not.
    pub(super) fn enters(&self, service: &Service, enters: bool, others: usize) {
        let limit = service.spec().service_limit.map_or(usize::MAX, |limit| limit as usize);
        assert_eq!(enters, others < limit, "{others} requests, {limit} allowed");
    }

    /// One wants another attempt.
    pub(super) fn retries(&mut self, may: bool, spec: &Spec, now: Moment) {
        if !may {
            self.tally.overdrawn += 1;
            return;
        }
        self.tally.retries += 1;
        let number = second(now);
        self.seconds.entry(number).or_default().1 += 1;
        let recent = self.seconds.range(number.saturating_sub(9)..).map(|(_, second)| *second);
        let (requests, retries) = recent.fold((0, 0), |sum, second| (sum.0 + second.0, sum.1 + second.1));
        let limits = &spec.retry;
        let allowed = (requests * u64::from(limits.percent) / 100).max(u64::from(limits.per_second) * 10);
        assert!(retries <= allowed, "{retries} retries for {requests} requests within ten seconds");
    }

    /// No attempt came of one that was granted then.
    pub(super) fn gives_back(&mut self, granted_at: Moment) {
        self.tally.retries -= 1;
        self.seconds.entry(second(granted_at)).or_default().1 -= 1;
    }
}

/// Who of those that wait came first.
fn first_in_line(requests: &BTreeMap<u64, Request>) -> Option<u64> {
    let in_line = requests.values().filter(|request| matches!(request.phase, Phase::Waiting(_)));
    in_line.filter_map(|request| request.waits).min()
}

fn second(now: Moment) -> u64 {
    now.as_nanos() / 1_000_000_000
}

/// More than half of those that could be used have failed, so all are used.
fn uses_ejected(service: &Service) -> bool {
    let count = |health| service.ready().iter().filter(|replica| replica.health() == health).count();
    let (up, ejected) = (count(Health::Up), count(Health::Ejected));
    ejected * 2 > up + ejected
}

impl Simulation {
    /// What must hold after every step.
    pub(super) fn judge(&mut self) {
        let Some(service) = self.service() else {
            assert!(self.requests.is_empty() || self.house.table.is_listed(), "nobody can be on the way to nobody");
            return;
        };
        self.judge_counts(&service);
        for replica in service.ready() {
            assert_eq!(replica.readiness(), Readiness::Ready, "{} is in the snapshot", replica.name());
        }
        self.judge_patience(&service);
        self.judge_drains();
    }

    /// Whoever is at a replica is counted there, and nobody else; the same with the line.
    fn judge_counts(&self, service: &Service) {
        let mut held: HashMap<ReplicaId, (usize, &Arc<Replica>)> = HashMap::new();
        let mut waiting = 0;
        for request in self.requests.values() {
            match &request.phase {
                Phase::Trying(lease, _) => {
                    held.entry(lease.replica().id()).or_insert_with(|| (0, lease.replica())).0 += 1
                }
                Phase::Waiting(_) => waiting += 1,
                Phase::Pausing => {}
            }
        }
        assert_eq!(service.state().waiting(), waiting, "those who wait");
        for (count, replica) in held.values() {
            assert_eq!(replica.in_flight(), *count, "in flight at {}", replica.name());
        }
        for replica in service.ready().iter().filter(|replica| !held.contains_key(&replica.id())) {
            assert_eq!(replica.in_flight(), 0, "in flight at {}", replica.name());
        }
    }

    /// Nobody waits while there is room.
    fn judge_patience(&mut self, service: &Service) {
        let limit = service.spec().replica_limit.map_or(usize::MAX, |limit| limit as usize);
        let all = uses_ejected(service);
        let is_well =
            |replica: &&Arc<Replica>| replica.health() == Health::Up || all && replica.health() == Health::Ejected;
        let usable = || service.ready().iter().filter(is_well);
        let now = self.now;
        let since = |holds: bool, since: &mut Option<Duration>| {
            *since = holds.then(|| since.unwrap_or(now));
            since.unwrap_or(now)
        };
        let has_room = usable().any(|replica| replica.in_flight() < limit);
        // Only a few are called at a time, and the end of an exchange calls the next, be it at a replica that is out by now.
        let is_anywhere = self.requests.values().any(|request| matches!(request.phase, Phase::Trying(..)));
        let is_idle = has_room && !is_anywhere;
        let room_since = since(has_room, &mut self.laws.room_since);
        let idle_since = since(is_idle, &mut self.laws.idle_since);
        let first = first_in_line(&self.requests);
        if self.laws.head.map(|(place, _)| place) != first {
            self.laws.head = first.map(|place| (place, now));
        }
        if let Some((_, head_since)) = self.laws.head {
            let waits = now - room_since.max(head_since);
            assert!(waits <= PATIENCE, "the first in the line waits although there has been room for {waits:?}");
            let waits = now - idle_since.max(head_since);
            assert!(waits <= IMPATIENCE, "the first in the line waits although nobody does anything for {waits:?}");
        }
    }

    /// Whoever is at a replica that leaves is gone when its time is over.
    fn judge_drains(&mut self) {
        let now = self.now;
        let mut leaving = BTreeMap::new();
        for request in self.requests.values() {
            if let Phase::Trying(lease, _) = &request.phase
                && matches!(lease.replica().readiness(), Readiness::Draining | Readiness::Gone)
            {
                let id = lease.replica().id();
                let since = self.laws.leaving.get(&id).copied().unwrap_or(now);
                let name = lease.replica().name();
                assert!(now - since <= DRAIN + TICK, "a request is at {name}, which has left for {:?}", now - since);
                leaving.insert(id, since);
            }
        }
        self.laws.leaving = leaving;
    }

    /// What must hold when nothing has gone wrong for a while.
    pub(super) fn judge_end(&mut self) {
        assert!(self.requests.is_empty(), "requests without an end: {:?}", self.requests);
        let tally = &self.laws.tally;
        let ended = tally.answered + tally.failed + tally.unheld + tally.left;
        assert_eq!(ended, tally.requests, "every request ends once");
        let truths = &self.world.truths;
        let mut wanted: Vec<_> = truths.iter().filter(|truth| truth.is_servable()).map(Truth::addr).collect();
        let known = truths.iter().filter(|truth| *truth.identity.key.service == *"web" && truth.life != Life::Ended);
        let service = self.service().expect("a service that is named is always known");
        assert_eq!(service.known(), known.count(), "containers known");
        let mut had: Vec<_> = service.ready().iter().map(|replica| replica.addr()).collect();
        wanted.sort_unstable();
        had.sort_unstable();
        assert_eq!(had, wanted, "who gets requests and who ought to");
        for replica in service.ready() {
            assert_eq!((replica.health(), replica.in_flight()), (Health::Up, 0), "{}", replica.name());
        }
        assert!(self.house.prober.due().is_none(), "nobody is starting, and somebody is asked");
        let snapshot = self.house.published.keep();
        let mut services = snapshot.services();
        let is_checked = services.any(|service| service.spec().check.question != divisi_model::spec::Question::None);
        assert!(is_checked || self.house.ward.due().is_none(), "nobody is ill, and somebody is looked after");
    }
}
