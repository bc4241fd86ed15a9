//! The change's way: the real table, prober and ward. What `watch` does between them and the sockets is done here in its stead.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_health::{Answer, Inquiry, Pace, Visit, Ward};
use divisi_model::{Health, Moment, Published, Readiness, Snapshot, Spec};

use super::agenda::Item;
use super::engine::{Call, Found};
use super::millis;
use super::play::Simulation;
use super::world::{Meeting, Process};
use crate::container::{ContainerId, Life};
use crate::event::Event;
use crate::probe::{Candidate, Prober};
use crate::settings::{Settings, Tuning};
use crate::table::{Job, Table};

/// An inspection that is wanted or under way.
#[derive(Clone, Debug)]
pub(super) struct Inspection {
    pub(super) id: ContainerId,
    ticket: u64,
    urgent: bool,
}

/// Everything that `watch` holds.
#[derive(Debug)]
pub(super) struct House {
    pub(super) table: Table,
    pub(super) published: Arc<Published>,
    pub(super) prober: Prober,
    pub(super) ward: Ward,
    pub(super) tuning: Tuning,
    urgent: VecDeque<Inspection>,
    idle: VecDeque<Inspection>,
    urgent_running: usize,
    idle_running: usize,
    list: u64,
    listing: bool,
    list_again: bool,
    list_failures: u32,
    last_list: Option<Instant>,
    next_list: Instant,
    next_recheck: Option<Instant>,
}

impl House {
    pub(super) fn new(spec: Spec, seed: u64, now: Instant) -> Self {
        let named = |name: &str| Some(name.to_owned());
        // All that takes long takes less, so that more of it happens.
        let tuning = Tuning { reconcile: millis(6000), stop_margin: millis(1000), ..Tuning::default() };
        let settings = Settings { service: named("web"), project: named("shop"), spec, tuning, ..Settings::default() };
        Self {
            table: Table::new(&settings),
            published: Published::new(Snapshot::unrouted("nothing was heard yet")),
            prober: Prober::new(settings.tuning.probe.clone()),
            ward: Ward::new(Pace::default(), seed),
            tuning: settings.tuning,
            urgent: VecDeque::new(),
            idle: VecDeque::new(),
            urgent_running: 0,
            idle_running: 0,
            list: 0,
            listing: false,
            list_again: false,
            list_failures: 0,
            last_list: None,
            next_list: now,
            next_recheck: None,
        }
    }

    fn next_inspection(&mut self) -> Option<Inspection> {
        if self.urgent_running < 16
            && let Some(inspection) = self.urgent.pop_front()
        {
            self.urgent_running += 1;
            return Some(inspection);
        }
        let inspection = if self.idle_running < 1 { self.idle.pop_front() } else { None };
        self.idle_running += usize::from(inspection.is_some());
        inspection
    }

    fn list_soon(&mut self, now: Instant) {
        self.list_again |= self.listing;
        let earliest = self.last_list.map_or(now, |last| now.max(last + self.tuning.list_pause));
        self.next_list = self.next_list.min(earliest);
    }
}

impl Simulation {
    /// When the change's way has something to do by itself.
    pub(super) fn due(&self) -> Option<Duration> {
        let house = &self.house;
        let list = (self.engine.is_up && !house.listing).then_some(house.next_list);
        let dues = [list, house.next_recheck, house.table.due(), house.prober.due()];
        let ward = house.ward.due().map(|due| due.since(Moment::of(self.base)));
        let rest = dues.into_iter().flatten().min().map(|due| due.saturating_duration_since(self.base));
        [ward, rest].into_iter().flatten().min()
    }

    /// Events have come.
    pub(super) fn hear(&mut self, batch: Vec<Event>) {
        let now = self.instant();
        for event in batch {
            self.note(|| format!("applied: {} {:?}", event.name, event.what));
            self.laws.tally.events += 1;
            self.knowledge.apply(&event, &self.house.table, now);
            self.house.table.apply(event, now);
        }
        self.conclude();
    }

    /// The engine is there: subscribed first, listed second.
    pub(super) fn find_engine(&mut self) {
        self.house.next_recheck = None;
        self.house.list_failures = 0;
        self.begin_list();
        self.conclude();
    }

    pub(super) fn lose_engine(&mut self) {
        let now = self.instant();
        let recheck = now + self.house.tuning.recheck;
        self.house.next_recheck.get_or_insert(recheck);
        self.conclude();
    }

    /// An answer of the engine has come.
    pub(super) fn take(&mut self, call: Call, found: Found, looked: i64) {
        let now = self.instant();
        if !matches!(call, Call::List(number) if number != self.house.list) {
            self.knowledge.learn(&found, looked);
        }
        let house = &mut self.house;
        match (call, found) {
            (Call::List(number), Found::All(list)) if number == house.list => {
                house.listing = false;
                house.last_list = Some(now);
                house.list_failures = 0;
                house.next_list = now + if house.list_again { house.tuning.list_pause } else { house.tuning.reconcile };
                house.table.apply_list(list, now);
            }
            (Call::List(number), _) if number == house.list => {
                house.listing = false;
                house.last_list = Some(now);
                house.table.abandon_list();
                house.next_list = now + house.tuning.list_pause * 2_u32.pow(house.list_failures.min(8));
                house.list_failures += 1;
            }
            (Call::List(_), _) => {}
            (Call::Inspect(inspection), found) => {
                *(if inspection.urgent { &mut house.urgent_running } else { &mut house.idle_running }) -= 1;
                if matches!(found, Found::One(_)) {
                    self.knowledge.inspect(&inspection.id);
                }
                match found {
                    Found::One(one) => house.table.inspected(&inspection.id, inspection.ticket, one, now),
                    _ => house.table.inspection_failed(&inspection.id, None, now),
                }
            }
        }
        self.conclude();
    }

