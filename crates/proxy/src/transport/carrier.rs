//! A transport in the form in which HTTP/2 wants it: what tokio calls a stream.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Transport;
use crate::desk::Window;

/// A transport, and what was read from it and not taken yet.
///
/// Whoever reads frames offers memory that was never written. It would have to be cleared for us on every read, and be touched
/// for a few bytes. So what comes is read into a buffer of the worker's, and only that is copied.
#[derive(Debug)]
pub(crate) struct Carrier {
    /// Outlives those who read frames.
    transport: Rc<Transport>,
    window: Window,
}

impl Carrier {
    pub(crate) fn new(transport: Rc<Transport>, window: Window) -> Self {
        Self { transport, window }
    }

    /// Reads if nothing waits.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.window.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.window.open();
        let read = self.transport.poll_read(context, self.window.space());
        if let Poll::Ready(Ok(count @ 1..)) = read {
            self.window.advance(count);
        } else {
            self.window.settle();
        }
        read.map_ok(drop)
    }
}

impl AsyncRead for Carrier {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_fill(context))?;
        let count = this.window.len().min(space.remaining());
        space.put_slice(&this.window.filled()[..count]);
        this.window.consume(count);
        // Most of the time all was taken, and the large buffer goes to whoever reads next.
        this.window.settle();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.transport.poll_write(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.transport.poll_write(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing waits here: what is taken was written.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.finish();
        Poll::Ready(Ok(()))
    }
}
