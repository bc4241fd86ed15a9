//! Tasks that serve streams, one after the other.
//!
//! A task for each stream would be made and unmade for each, and its state is some kilobytes: that was a tenth of what a small
//! request costs. So a task that is through with its stream rests until there is another, of whichever connection.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::Job;
use crate::worker::Worker;

/// How many tasks rest until there is a stream for them; more than that many at once are a burst.
const KEPT: usize = 256;

/// The tasks of one worker that rest.
#[derive(Debug, Default)]
pub(crate) struct Crew(RefCell<Vec<Rc<Seat>>>);

/// Where a task rests.
#[derive(Default)]
struct Seat {
    job: Cell<Option<Box<Job>>>,
    is_dismissed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Crew {
    /// Has a stream served.
    pub(crate) fn serve(&self, job: Box<Job>, worker: &Rc<Worker>) {
        match self.0.borrow_mut().pop() {
            Some(seat) => {
                seat.job.set(Some(job));
                seat.wake();
            }
            None => drop(tokio::task::spawn_local(work(job, Rc::clone(worker)))),
        }
    }

    /// Dismisses half of those that rest: called when time has passed, so that a burst is forgotten.
    pub(crate) fn shrink(&self) {
        let mut resting = self.0.borrow_mut();
        let kept = resting.len() / 2;
        for seat in resting.drain(kept..) {
            seat.is_dismissed.set(true);
            seat.wake();
        }
    }

    /// Takes a task in, unless enough rest already.
    fn seat(&self, seat: &Rc<Seat>) -> bool {
        let mut resting = self.0.borrow_mut();
        let has_room = resting.len() < KEPT;
        if has_room {
            resting.push(Rc::clone(seat));
        }
        has_room
    }
}

impl Seat {
    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// The next stream; None for a task that is dismissed.
    async fn next(&self) -> Option<Box<Job>> {
        poll_fn(|context| {
            let job = self.job.take();
            if job.is_some() || self.is_dismissed.get() {
                return Poll::Ready(job);
            }
            let mut waker = self.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
                *waker = Some(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("is_dismissed", &self.is_dismissed).finish_non_exhaustive()
    }
}

async fn work(first: Box<Job>, worker: Rc<Worker>) {
    let seat = Rc::new(Seat::default());
    let mut job = first;
    loop {
        job.run().await;
        if !worker.crew.seat(&seat) {
            return;
        }
        let Some(next) = seat.next().await else { return };
        job = next;
    }
}
