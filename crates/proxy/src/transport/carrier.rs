//! A transport in the form in which HTTP/2 wants it: what tokio calls a stream.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Transport;
use crate::desk::Window;

/// A transport, and what was read from it before anybody knew that it is HTTP/2.
#[derive(Debug)]
pub(crate) struct Carrier {
    transport: Transport,
    first: Window,
}

impl Carrier {
    pub(crate) fn new(transport: Transport, first: Window) -> Self {
        Self { transport, first }
    }
}

impl AsyncRead for Carrier {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.first.is_empty() {
            let count = this.first.len().min(space.remaining());
            space.put_slice(&this.first.filled()[..count]);
            this.first.consume(count);
            this.first.settle();
            return Poll::Ready(Ok(()));
        }
        let count = ready!(this.transport.poll_read(context, space.initialize_unfilled()))?;
        space.advance(count);
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
