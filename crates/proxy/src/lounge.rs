//! Where connections wait whose clients ask for nothing.
//!
//! A connection that is served has a task and a place in the event loop, 1.3 KiB in all. One that has rested for a while gives both
//! back and waits here, as an entry of a table and in an event queue of its own, which the event loop watches as if it were one
//! connection. Its client notices nothing: the first byte takes it back.

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
use crate::listener::Place;
use crate::worker::Worker;

/// How many connections are looked at in one go.
const AT_A_TIME: usize = 256;

/// A connection of HTTP/1 without TLS, between two requests.
#[derive(Debug)]
pub(crate) struct Resting {
    pub(crate) stream: TcpStream,
    /// Where it comes from.
    pub(crate) source: SocketAddr,
    /// It came in where TLS is expected.
    pub(crate) is_misled: bool,
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
}

impl Lounge {
    /// An empty one.
    ///
    /// # Errors
    /// The kernel gives no event queue.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { guests: RefCell::default(), queue: RefCell::new(Poll::new()?), is_open: Cell::new(false) })
    }

    /// Whether connections may wait here.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.get()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.guests.borrow().len()
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
                let Some(Guest { resting, place, .. }) = self.leave(event.token().0) else { continue };
                let worker = Rc::clone(worker);
                tokio::task::spawn_local(async move { connection::resume(resting, place, worker).await });
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

    /// Closes those that have waited for so long.
    pub(crate) fn sweep(&self, longest: Duration) {
        let now = Moment::now();
        self.guests.borrow_mut().retain(|_, guest| now.since(guest.since) < longest);
    }

    /// Closes all but those whose clients have said something meanwhile: the program stops.
    pub(crate) fn close(&self, worker: &Rc<Worker>) {
        self.is_open.set(false);
        if let Err(error) = self.call(worker) {
            tracing::debug!(%error, "connections that rest are closed unseen");
        }
        self.guests.take();
    }
}

/// Watches over those that wait, as long as the program runs.
pub(crate) async fn watch(worker: Rc<Worker>) {
    let Err(error) = look_after(&worker).await;
    tracing::error!(%error, "connections that rest cannot be watched; they keep what they have from now on");
    worker.lounge.close(&worker);
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
