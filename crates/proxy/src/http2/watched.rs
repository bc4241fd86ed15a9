//! The bytes of a connection on their way to whoever reads frames, counted by the [`Census`].

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::census::Census;
use crate::transport::carrier::Carrier;

/// A connection that is counted.
#[derive(Debug)]
pub(crate) struct Watched {
    carrier: Carrier,
    census: Rc<Census>,
}

impl Watched {
    pub(crate) fn new(carrier: Carrier, census: Rc<Census>) -> Self {
        Self { carrier, census }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.census.is_exceeded() {
            // Whoever reads comes back to whoever ends this.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = space.filled().len();
        ready!(Pin::new(&mut self.carrier).poll_read(context, space))?;
        self.census.read(&space.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored_counted(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored_counted(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_shutdown(context)
    }
}

impl Watched {
    fn poll_write_vectored_counted(
        &mut self,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.carrier).poll_write_vectored(context, parts))?;
        self.census.wrote(written);
        Poll::Ready(Ok(written))
    }
}