    /// What `watch` does after each batch.
    pub(super) fn conclude(&mut self) {
        let now = self.instant();
        self.house.table.expire(now);
        if let Some(snapshot) = self.house.table.commit(now) {
            self.laws.publishes(&mut self.knowledge, &self.house.published.load(), &snapshot);
            self.house.published.publish(snapshot);
            self.note(|| "published".to_owned());
        }
        let mut jobs = self.house.table.take_jobs();
        // The table goes through its rows in no order; a seed must not depend on that.
        jobs.sort_by_key(|job| match job {
            Job::Inspect { id, ticket, .. } => (0, Some(Arc::clone(id)), *ticket),
            Job::Probe(id, _) => (1, Some(Arc::clone(id)), 0),
            Job::InspectOwn | Job::List => (2, None, 0),
        });
        for job in jobs {
            match job {
                Job::Inspect { id, ticket, urgent } => {
                    self.laws.tally.inspections += 1;
                    self.knowledge.ask();
                    let queue = if urgent { &mut self.house.urgent } else { &mut self.house.idle };
                    queue.push_back(Inspection { id, ticket, urgent });
                }
                Job::InspectOwn => {}
                Job::Probe(id, replica) => self.house.prober.add(id, replica, Readiness::Starting, now),
                Job::List => self.house.list_soon(now),
            }
        }
        if self.engine.is_up && !self.house.listing && self.house.next_list <= now {
            self.begin_list();
        }
        if self.house.next_recheck.is_some_and(|due| due <= now) {
            self.recheck(now);
        }
        while let Some(inspection) = self.house.next_inspection() {
            self.call(Call::Inspect(inspection));
        }
        while let Some(candidate) = self.house.prober.next(now) {
            let delay = self.span(millis(5));
            self.agenda.add(self.now + delay, Item::Probed(candidate));
        }
        self.visit();
    }

    fn begin_list(&mut self) {
        self.house.list += 1;
        self.house.listing = true;
        self.house.list_again = false;
        self.house.table.begin_list();
        self.call(Call::List(self.house.list));
    }

    fn recheck(&mut self, now: Instant) {
        let mut ready: Vec<_> =
            self.house.table.ready().map(|(id, replica)| (Arc::clone(id), Arc::clone(replica))).collect();
        ready.sort_by(|a, b| a.0.cmp(&b.0));
        for (id, replica) in ready {
            self.house.prober.add(id, replica, Readiness::Ready, now);
        }
        self.house.next_recheck = Some(now + self.house.tuning.recheck);
    }

    /// A probe has ended.
    pub(super) fn probed(&mut self, candidate: Candidate) {
        let now = self.instant();
        let accepted = matches!(self.world.meet(candidate.replica.addr()), Meeting::Accepted(_));
        self.note(|| format!("probed: {} accepts: {accepted}", candidate.replica.name()));
        self.knowledge.probe(&candidate.replica, accepted);
        if accepted || candidate.asked_as == Readiness::Ready {
            self.house.table.probed(&candidate.id, candidate.replica.id(), accepted);
        }
        self.house.prober.answered(candidate, accepted, now);
        self.conclude();
    }

    /// Has the ward look at the world.
    pub(super) fn look(&mut self) {
        drop(self.house.published.alarm().take());
        let snapshot = Arc::clone(&self.house.published.load());
        self.house.ward.look(&snapshot, self.moment());
        self.visit();
    }

    fn visit(&mut self) {
        while let Some(visit) = self.house.ward.next(self.moment()) {
            self.note(|| format!("asks {}: {:?}", visit.replica().name(), visit.inquiry()));
            let hangs = self.would_answer(&visit) == Answer::Silent;
            let delay = if hangs { visit.patience() } else { self.span(millis(20)) };
            let put = self.moment();
            self.agenda.add(self.now + delay, Item::Asked(visit, put));
        }
    }

    /// A question to a replica has ended.
    pub(super) fn asked(&mut self, visit: &Visit, put: Moment) {
        let was_out = visit.replica().health() == Health::Ejected;
        let answer = self.would_answer(visit);
        self.note(|| format!("{} answers {:?}: {answer}", visit.replica().name(), visit.inquiry()));
        self.house.ward.answered(visit, answer, self.moment());
        let is_back = was_out && visit.replica().health() == Health::Up;
        if let Some(service) = self.service() {
            self.knowledge.answer(visit.replica(), put, is_back, service.spec());
        }
        self.visit();
    }

    fn would_answer(&self, visit: &Visit) -> Answer {
        let place = match self.world.meet(visit.replica().addr()) {
            Meeting::Nobody if visit.inquiry() == &Inquiry::Connect => return Answer::Silent,
            Meeting::Nobody | Meeting::Refused => return Answer::Refused,
            Meeting::Accepted(place) => place,
        };
        let truth = &self.world.truths[place.at];
        match (visit.inquiry(), truth.process) {
            (Inquiry::Connect, _) => Answer::Accepted,
            _ if truth.life == Life::Paused => Answer::Silent,
            (_, Process::Serving) => Answer::Status(200),
            (_, Process::Failing) => Answer::Status(500),
            (_, Process::Hanging) => Answer::Silent,
            (_, Process::Deaf) => Answer::Broken,
        }
    }
}
