//! What an exchange works with: buffers and heads, borrowed from the worker while there is work.
//!
//! A connection between two requests holds none of it. That is what keeps an idle connection at a few hundred bytes.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use divisi_http1::{Buffer, RequestHead, ResponseHead};

use crate::clock::{Clock, Timer};
use crate::rewrite::Introduction;
use crate::route::Paths;

/// What is read into. Larger ones save few system calls and cost cache.
const LARGE: usize = 64 * 1024;

/// What may wait in a small buffer for more to come: most heads that arrive in pieces.
const SMALL: usize = 4 * 1024;

/// How many large buffers wait for the next read. Most reads are used up at once, so that a few serve everybody.
const KEPT_BUFFERS: usize = 64;

/// How many desks wait for the next request; more than that many at once are a burst.
const KEPT_DESKS: usize = 1024;

/// What a peer sent and nobody has used yet.
///
/// It has a large buffer only while there is something to do: [`open`](Self::open) takes one for reading, and
/// [`settle`](Self::settle) gives it back before a wait. So the buffers that are written and read stay few, and in cache.
#[derive(Debug)]
pub(crate) struct Window {
    buffer: Buffer,
    home: Buffers,
    /// How much is read at a time.
    most: usize,
}

impl Window {
    pub(crate) fn new(home: &Buffers) -> Self {
        Self { buffer: Buffer::default(), home: home.clone(), most: usize::MAX }
    }

    /// Takes a large buffer, to be read into.
    pub(crate) fn open(&mut self) {
        match self.buffer.capacity() {
            // Most windows are opened so: empty, and settled since they were.
            0 => self.buffer = self.home.take(),
            1..LARGE => self.move_to(self.home.take()),
            _ => {}
        }
    }

    /// Gives the large buffer back, if what waits in it is little or nothing.
    pub(crate) fn settle(&mut self) {
        match self.buffer.len() {
            0 if self.buffer.capacity() > 0 => self.home.keep(std::mem::take(&mut self.buffer)),
            1..=SMALL if self.buffer.capacity() > SMALL => self.move_to(Buffer::with_capacity(SMALL)),
            _ => {}
        }
    }

    /// Gives the large buffer back whatever waits in it, since that will wait for a while.
    pub(crate) fn shelve(&mut self) {
        match self.buffer.len() {
            0 => self.home.keep(std::mem::take(&mut self.buffer)),
            waiting if self.buffer.capacity() == LARGE && waiting <= LARGE / 2 => {
                self.move_to(Buffer::with_capacity(waiting));
            }
            _ => {}
        }
    }

    /// No more than that is read at a time from now on.
    pub(crate) fn read_at_most(&mut self, bytes: usize) {
        self.most = bytes;
    }

    /// Where the next bytes go; empty only when the buffer is full.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        let space = self.buffer.space();
        let most = self.most.min(space.len());
        &mut space[..most]
    }

    /// Whether nothing more can be read before something is used.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= LARGE && self.buffer.len() == self.buffer.capacity()
    }

    fn move_to(&mut self, mut next: Buffer) {
        let waiting = self.buffer.filled();
        if !waiting.is_empty() {
            next.space()[..waiting.len()].copy_from_slice(waiting);
            next.advance(waiting.len());
        }
        self.home.keep(std::mem::replace(&mut self.buffer, next));
    }
}

/// A connection that ends in the middle of something has a large buffer still, and the next one wants one.
impl Drop for Window {
    fn drop(&mut self) {
        self.home.keep(std::mem::take(&mut self.buffer));
    }
}

impl Deref for Window {
    type Target = Buffer;

    fn deref(&self) -> &Buffer {
        &self.buffer
    }
}

impl DerefMut for Window {
    fn deref_mut(&mut self) -> &mut Buffer {
        &mut self.buffer
    }
}

