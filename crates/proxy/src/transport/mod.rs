//! A stream of bytes to one peer, with TLS around it or without: whatever carries bytes both ways can carry an exchange.
//!
//! | file | job |
//! |---|---|
//! | [`tcp`] | a TCP connection |
//! | [`tls`] | TLS on one, either end of it |
//! | [`session`] | what TLS makes of bytes, without a connection |
//! | [`carrier`] | the same stream in the form in which HTTP/2 wants it |

pub(crate) mod carrier;
mod session;
mod tcp;
mod tls;

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use divisi_kernel::Receipt;

use crate::desk::Window;

pub(crate) use tcp::Tcp;
pub(crate) use tls::Tls;

/// A stream of bytes whose two directions are used at once by one task, hence `&self` everywhere.
#[derive(Debug)]
pub(crate) enum Transport {
    /// As they are.
    Tcp(Tcp),
    /// Inside TLS. On the heap: plain connections are many, and should be small.
    Tls(Box<Tls>),
}

impl Transport {
    /// Reads what is there; 0 is the peer's end.
    pub(crate) fn poll_read(&self, context: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => tcp.poll_read(context, space),
            Self::Tls(tls) => tls.poll_read(context, space),
        }
    }

    /// Writes as much of `parts` as the peer takes. Where it takes nothing at the moment, the same bytes are to be written next.
    pub(crate) fn poll_write(&self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => tcp.poll_write(context, parts),
            Self::Tls(tls) => tls.poll_write(context, parts),
        }
    }

    /// Whether the peer has ended its side, be there unread bytes or not.
    pub(crate) fn has_ended(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.has_ended(),
            Self::Tls(tls) => tls.has_ended(),
        }
    }

    /// Whether nothing has come that nobody asked for, the end included, as far as the event loop has been told.
    pub(crate) fn is_quiet(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.is_quiet(),
            Self::Tls(tls) => tls.is_quiet(),
        }
    }

    /// The same, asking the kernel.
    pub(crate) fn is_quiet_indeed(&self) -> bool {
        match self {
            Self::Tcp(tcp) => !tcp.has_news(),
            Self::Tls(tls) => tls.is_quiet_indeed(),
        }
    }

    /// The protocol that both sides have agreed on inside TLS (RFC 7301).
    pub(crate) fn protocol(&self) -> Option<Vec<u8>> {
        match self {
            Self::Tcp(_) => None,
            Self::Tls(tls) => tls.protocol(),
        }
    }

    /// Tells the peer that nothing more will come; it may go on sending.
    pub(crate) fn finish(&self) {
        match self {
            Self::Tcp(tcp) => tcp.finish(),
            Self::Tls(tls) => tls.finish(),
        }
    }

    /// The last thing before it is closed in order: an end that says that it is one. Plain connections end so by themselves.
    pub(crate) fn part(&self) {
        if let Self::Tls(tls) = self {
            tls.part();
        }
    }

    /// Makes the end that follows a reset, which nobody takes for a complete message.
    pub(crate) fn reset_on_close(&self) {
        match self {
            Self::Tcp(tcp) => tcp.reset_on_close(),
            Self::Tls(tls) => tls.reset_on_close(),
        }
    }

    /// What the kernel knows of the connection; None where it knows nothing.
    pub(crate) fn receipt(&self) -> Option<Receipt> {
        match self {
            Self::Tcp(tcp) => tcp.receipt(),
            Self::Tls(tls) => tls.receipt(),
        }
    }
}

/// Reads what is there into `window`; 0 is the peer's end.
pub(crate) async fn fill(transport: &Transport, window: &mut Window) -> io::Result<usize> {
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
pub(crate) async fn write_all(transport: &Transport, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match poll_fn(|context| transport.poll_write(context, parts)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut parts, written),
        }
    }
    Ok(())
}
