//! Where connections wait whose clients ask for nothing.
//!
//! A connection that is served has a task and a place in the event loop, 1.3 KiB in all, and one of HTTP/2 far more. One that has
//! rested for a while gives all that back and waits here, as an entry of a table and in an event queue of its own, which the event
//! loop watches as if it were one connection. Its client notices nothing: the first byte takes it back.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::rc::Rc;
use std::time::Duration;

use divisi_model::Moment;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use tokio::io::unix::AsyncFd;

use crate::connection;
use crate::http2::Memory;
use crate::listener::Place;
use crate::worker::Worker;

/// How long a connection rests where it is served, before it goes to where resting costs next to nothing.
pub(crate) const SETTLE: Duration = Duration::from_secs(1);

/// How many connections are looked at, or sent away, in one go.
pub(crate) const AT_A_TIME: usize = 256;

/// A connection without TLS, between two requests.
#[derive(Debug)]
pub(crate) struct Resting {
    pub(crate) stream: TcpStream,
    /// Where it comes from.
    pub(crate) source: SocketAddr,
    /// It came in where TLS is expected.
    pub(crate) is_misled: bool,
    /// What is known of it where it speaks HTTP/2.
    pub(crate) memory: Option<Box<Memory>>,
}

/// A connection that waits here.
struct Guest {
    resting: Resting,
    place: Place,
    since: Moment,
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not its place, which leads back to where it waits.
        f.debug_struct("Guest").field("resting", &self.resting).field("since", &self.since).finish_non_exhaustive()
    }
}

/// The connections of one worker that wait.
#[derive(Debug)]
pub(crate) struct Lounge {
    guests: RefCell<Slab<Guest>>,
    queue: RefCell<Poll>,
    /// Somebody watches.
    is_open: Cell<bool>,
    /// Those who rest where they are.
    outside: Cell<usize>,
}

/// That somebody rests where it is, since its connection is more than can be watched from here; until it is dropped.
pub(crate) struct Outside<'a>(&'a Lounge);

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        self.0.outside.set(self.0.outside.get() - 1);
    }
}

impl Lounge {
    /// An empty one.
    ///
    /// # Errors
    /// The kernel gives no event queue.
    pub(crate) fn new() -> io::Result<Self> {
        let (guests, queue) = (RefCell::default(), RefCell::new(Poll::new()?));
        Ok(Self { guests, queue, is_open: Cell::new(false), outside: Cell::new(0) })
    }

    /// Whether connections may wait here.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.get()
    }

    /// How many rest, here or where they are.
    pub(crate) fn len(&self) -> usize {
        self.guests.borrow().len() + self.outside.get()
    }

    /// Counts one that rests where it is.
    pub(crate) fn count(&self) -> Outside<'_> {
        self.outside.set(self.outside.get() + 1);
        Outside(self)
    }

    /// Takes a connection in. Where the kernel cannot watch one more it is closed, as an idle one may be at any time (RFC 9112 9.5).
    pub(crate) fn admit(&self, resting: Resting, place: Place) {
        let fd = resting.stream.as_raw_fd();
        let mut guests = self.guests.borrow_mut();
        let key = guests.insert(Guest { resting, place, since: Moment::now() });
        let watched = self.queue.borrow().registry().register(&mut SourceFd(&fd), Token(key), Interest::READABLE);
        if let Err(error) = watched {
            tracing::debug!(%error, "a connection that rests cannot be watched");
            guests.remove(key);
        }
    }

    /// Serves those again whose clients have said something, or have left.
    fn call(&self, worker: &Rc<Worker>) -> io::Result<()> {
        let mut events = Events::with_capacity(AT_A_TIME);
        loop {
            match self.queue.borrow_mut().poll(&mut events, Some(Duration::ZERO)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            if events.is_empty() {
                return Ok(());
            }
            for event in &events {
                if let Some(guest) = self.leave(event.token().0) {
                    guest.serve(worker);
                }
            }
        }
    }

    fn leave(&self, key: usize) -> Option<Guest> {
        let guest = self.guests.borrow_mut().try_remove(key)?;
        let fd = guest.resting.stream.as_raw_fd();
        // It was registered when it came; and if it were not, that would do no harm.
        let _ = self.queue.borrow().registry().deregister(&mut SourceFd(&fd));
        Some(guest)
    }

    /// Sends those away that have waited for so long.
    pub(crate) fn sweep(&self, longest: Duration, worker: &Rc<Worker>) {
        let now = Moment::now();
        self.dismiss(|guest| now.since(guest.since) >= longest, AT_A_TIME, worker);
    }

    /// Sends so many away, or serves those whose clients have said something meanwhile: the program stops, and all are to leave.
    pub(crate) fn close(&self, most: usize, worker: &Rc<Worker>) {
        self.is_open.set(false);
        if let Err(error) = self.call(worker) {
            tracing::debug!(%error, "connections that rest are closed unseen");
        }
        self.dismiss(|_| true, most, worker);
    }

    /// Sends some away. In HTTP/1 nothing is said; in HTTP/2 a client is told (RFC 9113 6.8), by whoever serves it, and that takes memory
    /// that nobody had expected to be used. So there are at most so many of these at a time.
    fn dismiss(&self, is_meant: impl Fn(&Guest) -> bool, most: usize, worker: &Rc<Worker>) {
        let guests = self.guests.borrow();
        let meant = guests.iter().filter(|(_, guest)| is_meant(guest));
        let (told, others): (Vec<_>, Vec<_>) =
            meant.map(|(key, guest)| (key, guest.resting.memory.is_some())).partition(|(_, is_told)| *is_told);
        drop(guests);
        for (key, is_told) in told.into_iter().take(most).chain(others) {
            if let Some(guest) = self.leave(key).filter(|_| is_told) {
                guest.serve(worker);
            }
        }
    }
}

impl Guest {
    /// Has it served again.
    fn serve(self, worker: &Rc<Worker>) {
        let (Self { resting, place, .. }, worker) = (self, Rc::clone(worker));
        tokio::task::spawn_local(async move { connection::resume(resting, place, worker).await });
    }
}

/// Watches over those that wait, as long as the program runs.
pub(crate) async fn watch(worker: Rc<Worker>) {
    let Err(error) = look_after(&worker).await;
    tracing::error!(%error, "connections that rest cannot be watched; they keep what they have from now on");
    worker.lounge.close(usize::MAX, &worker);
}

async fn look_after(worker: &Rc<Worker>) -> io::Result<Infallible> {
    let queue = worker.lounge.queue.borrow().registry().as_fd().try_clone_to_owned()?;
    #[expect(
        deprecated,
        reason = "it is for descriptors that somebody else may close; this one is owned by what watches it"
    )]
    let bell = AsyncFd::with_interest(queue, tokio::io::Interest::READABLE)?;
    worker.lounge.is_open.set(true);
    loop {
        let mut rung = bell.readable().await?;
        worker.lounge.call(worker)?;
        rung.clear_ready();
    }
}
