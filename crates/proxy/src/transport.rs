//! A stream of bytes to one peer. TLS joins here: whatever carries bytes both ways can carry an exchange.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

/// A stream of bytes whose two directions are used at once by one task, hence `&self` everywhere.
pub(crate) trait Transport {
    /// Waits until reading would not wait: bytes, an end or an error.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Reads what is there; 0 is the peer's end.
    fn poll_read(&self, context: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes as much of `parts` as the peer takes.
    fn poll_write(&self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Tells the peer that nothing more will come; it may go on sending.
    fn finish(&self);

    /// Makes the end that follows a reset, which nobody takes for a complete message.
    fn reset_on_close(&self);
}

impl Transport for TcpStream {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(context)
    }

    fn poll_read(&self, context: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_read_ready(context))?;
            match self.try_read(space) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_write(&self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_write_ready(context))?;
            let result = match parts {
                [one] => self.try_write(one),
                _ => self.try_write_vectored(parts),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn finish(&self) {
        // The peer may be gone already; then there is nobody to tell.
        let _ = SockRef::from(self).shutdown(std::net::Shutdown::Write);
    }

    fn reset_on_close(&self) {
        // Fails only where the connection has ended anyway.
        let _ = SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}

/// Reads what is there; 0 is the peer's end.
pub(crate) async fn read(transport: &impl Transport, space: &mut [u8]) -> io::Result<usize> {
    poll_fn(|context| transport.poll_read(context, space)).await
}

/// Writes all of `parts`.
pub(crate) async fn write_all(transport: &impl Transport, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    let mut left = &mut parts[..];
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        let written = poll_fn(|context| transport.poll_write(context, left)).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut left, written);
    }
    Ok(())
}