/// The memory of one busy connection.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) from_replica: Window,
    pub(crate) request: RequestHead,
    pub(crate) response: ResponseHead,
    /// What waits to be written to the client.
    pub(crate) to_client: Vec<u8>,
    /// What waits to be written to the replica.
    pub(crate) to_replica: Vec<u8>,
    /// What was sent of a request's body, as long as it may have to be sent again.
    pub(crate) kept: Vec<u8>,
    /// Where the request goes, and with which path.
    pub(crate) paths: Paths,
    /// What the replica is told of the client.
    pub(crate) introduction: Introduction,
    /// Bounds what comes from the replica.
    pub(crate) reply: Timer,
    /// Bounds what goes to it, where the client's connection has no timer for one request alone.
    pub(crate) upload: Timer,
}

impl Desk {
    fn new(buffers: &Buffers, clock: &Rc<Clock>) -> Self {
        Self {
            from_replica: Window::new(buffers),
            request: RequestHead::default(),
            response: ResponseHead::default(),
            to_client: Vec::new(),
            to_replica: Vec::new(),
            kept: Vec::new(),
            paths: Paths::default(),
            introduction: Introduction::default(),
            reply: Timer::new(clock),
            upload: Timer::new(clock),
        }
    }

    /// Gives the large buffer back between two exchanges; the rest is small and will be wanted again.
    pub(crate) fn rest(&mut self) {
        self.from_replica.clear();
        self.from_replica.settle();
    }

    fn clear(&mut self) {
        self.rest();
        self.from_replica.read_at_most(usize::MAX);
        for pending in [&mut self.to_client, &mut self.to_replica, &mut self.kept] {
            empty(pending);
        }
    }
}

/// Forgets what is in `pending`, and the memory of a large head with it.
pub(crate) fn empty(pending: &mut Vec<u8>) {
    pending.clear();
    if pending.capacity() > 2 * SMALL {
        pending.shrink_to(SMALL);
    }
}

/// The large buffers that nobody reads into.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffers(Rc<RefCell<Vec<Buffer>>>);

impl Buffers {
    fn take(&self) -> Buffer {
        self.0.borrow_mut().pop().unwrap_or_else(|| Buffer::with_capacity(LARGE))
    }

    fn keep(&self, mut buffer: Buffer) {
        let mut kept = self.0.borrow_mut();
        if buffer.capacity() == LARGE && kept.len() < KEPT_BUFFERS {
            buffer.clear();
            kept.push(buffer);
        }
    }
}

// A desk changes hands twice per request; its box is one pointer to move.
type FreeDesks = Rc<RefCell<Vec<Box<Desk>>>>;

/// The desks that nobody works at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desks {
    free: FreeDesks,
    pub(crate) buffers: Buffers,
}

impl Desks {
    /// A free desk, or a new one.
    pub(crate) fn take(&self, clock: &Rc<Clock>) -> Borrowed {
        let free = self.free.borrow_mut().pop();
        let desk = free.unwrap_or_else(|| Box::new(Desk::new(&self.buffers, clock)));
        Borrowed { desk: Some(desk), home: Rc::clone(&self.free) }
    }

    /// Gives back the memory of half of those that wait: called when time has passed, so that a burst is forgotten.
    pub(crate) fn shrink(&self) {
        let mut free = self.free.borrow_mut();
        let kept = free.len().div_ceil(2);
        free.truncate(kept);
        let mut buffers = self.buffers.0.borrow_mut();
        let kept = buffers.len().div_ceil(2);
        buffers.truncate(kept);
    }
}

/// A desk in use; back with the others when dropped.
#[derive(Debug)]
pub(crate) struct Borrowed {
    /// Empty only while it is dropped.
    desk: Option<Box<Desk>>,
    home: FreeDesks,
}

impl Deref for Borrowed {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        self.desk.as_deref().expect("present until dropped")
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut Desk {
        self.desk.as_deref_mut().expect("present until dropped")
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(mut desk) = self.desk.take() {
            desk.clear();
            let mut free = self.home.borrow_mut();
            if free.len() < KEPT_DESKS {
                free.push(desk);
            }
        }
    }
}
