//! A stream of bytes to one peer. TLS joins here: whatever carries bytes both ways can carry an exchange.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use divisi_kernel::Receipt;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::desk::Window;

/// A stream of bytes whose two directions are used at once by one task, hence `&self` everywhere.
pub(crate) trait Transport {
    /// Reads what is there; 0 is the peer's end.
    fn poll_read(&self, context: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes as much of `parts` as the peer takes.
    fn poll_write(&self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Whether the peer has ended its side, be there unread bytes or not.
    fn has_ended(&self) -> bool;

    /// Tells the peer that nothing more will come; it may go on sending.
    fn finish(&self);

    /// Makes the end that follows a reset, which nobody takes for a complete message.
    fn reset_on_close(&self);
}

/// A TCP connection.
///
/// Reading goes through `AsyncRead`, which notes a read that took all there was and saves the next one that would find
/// nothing; `TcpStream::try_read` does not. Measured: three of five reads were such.
#[derive(Debug)]
pub(crate) struct Tcp(RefCell<TcpStream>);

impl Tcp {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(RefCell::new(stream))
    }

    /// What the kernel knows of the connection; None where it knows nothing.
    pub(crate) fn receipt(&self) -> Option<Receipt> {
        divisi_kernel::receipt(&*self.0.borrow()).ok()
    }

    /// The connection itself, once nobody reads or writes any more.
    pub(crate) fn into_inner(self) -> TcpStream {
        self.0.into_inner()
    }
}

impl Transport for Tcp {
    fn poll_read(&self, context: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut space = ReadBuf::new(space);
        ready!(Pin::new(&mut *self.0.borrow_mut()).poll_read(context, &mut space))?;
        Poll::Ready(Ok(space.filled().len()))
    }

    fn poll_write(&self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut stream = self.0.borrow_mut();
        match parts {
            [one] => Pin::new(&mut *stream).poll_write(context, one),
            _ => Pin::new(&mut *stream).poll_write_vectored(context, parts),
        }
    }

    fn has_ended(&self) -> bool {
        let stream = self.0.borrow();
        let ready = pin!(stream.ready(Interest::READABLE)).poll(&mut Context::from_waker(Waker::noop()));
        matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed())
    }

    fn finish(&self) {
        // The peer may be gone already; then there is nobody to tell.
        let _ = SockRef::from(&*self.0.borrow()).shutdown(Shutdown::Write);
    }

    fn reset_on_close(&self) {
        // Fails only where the connection has ended anyway.
        let _ = SockRef::from(&*self.0.borrow()).set_linger(Some(Duration::ZERO));
    }
}

/// Reads what is there into `window`; 0 is the peer's end.
pub(crate) async fn fill(transport: &impl Transport, window: &mut Window) -> io::Result<usize> {
    poll_fn(|context| {
        window.open();
        let read = transport.poll_read(context, window.space());
        match read {
            Poll::Ready(Ok(count)) => window.advance(count),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => window.settle(),
        }
        read
    })
    .await
}

/// Writes all of `parts`.
pub(crate) async fn write_all(transport: &impl Transport, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match poll_fn(|context| transport.poll_write(context, parts)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut parts, written),
        }
    }
    Ok(())
}
