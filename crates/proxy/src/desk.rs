//! What an exchange works with: buffers and heads, borrowed from the worker while there is work.
//!
//! A connection between two requests holds none of it. That is what keeps an idle connection at a few hundred bytes.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use divisi_http1::{Buffer, RequestHead, ResponseHead};

/// Most heads, and small bodies with them, fit at once.
const BUFFER: usize = 16 * 1024;

/// Buffers above this size go back to the system with the end of the exchange that needed them.
const KEPT_BUFFER: usize = 64 * 1024;

/// How many desks wait for the next request; more than that many at once are a burst.
const KEPT_DESKS: usize = 256;

/// The memory of one busy connection.
#[derive(Debug)]
pub(crate) struct Desk {
    /// What the client sent and nobody has used yet.
    pub(crate) from_client: Buffer,
    /// What the replica sent and nobody has used yet.
    pub(crate) from_replica: Buffer,
    pub(crate) request: RequestHead,
    pub(crate) response: ResponseHead,
    /// What waits to be written to the client.
    pub(crate) to_client: Vec<u8>,
    /// What waits to be written to the replica.
    pub(crate) to_replica: Vec<u8>,
}

impl Desk {
    fn new() -> Self {
        Self {
            from_client: Buffer::with_capacity(BUFFER),
            from_replica: Buffer::with_capacity(BUFFER),
            request: RequestHead::default(),
            response: ResponseHead::default(),
            to_client: Vec::with_capacity(1024),
            to_replica: Vec::with_capacity(1024),
        }
    }

    fn clear(&mut self) {
        for buffer in [&mut self.from_client, &mut self.from_replica] {
            buffer.reset(KEPT_BUFFER);
        }
        for pending in [&mut self.to_client, &mut self.to_replica] {
            pending.clear();
            pending.shrink_to(KEPT_BUFFER);
        }
    }
}

/// The desks that nobody works at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desks {
    free: Rc<RefCell<Vec<Desk>>>,
}

impl Desks {
    /// A free desk, or a new one.
    pub(crate) fn take(&self) -> Borrowed {
        let desk = self.free.borrow_mut().pop().unwrap_or_else(Desk::new);
        Borrowed { desk: Some(desk), home: self.clone() }
    }

    /// Gives back the memory of half of those that wait: called when time has passed, so that a burst is forgotten.
    pub(crate) fn shrink(&self) {
        let mut free = self.free.borrow_mut();
        let kept = free.len().div_ceil(2);
        free.truncate(kept);
    }
}

/// A desk in use; back with the others when dropped.
#[derive(Debug)]
pub(crate) struct Borrowed {
    /// Empty only while it is dropped.
    desk: Option<Desk>,
    home: Desks,
}

impl Deref for Borrowed {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        self.desk.as_ref().expect("present until dropped")
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut Desk {
        self.desk.as_mut().expect("present until dropped")
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(mut desk) = self.desk.take() {
            let mut free = self.home.free.borrow_mut();
            if free.len() < KEPT_DESKS {
                desk.clear();
                free.push(desk);
            }
        }
    }
}
