//! Whether a replica accepts connections. A starting one is asked at once, and then at growing intervals until it does; a
//! ready one is asked once in a while when there is no engine to tell of its end.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_model::{Readiness, Replica, ReplicaId};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::container::ContainerId;
use crate::settings::ProbePace;

/// A replica that is asked until it accepts.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// Its container.
    pub(crate) id: ContainerId,
    /// The replica.
    pub(crate) replica: Arc<Replica>,
    /// What it is asked as; once it is something else, nobody wants to know.
    pub(crate) asked_as: Readiness,
    since: Instant,
    pause: Duration,
}

impl Candidate {
    /// Asks once. The connection is closed at once: all that counts is that it was accepted.
    pub(crate) async fn ask(&self, patience: Duration) -> bool {
        timeout(patience, TcpStream::connect(self.replica.addr())).await.is_ok_and(|accepted| accepted.is_ok())
    }
}

/// Who is asked when.
#[derive(Debug)]
pub(crate) struct Prober {
    pace: ProbePace,
    /// By time, and by arrival where times are equal.
    queue: BTreeMap<(Instant, u64), Candidate>,
    /// Everybody in the queue or being asked.
    active: HashSet<ReplicaId>,
    connecting: usize,
    arrivals: u64,
}

impl Prober {
    /// Nobody to ask yet.
    pub(crate) fn new(pace: ProbePace) -> Self {
        Self { pace, queue: BTreeMap::new(), active: HashSet::new(), connecting: 0, arrivals: 0 }
    }

    /// A replica is to be asked from now on, until it is not [`Readiness::Starting`] any more; a ready one is asked once.
    pub(crate) fn add(&mut self, id: ContainerId, replica: Arc<Replica>, asked_as: Readiness, now: Instant) {
        if self.active.insert(replica.id()) {
            self.enqueue(Candidate { id, replica, asked_as, since: now, pause: Duration::ZERO }, now);
        }
    }

    /// When [`next`](Self::next) has somebody.
    pub(crate) fn due(&self) -> Option<Instant> {
        let has_room = self.connecting < self.pace.at_once;
        self.queue.first_key_value().filter(|_| has_room).map(|((due, _), _)| *due)
    }

    /// Somebody to be asked now; to be handed back by [`answered`](Self::answered).
    pub(crate) fn next(&mut self, now: Instant) -> Option<Candidate> {
        while self.due().is_some_and(|due| due <= now) {
            let (_, candidate) = self.queue.pop_first()?;
            if candidate.replica.readiness() == candidate.asked_as {
                self.connecting += 1;
                return Some(candidate);
            }
            self.active.remove(&candidate.replica.id());
        }
        None
    }

    /// Somebody was asked.
    pub(crate) fn answered(&mut self, mut candidate: Candidate, accepted: bool, now: Instant) {
        self.connecting -= 1;
        let is_starting = candidate.replica.readiness() == Readiness::Starting;
        if accepted || candidate.asked_as != Readiness::Starting || !is_starting {
            self.active.remove(&candidate.replica.id());
            return;
        }
        candidate.pause = pause(&self.pace, candidate.pause, now - candidate.since);
        let due = now + candidate.pause.max(stretch(&self.pace, self.active.len()));
        self.enqueue(candidate, due);
    }

    fn enqueue(&mut self, candidate: Candidate, due: Instant) {
        self.arrivals += 1;
        self.queue.insert((due, self.arrivals), candidate);
    }
}

/// The pause after a refusal, when the one before it was `last`.
fn pause(pace: &ProbePace, last: Duration, age: Duration) -> Duration {
    let most = if age < pace.young { pace.most } else { pace.most_when_old };
    if last.is_zero() { pace.first } else { (last + last / 2).min(most) }
}

/// The shortest pause that keeps `crowd` replicas within the probes allowed per second.
fn stretch(pace: &ProbePace, crowd: usize) -> Duration {
    Duration::from_secs_f64(crowd as f64 / f64::from(pace.per_second.max(1)))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use divisi_model::{Card, Moment, Service, Spec};

    use super::*;

    fn starting() -> Arc<Replica> {
        let addr = SocketAddr::from(([127, 0, 0, 1], 1));
        Service::new("web", Spec::default()).replica(Card::new("web-1", 1), addr, Readiness::Starting)
    }

    #[test]
    fn pauses_grow_from_2_to_40_ms_and_to_500_ms_when_old() {
        let pace = ProbePace::default();
        let mut pauses = vec![pause(&pace, Duration::ZERO, Duration::ZERO)];
        for _ in 0..10 {
            pauses.push(pause(&pace, pauses[pauses.len() - 1], Duration::ZERO));
        }
        assert_eq!((pauses[0], pauses[1], pauses[10]), (pace.first, Duration::from_millis(3), pace.most));
        let mut last = pace.most;
        for _ in 0..10 {
            last = pause(&pace, last, pace.young);
        }
        assert_eq!(last, pace.most_when_old);
    }

    #[test]
    fn a_crowd_stretches_the_pauses() {
        let pace = ProbePace::default();
        assert!(stretch(&pace, 10) < pace.most);
        assert_eq!(stretch(&pace, 10_000), Duration::from_secs(5));
    }

    #[test]
    fn nobody_is_asked_twice_at_a_time_nor_more_than_allowed() {
        let now = Instant::now();
        let mut prober = Prober::new(ProbePace { at_once: 1, ..ProbePace::default() });
        let (first, second) = (starting(), starting());
        prober.add("a".into(), Arc::clone(&first), Readiness::Starting, now);
        prober.add("a".into(), Arc::clone(&first), Readiness::Starting, now);
        prober.add("b".into(), second, Readiness::Starting, now);
        let candidate = prober.next(now).expect("due at once");
        assert!(prober.next(now).is_none() && prober.due().is_none(), "one at a time");
        prober.answered(candidate, false, now);
        assert_eq!(&*prober.next(now).expect("the other").id, "b");
    }

    #[test]
    fn a_ready_one_is_asked_once() {
        let now = Instant::now();
        let mut prober = Prober::new(ProbePace::default());
        let replica = starting();
        replica.set_readiness(Readiness::Ready, Moment::now());
        prober.add("a".into(), replica, Readiness::Ready, now);
        let candidate = prober.next(now).expect("due at once");
        prober.answered(candidate, false, now);
        assert!(prober.due().is_none() && prober.active.is_empty());
    }

    #[test]
    fn who_is_not_starting_is_forgotten() {
        let now = Instant::now();
        let mut prober = Prober::new(ProbePace::default());
        let replica = starting();
        prober.add("a".into(), Arc::clone(&replica), Readiness::Starting, now);
        replica.set_readiness(Readiness::Gone, Moment::now());
        assert!(prober.next(now).is_none() && prober.due().is_none());
        assert!(prober.active.is_empty());
    }
}
