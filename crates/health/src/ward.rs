//! Who is looked after, who is asked when, and what follows from the answers. No runtime, no sockets; time comes as an argument.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use divisi_model::spec::Question;
use divisi_model::{Health, Moment, Readiness, Replica, ReplicaId, Snapshot, Spec};

use crate::news::News;
use crate::pace::{Pace, Throttle};
use crate::patient::Patient;
use crate::visit::{Answer, Visit};

/// A patient, and when it is asked.
#[derive(Debug)]
struct Bed {
    patient: Patient,
    /// The world in which it was last seen.
    world: u64,
    next: Next,
}

/// When a patient is asked.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// Then; the key of its place in the queue.
    Due((Moment, u64)),
    /// It is being asked; the number of the visit.
    Asked(u64),
}

/// All replicas that are looked after.
#[derive(Debug)]
pub struct Ward {
    pace: Pace,
    beds: HashMap<ReplicaId, Bed>,
    /// By time, and by arrival where times are equal.
    queue: BTreeMap<(Moment, u64), ReplicaId>,
    throttle: Throttle,
    asking: usize,
    /// Numbers arrivals in the queue, visits and worlds.
    count: u64,
    random: fastrand::Rng,
    news: News,
}

impl Ward {
    /// Nobody to look after yet.
    pub fn new(pace: Pace, seed: u64) -> Self {
        Self {
            pace,
            beds: HashMap::new(),
            queue: BTreeMap::new(),
            throttle: Throttle::default(),
            asking: 0,
            count: 0,
            random: fastrand::Rng::with_seed(seed),
            news: News::default(),
        }
    }

    /// Looks at every replica of the world as it is now: to be called when it has changed, and when requests have failed.
    pub fn look(&mut self, snapshot: &Snapshot, now: Moment) {
        self.count += 1;
        let world = self.count;
        for service in snapshot.services() {
            for replica in service.ready() {
                self.meet(replica, service.spec(), world, now);
            }
        }
        let queue = &mut self.queue;
        self.beds.retain(|_, bed| {
            let stays = bed.world == world && bed.patient.inquiry().is_some();
            if let (false, Next::Due(key)) = (stays, bed.next) {
                queue.remove(&key);
            }
            stays
        });
    }

    /// When [`next`](Self::next) has something to do.
    pub fn due(&self) -> Option<Moment> {
        let has_room = self.asking < self.pace.at_once.max(1);
        let first = self.queue.first_key_value().filter(|_| has_room);
        let visit = first.map(|((due, _), _)| self.throttle.due(&self.pace).max(*due));
        [visit, self.news.due()].into_iter().flatten().min()
    }

    /// Somebody to be asked now; to be handed back by [`answered`](Self::answered).
    pub fn next(&mut self, now: Moment) -> Option<Visit> {
        self.news.flush(now);
        while self.due().is_some_and(|due| due <= now) {
            let (_, id) = self.queue.pop_first()?;
            let Some(bed) = self.beds.get_mut(&id) else { continue };
            if notice(&mut bed.patient, &mut self.news, now) {
                self.replan(id, now);
                continue;
            }
            // One that is leaving comes back with another snapshot, if it does.
            let is_ready = bed.patient.replica.readiness() == Readiness::Ready;
            let Some(inquiry) = bed.patient.inquiry().filter(|_| is_ready) else {
                self.beds.remove(&id);
                continue;
            };
            self.count += 1;
            self.asking += 1;
            self.throttle.count(&self.pace, now);
            bed.next = Next::Asked(self.count);
            return Some(Visit {
                patience: bed.patient.patience(&inquiry, &self.pace),
                inquiry,
                asked_as: bed.patient.health,
                number: self.count,
                replica: Arc::clone(&bed.patient.replica),
            });
        }
        None
    }

    /// Somebody was asked.
    pub fn answered(&mut self, visit: &Visit, answer: Answer, now: Moment) {
        self.asking -= 1;
        let id = visit.replica.id();
        let Some(bed) = self.beds.get_mut(&id) else { return };
        if !matches!(bed.next, Next::Asked(number) if number == visit.number) {
            return;
        }
        let patient = &mut bed.patient;
        let is_other = notice(patient, &mut self.news, now) || patient.health != visit.asked_as;
        // What is not what it was asked as, or is to be asked something else by now, has said nothing.
        if is_other || patient.inquiry().as_ref() != Some(&visit.inquiry) {
            let due = patient.first_due(now);
            return self.enqueue(id, due);
        }
        if let Some(turn) = patient.answered(&visit.inquiry, answer, now) {
            self.news.tell(now, patient.replica.name(), &turn);
        }
        if patient.inquiry().is_none() {
            self.beds.remove(&id);
            return;
        }
        let due = patient.next_due(&self.pace, &mut self.random, now);
        self.enqueue(id, due);
    }

    /// A replica is in the world.
    fn meet(&mut self, replica: &Arc<Replica>, spec: &Arc<Spec>, world: u64, now: Moment) {
        let id = replica.id();
        if let Some(bed) = self.beds.get_mut(&id) {
            bed.world = world;
            let is_noticed = notice(&mut bed.patient, &mut self.news, now);
            let (turn, is_changed) = bed.patient.prescribe(spec, now);
            if let Some(turn) = turn {
                self.news.tell(now, replica.name(), &turn);
            }
            if is_noticed || is_changed {
                self.replan(id, now);
            }
            return;
        }
        // As most are, of ten thousand.
        if replica.health() == Health::Up && spec.check.question == Question::None {
            return;
        }
        let patient = Patient::new(Arc::clone(replica), Arc::clone(spec), now);
        // One that is leaving comes back with another world, if it does.
        if patient.inquiry().is_some() && replica.readiness() == Readiness::Ready {
            if let Some(turn) = patient.ejection() {
                self.news.tell(now, replica.name(), &turn);
            }
            let due = patient.first_due(now);
            self.beds.insert(id, Bed { patient, world, next: Next::Asked(0) });
            self.enqueue(id, due);
        }
    }

    /// It is something else than it was: it is asked anew. One that is being asked is asked again when it has answered.
    fn replan(&mut self, id: ReplicaId, now: Moment) {
        let Some(bed) = self.beds.get_mut(&id) else { return };
        let due = bed.patient.first_due(now);
        if let Next::Due(key) = bed.next {
            self.queue.remove(&key);
            self.enqueue(id, due);
        }
    }

    fn enqueue(&mut self, id: ReplicaId, due: Moment) {
        self.count += 1;
        let key = (due, self.count);
        if let Some(bed) = self.beds.get_mut(&id) {
            bed.next = Next::Due(key);
            self.queue.insert(key, id);
        }
    }
}

/// Sees whether somebody else has changed a patient's health.
fn notice(patient: &mut Patient, news: &mut News, now: Moment) -> bool {
    let is_other = patient.notice(now);
    if let Some(turn) = patient.ejection().filter(|_| is_other) {
        news.tell(now, patient.replica.name(), &turn);
    }
    is_other
}

#[cfg(test)]
mod tests;
