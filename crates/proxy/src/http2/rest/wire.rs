//! A client's connection on which is noted what lasts, and on which it is told again.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::watched::Watched;
use super::super::{CONNECTION_WINDOW, splitter::FrameHead, splitter::kind};
use super::ledger::Ledger;

/// What is read instead of what the client says, as long as it is told what was before. What is answered to that goes nowhere: the client
/// has got its answer long ago.
#[derive(Debug, Default)]
pub(super) struct Script {
    lines: RefCell<Vec<u8>>,
    is_over: Cell<bool>,
}

impl Script {
    /// Is read next.
    pub(super) fn add(&self, bytes: &[u8]) {
        self.lines.borrow_mut().extend_from_slice(bytes);
    }

    /// From now on it is the client that is read and written to.
    pub(super) fn end(&self) {
        self.is_over.set(true);
    }

    /// Whether all was read.
    pub(super) fn is_read(&self) -> bool {
        self.lines.borrow().is_empty()
    }

    fn read(&self, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut lines = self.lines.borrow_mut();
        if lines.is_empty() {
            // Whoever writes it looks after whoever reads it.
            return Poll::Pending;
        }
        let count = lines.len().min(space.remaining());
        space.put_slice(&lines[..count]);
        lines.drain(..count);
        Poll::Ready(Ok(()))
    }
}

/// A client's connection.
#[derive(Debug)]
pub(in crate::http2) struct Wire {
    watched: Watched,
    ledger: Rc<RefCell<Ledger>>,
    /// What is told first.
    script: Option<Rc<Script>>,
    /// What the client is told before anything else.
    owed: Vec<u8>,
}

impl Wire {
    pub(super) fn new(watched: Watched, ledger: Rc<RefCell<Ledger>>) -> Self {
        Self { watched, ledger, script: None, owed: Vec::new() }
    }

    /// One that has rested. Whoever goes on with it takes the client's window for wide open, so it is made so.
    pub(super) fn resumed(watched: Watched, ledger: Rc<RefCell<Ledger>>, script: Rc<Script>) -> Self {
        let missing = i64::from(CONNECTION_WINDOW) - ledger.borrow().facts().client_window;
        let missing = u32::try_from(missing).unwrap_or(0);
        let owed = if missing > 0 { window_update(0, missing) } else { Vec::new() };
        Self { watched, ledger, script: Some(script), owed }
    }

    /// What is told, unless that is over.
    fn script(&mut self) -> Option<&Script> {
        self.script.take_if(|script| script.is_over.get());
        self.script.as_deref()
    }

    /// Writes what the client is owed.
    fn poll_owed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.owed.is_empty() {
            let written =
                ready!(Self::poll_say(&mut self.watched, &self.ledger, context, &[IoSlice::new(&self.owed)]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.owed.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_say(
        watched: &mut Watched,
        ledger: &RefCell<Ledger>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(watched).poll_write_vectored(context, parts);
        match &written {
            Poll::Ready(Ok(count)) => ledger.borrow_mut().say(parts, *count),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => ledger.borrow_mut().fall_behind(),
        }
        written
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(script) = self.script() {
            return script.read(space);
        }
        let before = space.filled().len();
        ready!(Pin::new(&mut self.watched).poll_read(context, space))?;
        self.ledger.borrow_mut().hear(&space.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.script().is_some() {
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        ready!(this.poll_owed(context))?;
        Self::poll_say(&mut this.watched, &this.ledger, context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.script().is_some() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_owed(context))?;
        Pin::new(&mut self.watched).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.watched).poll_shutdown(context)
    }
}

/// A frame that opens a window by so much (RFC 9113 6.9).
pub(super) fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    let head = FrameHead { length: 4, kind: kind::WINDOW_UPDATE, flags: 0, stream };
    [&head.bytes()[..], &bytes.to_be_bytes()].concat()
}
