//! What may wait to be sent on one connection of HTTP/2, whichever streams it is of: a number, and a line of those to whom it is too
//! small at the moment.
//!
//! A connection and its streams belong to one thread, so that neither needs a lock.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What may wait on one connection. It has its place in the windows already, so that it goes as soon as the peer reads.
const SEND_BUDGET: usize = 512 * 1024;

/// What the streams of one connection share: who wants to send when too little of it is free waits in line.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    free: Cell<usize>,
    line: RefCell<VecDeque<Rc<Waiter>>>,
}

/// A part of the budget, free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    budget: Rc<Shared>,
    bytes: usize,
}

/// Who stands in line.
#[derive(Debug)]
struct Waiter {
    wanted: usize,
    stage: Cell<Stage>,
    waker: RefCell<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    InLine,
    /// What is wanted was set aside, and has not been fetched yet.
    Served,
    Over,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self(Rc::new(Shared { free: Cell::new(SEND_BUDGET), line: RefCell::default() }))
    }

    /// So much of the budget, if it is free and nobody stands in line.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Place> {
        let left = self.0.free.get().checked_sub(bytes).filter(|_| self.0.line.borrow().is_empty())?;
        self.0.free.set(left);
        Some(self.place(bytes))
    }

    /// So much of the budget, which is never more than all of it; waits in line until that is free.
    pub(crate) async fn take(&self, bytes: usize) -> Place {
        match self.try_take(bytes) {
            Some(place) => place,
            None => Waiting { budget: self, waiter: None, wanted: bytes.min(SEND_BUDGET) }.await,
        }
    }

    /// Whether none of it is in use.
    #[cfg(test)]
    fn is_whole(&self) -> bool {
        self.0.free.get() == SEND_BUDGET
    }

    fn place(&self, bytes: usize) -> Place {
        Place { budget: Rc::clone(&self.0), bytes }
    }
}

impl Place {
    /// How much it is.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

impl Shared {
    fn give_back(&self, bytes: usize) {
        self.free.set(self.free.get() + bytes);
        self.serve();
    }

    /// Sets aside what those want who are first in line, as far as there is enough. Nobody is passed over: who wants much would
    /// never be served beside many who want little.
    fn serve(&self) {
        let mut line = self.line.borrow_mut();
        while let Some(first) = line.front()
            && let Some(left) = self.free.get().checked_sub(first.wanted)
        {
            self.free.set(left);
            first.stage.set(Stage::Served);
            first.waker.borrow().wake_by_ref();
            line.pop_front();
        }
    }
}

/// Somebody's way through the line.
struct Waiting<'a> {
    budget: &'a Budget,
    /// None before it stands there.
    waiter: Option<Rc<Waiter>>,
    wanted: usize,
}

impl Future for Waiting<'_> {
    type Output = Place;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Place> {
        let Some(waiter) = &self.waiter else {
            let (stage, waker) = (Cell::new(Stage::InLine), RefCell::new(context.waker().clone()));
            let waiter = Rc::new(Waiter { wanted: self.wanted, stage, waker });
            self.budget.0.line.borrow_mut().push_back(Rc::clone(&waiter));
            self.waiter = Some(waiter);
            return Poll::Pending;
        };
        if waiter.stage.get() == Stage::InLine {
            waiter.waker.borrow_mut().clone_from(context.waker());
            return Poll::Pending;
        }
        waiter.stage.set(Stage::Over);
        Poll::Ready(self.budget.place(self.wanted))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(waiter) = &self.waiter else { return };
        let shared = &self.budget.0;
        match waiter.stage.get() {
            Stage::InLine => {
                shared.line.borrow_mut().retain(|other| !Rc::ptr_eq(other, waiter));
                // Whoever stood behind may want less.
                shared.serve();
            }
            Stage::Served => shared.give_back(self.wanted),
            Stage::Over => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn poll<F: Future>(work: Pin<&mut F>) -> Poll<F::Output> {
        work.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn who_waits_is_served_in_line_and_nobody_overtakes() {
        let budget = Budget::new();
        let all = budget.try_take(SEND_BUDGET).expect("all of it is free");
        let (mut first, mut second) = (pin!(budget.take(SEND_BUDGET - 10)), pin!(budget.take(20)));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        drop(all);
        assert!(budget.try_take(1).is_none(), "what is left belongs to who waits");
        assert!(poll(second.as_mut()).is_pending());
        let Poll::Ready(place) = poll(first.as_mut()) else { panic!("the first is served") };
        assert_eq!(place.bytes(), SEND_BUDGET - 10);
        drop(place);
        assert!(poll(second.as_mut()).is_ready());
        assert!(budget.is_whole());
    }

    #[test]
    fn who_leaves_the_line_makes_way_for_the_others() {
        let budget = Budget::new();
        let most = budget.try_take(SEND_BUDGET - 10).expect("all of it is free");
        let mut behind = pin!(budget.take(10));
        {
            let mut much = pin!(budget.take(20));
            assert!(poll(much.as_mut()).is_pending());
            assert!(poll(behind.as_mut()).is_pending());
        }
        let Poll::Ready(place) = poll(behind.as_mut()) else { panic!("there is enough for who wants little") };
        drop((most, place));
        assert!(budget.is_whole());
    }

    #[test]
    fn what_was_set_aside_for_who_has_left_goes_to_the_next() {
        let budget = Budget::new();
        let all = budget.try_take(SEND_BUDGET).expect("all of it is free");
        let mut next = pin!(budget.take(SEND_BUDGET));
        {
            let mut first = pin!(budget.take(SEND_BUDGET));
            assert!(poll(first.as_mut()).is_pending());
            assert!(poll(next.as_mut()).is_pending());
            drop(all);
            assert!(poll(next.as_mut()).is_pending());
        }
        let Poll::Ready(place) = poll(next.as_mut()) else { panic!("the next is served") };
        assert!(!budget.is_whole());
        drop(place);
        assert!(budget.is_whole());
    }

    #[test]
    fn the_waker_of_the_last_look_is_the_one_that_is_woken() {
        struct Flag(std::sync::atomic::AtomicBool);
        impl std::task::Wake for Flag {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let budget = Budget::new();
        let all = budget.try_take(SEND_BUDGET);
        let mut waiting = pin!(budget.take(1));
        assert!(poll(waiting.as_mut()).is_pending());
        let flag = std::sync::Arc::new(Flag(std::sync::atomic::AtomicBool::new(false)));
        let waker = Waker::from(std::sync::Arc::clone(&flag));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(all);
        assert!(flag.0.load(std::sync::atomic::Ordering::Relaxed));
        assert!(poll(waiting.as_mut()).is_ready());
    }
}
