//! What a service keeps from snapshot to snapshot: whose turn it is, who waits, what retries cost, who failed.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use crate::budget::{Budget, Retry};
use crate::hold::Hold;
use crate::meter::{Histogram, Meter};
use crate::moment::Moment;
use crate::replica::{Health, Replica};
use crate::spec::{RetryLimits, Spec};
use crate::tcp::StreamMeter;

/// How many waiting requests each replica gets at once when one of them becomes able to take any.
const CALLED_AT_ONCE: usize = 4;

/// What a service keeps from snapshot to snapshot.
#[derive(Debug, Default)]
pub struct State {
    name: Name,
    meter: Meter,
    durations: Histogram,
    streams: StreamMeter,
    /// Attempts beyond the first, ever.
    retries: AtomicU64,
    /// Requests that waited for a replica, ever, and how long all together, in nanoseconds.
    held: AtomicU64,
    held_nanos: AtomicU64,
    /// How often a replica was taken out, ever.
    ejections: AtomicU64,
    /// Picks ever; whose turn it is, too.
    picks: AtomicU64,
    /// Those among them that were not a request's first: they failed, or were retries.
    repeats: AtomicU64,
    /// Requests in flight; counted only where there is a limit.
    in_flight: AtomicUsize,
    /// What the user wants by now, for those who hold no snapshot.
    spec: ArcSwap<Spec>,
    hold: Hold,
    budget: Budget,
    /// The ready replicas, for those who count the failing ones among them. They hold this state, so it does not hold them.
    roster: Mutex<Vec<Weak<Replica>>>,
    /// When the one that has been ready for longest became so, in nanoseconds.
    oldest: AtomicU64,
    /// So many replicas failed that all of them are used.
    panicking: AtomicBool,
}

/// What a service is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// Its Compose project; empty where there is none.
    pub project: Arc<str>,
    /// Its name in the project.
    pub service: Arc<str>,
}

impl Name {
    /// `project/service`.
    pub fn whole(&self) -> Arc<str> {
        if self.project.is_empty() {
            return Arc::clone(&self.service);
        }
        [&self.project, "/", &self.service].concat().into()
    }
}

/// `project/service`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.project.is_empty() {
            write!(f, "{}/", self.project)?;
        }
        f.write_str(&self.service)
    }
}

/// What was counted of a service since it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts beyond the first.
    pub retries: u64,
    /// Requests that waited for a replica.
    pub held: u64,
    /// How long they waited, all together.
    pub held_time: Duration,
    /// How often a replica was taken out because of its answers, or for want of them.
    pub ejections: u64,
}

impl State {
    pub(crate) fn new(name: Name, spec: &Arc<Spec>) -> Self {
        // Every field by name: a default would make a spec, which is thrown away at once, for each service.
        Self {
            name,
            meter: Meter::default(),
            durations: Histogram::default(),
            streams: StreamMeter::default(),
            retries: AtomicU64::default(),
            held: AtomicU64::default(),
            held_nanos: AtomicU64::default(),
            ejections: AtomicU64::default(),
            picks: AtomicU64::default(),
            repeats: AtomicU64::default(),
            in_flight: AtomicUsize::default(),
            spec: ArcSwap::new(Arc::clone(spec)),
            hold: Hold::default(),
            budget: Budget::default(),
            roster: Mutex::default(),
            oldest: AtomicU64::default(),
            panicking: AtomicBool::default(),
        }
    }

    /// What the service is called.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Requests that divisi answered itself, because no replica did.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// How long requests took, from the head to the end of the response.
    pub fn durations(&self) -> &Histogram {
        &self.durations
    }

