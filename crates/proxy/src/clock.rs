//! Deadlines of one worker, kept by one ticking task.
//!
//! A timer wheel entry per wait would cost more than the wait: most deadlines are moved on before they are reached. So a
//! deadline is a number in a table that is overwritten in place, and the table is looked through every [`TICK`].

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use divisi_model::{Moment, Replica};
use slab::Slab;

/// How late a deadline may be noticed.
pub(crate) const TICK: Duration = Duration::from_millis(TICK_MILLIS);

const TICK_MILLIS: u64 = 50;

/// The deadlines of one worker and its notion of now, which is up to one [`TICK`] old.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    /// Milliseconds since `origin`.
    now: Cell<u64>,
    /// The same as the model has it.
    moment: Cell<Moment>,
    /// From when on nobody rests, and from when on nobody waits for a replica.
    stopping: Cell<bool>,
    closing: Cell<bool>,
    entries: RefCell<Slab<Entry>>,
}

/// What a wait is for, and so when it may be cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An exchange: never.
    Work,
    /// A request that has no replica: shortly before the program ends, so that its client can be told.
    Hold,
    /// A connection between two requests: as soon as the program begins to stop.
    Rest,
}

#[derive(Debug)]
struct Entry {
    deadline: u64,
    kind: Kind,
    /// A replica that is left behind when its time to finish is over.
    replica: Option<Arc<Replica>>,
    waker: Option<Waker>,
}

impl Clock {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            origin: Instant::now(),
            now: Cell::new(0),
            moment: Cell::new(Moment::now()),
            stopping: Cell::new(false),
            closing: Cell::new(false),
            entries: RefCell::default(),
        })
    }

    /// Moves on and wakes whoever has reached the deadline.
    pub(crate) fn tick(&self) {
        let now = Instant::now();
        self.now.set(now.duration_since(self.origin).as_millis() as u64);
        self.moment.set(Moment::of(now));
        for (_, entry) in self.entries.borrow_mut().iter_mut() {
            if self.is_over(entry)
                && let Some(waker) = entry.waker.take()
            {
                waker.wake();
            }
        }
    }

    /// Now, up to one [`TICK`] ago.
    pub(crate) fn moment(&self) -> Moment {
        self.moment.get()
    }

    /// From now on nobody rests: idle connections end at the next tick.
    pub(crate) fn stop(&self) {
        self.stopping.set(true);
    }

    /// From now on nobody waits for a replica: the program ends within moments.
    pub(crate) fn close(&self) {
        self.closing.set(true);
    }

    /// Whether the program is about to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    fn is_over(&self, entry: &Entry) -> bool {
        entry.deadline <= self.now.get()
            || entry.kind == Kind::Rest && self.stopping.get()
            || entry.kind == Kind::Hold && self.closing.get()
            || entry.replica.as_ref().is_some_and(|replica| replica.is_cut(self.moment.get()))
    }
}

/// The deadline was reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elapsed;

/// One deadline, moved on as often as its owner likes.
#[derive(Debug)]
pub(crate) struct Timer {
    clock: Rc<Clock>,
    key: usize,
}

impl Timer {
    pub(crate) fn new(clock: &Rc<Clock>) -> Self {
        let entry = Entry { deadline: u64::MAX, kind: Kind::Work, replica: None, waker: None };
        let key = clock.entries.borrow_mut().insert(entry);
        Self { clock: Rc::clone(clock), key }
    }

    /// The deadline is `after` from now, and no earlier.
    pub(crate) fn arm(&self, after: Duration) {
        self.set(after, Kind::Work);
    }

    /// The same for a request that waits for a replica.
    pub(crate) fn hold(&self, after: Duration) {
        self.set(after, Kind::Hold);
    }

    /// The same for a wait that may be cut short when the program stops.
    pub(crate) fn rest(&self, after: Duration) {
        self.set(after, Kind::Rest);
    }

    /// The wait is also over when that replica's time to finish is.
    pub(crate) fn watch(&self, replica: Option<Arc<Replica>>) {
        self.clock.entries.borrow_mut()[self.key].replica = replica;
    }

    /// How long until the deadline.
    pub(crate) fn remaining(&self) -> Duration {
        let deadline = self.clock.entries.borrow()[self.key].deadline;
        Duration::from_millis(deadline.saturating_sub(self.clock.now.get()))
    }

    /// Waits for `work`, but not beyond the deadline.
    pub(crate) async fn limit<F: Future>(&self, work: F) -> Result<F::Output, Elapsed> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => self.wait(context.waker()),
        })
        .await
    }

    fn wait<T>(&self, waker: &Waker) -> Poll<Result<T, Elapsed>> {
        let mut entries = self.clock.entries.borrow_mut();
        let entry = &mut entries[self.key];
        if self.clock.is_over(entry) {
            return Poll::Ready(Err(Elapsed));
        }
        if !entry.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            entry.waker = Some(waker.clone());
        }
        Poll::Pending
    }

    fn set(&self, after: Duration, kind: Kind) {
        let after = after.as_secs().saturating_mul(1000).saturating_add(u64::from(after.subsec_millis()));
        let entry = &mut self.clock.entries.borrow_mut()[self.key];
        entry.deadline = (self.clock.now.get() + TICK_MILLIS).saturating_add(after);
        entry.kind = kind;
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.clock.entries.borrow_mut().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn at(clock: &Clock, millis: u64) {
        clock.now.set(millis);
        for (_, entry) in clock.entries.borrow_mut().iter_mut() {
            if clock.is_over(entry)
                && let Some(waker) = entry.waker.take()
            {
                waker.wake();
            }
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn work_ends_at_the_deadline_and_not_before() {
        let clock = Clock::new();
        let timer = Timer::new(&clock);
        timer.arm(Duration::from_secs(1));
        let mut wait = pin!(timer.limit(pending::<()>()));
        poll_fn(|cx| {
            assert!(wait.as_mut().poll(cx).is_pending());
            at(&clock, 1000);
            assert!(wait.as_mut().poll(cx).is_pending());
            at(&clock, 1000 + TICK.as_millis() as u64);
            assert_eq!(wait.as_mut().poll(cx), Poll::Ready(Err(Elapsed)));
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_stop_ends_only_those_who_rest() {
        let clock = Clock::new();
        let (resting, working) = (Timer::new(&clock), Timer::new(&clock));
        resting.rest(Duration::from_secs(60));
        working.arm(Duration::from_secs(60));
        clock.stop();
        assert_eq!(resting.limit(pending::<()>()).await, Err(Elapsed));
        let mut wait = pin!(working.limit(pending::<()>()));
        poll_fn(|cx| {
            assert!(wait.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
}
