//! What a service keeps from snapshot to snapshot: whose turn it is, who waits, what retries cost, who failed.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::{ArcSwap, Guard};

use crate::budget::Budget;
use crate::hold::Hold;
use crate::moment::Moment;
use crate::replica::{Health, Replica};
use crate::spec::{RetryLimits, Spec};

/// How many waiting requests each replica gets at once when one of them becomes able to take any.
const CALLED_AT_ONCE: usize = 4;

/// What a service keeps from snapshot to snapshot.
#[derive(Debug, Default)]
pub struct State {
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

impl State {
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

    /// Whether one more attempt is within the budget; if so it is counted.
    pub(crate) fn may_retry(&self, limits: &RetryLimits, now: Moment) -> bool {
        self.budget.spend(limits, self.requests(), now)
    }

    /// To be called about once a second, so that the budget knows how busy the service is.
    pub(crate) fn note_time(&self, now: Moment) {
        self.budget.note(self.requests(), now);
    }

    /// Whether so many replicas failed that all of them are used: a service whose every second replica is bad is better off
    /// with all of them than with the rest.
    pub(crate) fn is_panicking(&self) -> bool {
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
        if changed {
            note();
            replica.set_health(to);
            self.count_failing(&roster);
        }
        drop(roster);
        if changed && to == Health::Up {
            self.admit(1);
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

    fn count_failing(&self, roster: &[Weak<Replica>]) {
        let usable = roster.iter().filter_map(Weak::upgrade).filter(|replica| replica.health() != Health::Down);
        let (all, ejected) = usable
            .fold((0, 0), |(all, out), replica| (all + 1, out + usize::from(replica.health() == Health::Ejected)));
        self.panicking.store(ejected * 2 > all, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Replica>>> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
