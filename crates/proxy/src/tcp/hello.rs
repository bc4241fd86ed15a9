//! How a connection begins: read before anything else is known of it, and kept, for whoever ends TLS wants all of it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use super::error::Error;
use crate::clock::{Elapsed, Timer};
use crate::desk::Window;
use crate::hello::{Greeting, NoHello, Reader};

/// The type of a record with a handshake in it (RFC 8446 5.1), which is the first byte of every connection inside TLS.
const HANDSHAKE: u8 = 22;

/// Reads the beginning of a connection into `window`, where it stays; None where it is not one of TLS. What is one must be all
/// there before the time of `timer` is over, and fit into a large buffer.
pub(super) async fn read(
    client: &mut TcpStream,
    window: &mut Window,
    timer: &Timer,
) -> Result<Option<Greeting>, Error> {
    let mut reader = Reader::default();
    loop {
        if window.filled().first().is_some_and(|first| *first != HANDSHAKE) {
            return Ok(None);
        }
        if let Some(greeting) = reader.read(window.filled())? {
            return Ok(Some(greeting));
        }
        if window.is_full() {
            return Err(Error::LongHello);
        }
        match timer.limit(poll_fn(|context| fill(client, window, context))).await {
            Ok(Ok(1..)) => {}
            Ok(_) => return Err(Error::ClientLeft),
            Err(Elapsed) => return Err(Error::LateHello),
        }
    }
}

impl From<NoHello> for Error {
    fn from(fault: NoHello) -> Self {
        match fault {
            NoHello::Long => Self::LongHello,
            NoHello::Bad { error, .. } => Self::BadHello(error),
        }
    }
}

fn fill(client: &mut TcpStream, window: &mut Window, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
    window.open();
    let mut space = ReadBuf::new(window.space());
    let read = Pin::new(client).poll_read(context, &mut space);
    let count = space.filled().len();
    if read.is_pending() {
        window.settle();
    }
    ready!(read)?;
    window.advance(count);
    Poll::Ready(Ok(count))
}
