//! A TCP connection.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use divisi_kernel::Receipt;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

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

    /// The connection without its place in the event loop.
    pub(crate) fn into_std(self) -> io::Result<std::net::TcpStream> {
        self.0.into_inner().into_std()
    }

    /// What the kernel knows of the connection; None where it knows nothing.
    pub(crate) fn receipt(&self) -> Option<Receipt> {
        divisi_kernel::receipt(&*self.0.borrow()).ok()
    }

    /// Its own end.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.borrow().local_addr()
    }

    /// Reads what is there; 0 is the peer's end.
    pub(crate) fn poll_read(&self, context: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut space = ReadBuf::new(space);
        ready!(Pin::new(&mut *self.0.borrow_mut()).poll_read(context, &mut space))?;
        Poll::Ready(Ok(space.filled().len()))
    }

    /// Writes as much of `parts` as the peer takes.
    pub(crate) fn poll_write(&self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut stream = self.0.borrow_mut();
        match parts {
            [one] => Pin::new(&mut *stream).poll_write(context, one),
            _ => Pin::new(&mut *stream).poll_write_vectored(context, parts),
        }
    }

    /// Whether the peer has ended its side, be there unread bytes or not.
    pub(crate) fn has_ended(&self) -> bool {
        let stream = self.0.borrow();
        let ready = pin!(stream.ready(Interest::READABLE)).poll(&mut Context::from_waker(Waker::noop()));
        matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed())
    }

    /// Tells the peer that nothing more will come; it may go on sending.
    pub(crate) fn finish(&self) {
        // The peer may be gone already; then there is nobody to tell.
        let _ = SockRef::from(&*self.0.borrow()).shutdown(Shutdown::Write);
    }

    /// Makes the end that follows a reset, which nobody takes for a complete message.
    pub(crate) fn reset_on_close(&self) {
        // Fails only where the connection has ended anyway.
        let _ = SockRef::from(&*self.0.borrow()).set_linger(Some(Duration::ZERO));
    }

    /// Whether nothing has come, the end included, as far as the event loop has been told. If it was told of something, the kernel
    /// is asked: readiness can be left over from a read that took exactly what was there.
    pub(crate) fn is_quiet(&self) -> bool {
        let ready = self.0.borrow().poll_read_ready(&mut Context::from_waker(Waker::noop()));
        ready.is_pending() || !self.has_news()
    }

    /// Whether bytes wait, or the end. Asks the kernel instead of the event loop, which may not have been told yet.
    pub(crate) fn has_news(&self) -> bool {
        let peeked = SockRef::from(&*self.0.borrow()).peek(&mut [MaybeUninit::uninit()]);
        !peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}
