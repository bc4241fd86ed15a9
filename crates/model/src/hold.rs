//! Requests that wait for a replica: first come, first served, and called a few at a time.
//!
//! Whoever waits has a [`Place`]. When a replica can take requests the first ones are called; each that has gone through calls
//! two more. So a replica that is the first to be ready gets a few requests at once, then twice as many, and not a thousand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::state::State;

/// The line of those who wait. Nobody comes here while there are replicas, so a lock does no harm.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    line: Mutex<Line>,
    /// How many wait, to be read without the lock.
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    waiters: BTreeMap<u64, Waiter>,
}

#[derive(Debug, Default)]
struct Waiter {
    called: bool,
    waker: Option<Waker>,
}

impl Hold {
    /// How many wait.
    ///
    /// `SeqCst`, as the count in flight: whoever ends an exchange and then looks here sees a waiter, or that waiter looked at
    /// the count after the end.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Calls the first `count` that were not called yet.
    pub(crate) fn call(&self, count: usize) {
        if self.waiting() == 0 {
            return;
        }
        let mut line = self.lock();
        line.waiters.values_mut().filter(|waiter| !waiter.called).take(count).for_each(|waiter| waiter.called = true);
        wake(line);
    }

    fn join(&self, most: usize) -> Option<u64> {
        let mut line = self.lock();
        if line.waiters.len() >= most {
            return None;
        }
        line.next += 1;
        let number = line.next;
        // The first has nobody to wait for: what it would be called for may have happened just before it came.
        let called = line.waiters.is_empty();
        line.waiters.insert(number, Waiter { called, waker: None });
        self.waiting.store(line.waiters.len(), Ordering::SeqCst);
        Some(number)
    }

    /// Returns whether the one who leaves had been called.
    fn leave(&self, number: u64) -> bool {
        let mut line = self.lock();
        let waiter = line.waiters.remove(&number);
        self.waiting.store(line.waiters.len(), Ordering::SeqCst);
        wake(line);
        waiter.is_some_and(|waiter| waiter.called)
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the first, if it was called. The others wait for the first to have gone, called or not: nobody is overtaken.
fn wake(mut line: MutexGuard<'_, Line>) {
    let first = line.waiters.first_entry().filter(|first| first.get().called);
    let waker = first.and_then(|mut first| first.get_mut().waker.take());
    drop(line);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A request's place in the line; given up when this is dropped.
#[derive(Debug)]
pub struct Place {
    state: Arc<State>,
    number: u64,
    /// The call was used: nobody else has to be called in its stead.
    served: bool,
}

impl Place {
    /// The last place of a service's line; None where `most` wait already.
    pub(crate) fn join(state: &Arc<State>, most: usize) -> Option<Self> {
        let number = state.hold().join(most)?;
        Some(Self { state: Arc::clone(state), number, served: false })
    }

    /// Ready when the request is called and the first: it may look for a replica.
    pub fn poll_called(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut line = self.state.hold().lock();
        let is_first = line.waiters.first_key_value().is_some_and(|(first, _)| *first == self.number);
        let Some(waiter) = line.waiters.get_mut(&self.number) else { return Poll::Ready(()) };
        if waiter.called && is_first {
            return Poll::Ready(());
        }
        if !waiter.waker.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
            waiter.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Whether this is the line of the service that keeps `state`.
    pub fn is_of(&self, state: &Arc<State>) -> bool {
        Arc::ptr_eq(&self.state, state)
    }

    /// The call came to nothing, and would for those behind; the places are kept, and all wait for the next call.
    pub fn wait_on(&self) {
        self.state.hold().lock().waiters.values_mut().for_each(|waiter| waiter.called = false);
    }

    /// The request has found a replica.
    pub fn serve(mut self) {
        self.served = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let called = self.state.hold().leave(self.number);
        if called && !self.served {
            self.state.hold().call(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;

    use super::*;

    fn is_called(place: &Place) -> bool {
        place.poll_called(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn line(count: usize) -> (Arc<State>, Vec<Place>) {
        let state = Arc::new(State::default());
        let places: Vec<_> = (0..count).map(|_| Place::join(&state, 10).expect("room")).collect();
        assert!(is_called(&places[0]), "the first is to look twice");
        places[0].wait_on();
        (state, places)
    }

    #[test]
    fn the_first_are_called_first_and_no_more_than_there_is_room_for() {
        let (state, places) = line(10);
        assert!(Place::join(&state, 10).is_none(), "the bound holds");
        state.hold().call(3);
        let mut places = VecDeque::from(places);
        assert!(!is_called(&places[1]), "nobody is overtaken");
        let mut gone = 0;
        while is_called(&places[0]) {
            places.pop_front().expect("one").serve();
            gone += 1;
        }
        assert_eq!(gone, 3);
    }

    #[test]
    fn a_call_is_not_lost_with_the_one_who_leaves() {
        let (state, mut places) = line(3);
        state.hold().call(1);
        drop(places.remove(0));
        assert!(is_called(&places[0]));
        places.remove(0).serve();
        assert!(!is_called(&places[0]), "a call that was used is over");
        assert_eq!(state.hold().waiting(), 1);
    }

    #[test]
    fn who_finds_nobody_keeps_the_place() {
        let (state, places) = line(2);
        state.hold().call(1);
        assert!(is_called(&places[0]));
        places[0].wait_on();
        assert!(!is_called(&places[0]));
        state.hold().call(1);
        assert!(is_called(&places[0]));
    }

    #[test]
    fn the_next_is_woken_when_the_first_has_gone() {
        struct Flag(AtomicBool);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let (state, mut places) = line(2);
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        assert!(places[1].poll_called(&mut Context::from_waker(&Arc::clone(&flag).into())).is_pending());
        state.hold().call(2);
        assert!(!flag.0.load(Ordering::SeqCst));
        places.remove(0).serve();
        assert!(flag.0.load(Ordering::SeqCst) && is_called(&places[0]));
    }
}