    /// Connections of TCP that have ended.
    pub fn streams(&self) -> &StreamMeter {
        &self.streams
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            retries: read(&self.retries),
            held: read(&self.held),
            held_time: Duration::from_nanos(read(&self.held_nanos)),
            ejections: read(&self.ejections),
        }
    }

    /// A request had so many attempts beyond the first.
    pub fn count_retries(&self, retries: u64) {
        self.retries.fetch_add(retries, Ordering::Relaxed);
    }

    /// A request waited for a replica.
    pub fn count_held(&self, time: Duration) {
        self.held.fetch_add(1, Ordering::Relaxed);
        self.held_nanos.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The number of the next pick.
    pub(crate) fn next_pick(&self) -> u64 {
        self.picks.fetch_add(1, Ordering::Relaxed)
    }

    /// The last pick was not a request's first.
    pub(crate) fn note_repeat(&self) {
        self.repeats.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests ever.
    fn requests(&self) -> u64 {
        self.picks.load(Ordering::Relaxed).saturating_sub(self.repeats.load(Ordering::Relaxed))
    }

    pub(crate) fn spec(&self) -> Guard<Arc<Spec>> {
        self.spec.load()
    }

    pub(crate) fn set_spec(&self, spec: &Arc<Spec>) {
        self.spec.store(Arc::clone(spec));
    }

    pub(crate) fn hold(&self) -> &Hold {
        &self.hold
    }

    /// Requests that wait for a replica.
    pub fn waiting(&self) -> usize {
        self.hold.waiting()
    }

    /// Counts a request of the service; false where that is more than `limit`.
    pub(crate) fn enter(&self, limit: usize) -> bool {
        let fits = self.in_flight.fetch_add(1, Ordering::SeqCst) < limit;
        if !fits {
            self.leave();
        }
        fits
    }

    pub(crate) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }

    /// Takes one attempt more out of the budget, if there is one.
    pub(crate) fn retry(self: &Arc<Self>, limits: &RetryLimits, now: Moment) -> Option<Retry> {
        self.budget.draw(limits, self.requests(), now).then(|| Retry::new(self, now))
    }

    pub(crate) fn give_back(&self, drawn_at: Moment) {
        self.budget.give_back(drawn_at);
    }

    /// To be called about once a second, so that the budget knows how busy the service is.
    pub(crate) fn note_time(&self, now: Moment) {
        self.budget.note(self.requests(), now);
    }

    /// Whether so many replicas failed that all of them are used: a service whose every second replica is bad is better off
    /// with all of them than with the rest.
    pub fn is_panicking(&self) -> bool {
        self.panicking.load(Ordering::Relaxed)
    }

    /// Other replicas are ready now.
    pub(crate) fn set_roster(&self, ready: &[Arc<Replica>]) {
        let mut roster = self.lock();
        roster.clear();
        roster.extend(ready.iter().map(Arc::downgrade));
        let oldest = ready.iter().map(|replica| replica.fresh_at()).min().unwrap_or_default();
        self.oldest.store(oldest.as_nanos(), Ordering::Relaxed);
        self.count_failing(&roster);
    }

    /// When the replica that has been ready for longest became so.
    pub(crate) fn oldest(&self) -> Moment {
        Moment::from_nanos(self.oldest.load(Ordering::Relaxed))
    }

    /// The health of a replica changes from `from` to `to`, unless it is something else by now. Returns whether it did. `note` is
    /// called if so, before anybody sees it.
    pub(crate) fn change_health(&self, replica: &Replica, from: Health, to: Health, note: impl FnOnce()) -> bool {
        let roster = self.lock();
        let changed = replica.health() == from;
        let mut usable = 0;
        if changed {
            note();
            if from == Health::Up {
                self.ejections.fetch_add(1, Ordering::Relaxed);
            }
            replica.set_health(to);
            usable = self.count_failing(&roster) + usize::from(to == Health::Up);
        }
        drop(roster);
        if usable > 0 {
            self.admit(usable);
        }
        changed
    }

    /// Calls those who wait, a few per replica.
    pub(crate) fn admit(&self, replicas: usize) {
        self.hold.call(replicas * CALLED_AT_ONCE);
    }

    /// Called after each exchange: the place that became free is taken, and one more.
    pub(crate) fn ended(&self) {
        if self.hold.waiting() > 0 {
            self.hold.call(2);
        }
    }

    /// Returns how many can be used from now on because too many have failed: those who wait must hear of them, too.
    fn count_failing(&self, roster: &[Weak<Replica>]) -> usize {
        let usable = roster.iter().filter_map(Weak::upgrade).filter(|replica| replica.health() != Health::Down);
        let (all, ejected) = usable
            .fold((0, 0), |(all, out), replica| (all + 1, out + usize::from(replica.health() == Health::Ejected)));
        let panics = ejected * 2 > all;
        if panics && !self.panicking.swap(panics, Ordering::Relaxed) {
            return ejected;
        }
        self.panicking.store(panics, Ordering::Relaxed);
        0
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Replica>>> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::task::{Context, Waker};

    use super::*;
    use crate::card::Card;
    use crate::replica::{Failure, Readiness};
    use crate::service::{NoReplica, Service, Wanted};
    use crate::spec::EjectionRules;
    use crate::tried::Tried;

    const NOW: Moment = Moment::from_nanos(1);

    #[test]
    fn those_who_wait_are_called_when_all_are_used_because_most_have_failed() {
        let rules = EjectionRules { failures: 1, ..EjectionRules::default() };
        let service = Service::new("web", Spec { replica_limit: Some(1), ejection: rules, ..Spec::default() });
        let replica = |n: u16| {
            let addr = SocketAddr::from(([127, 0, 0, 1], n));
            let replica = service.replica(Card::new(format!("web-{n}"), n.into()), addr, Readiness::Starting);
            replica.set_readiness(Readiness::Ready, NOW);
            replica
        };
        let service = service.with_replicas(vec![replica(1), replica(2)], 2);
        assert!(service.ready()[0].claim(9, NOW).expect("free").failed(Failure::Other, NOW), "out");
        let _busy = service.pick(&Tried::NONE, Wanted::Any, NOW).expect("the other");
        let place = service.join().expect("room");
        assert_eq!(service.pick(&Tried::NONE, Wanted::Any, NOW).err(), Some(NoReplica::Busy));
        place.wait_on();
        let is_called = || place.poll_called(&mut Context::from_waker(Waker::noop())).is_ready();
        assert!(!is_called(), "half are out");
        assert!(service.ready()[1].change_health(Health::Up, Health::Down));
        assert!(is_called(), "the one that failed is better than none");
        assert!(service.pick(&Tried::NONE, Wanted::Any, NOW).is_ok());
    }
}
