//! How TLS begins in a connection: read before anything else is known of it, and kept, for whoever ends TLS wants all of it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use divisi_model::tcp::Hello;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use super::error::Error;
use crate::clock::{Elapsed, Timer};
use crate::desk::Window;

/// The type of a record with a handshake in it (RFC 8446 5.1), which is the first byte of every connection inside TLS.
const HANDSHAKE: u8 = 22;

/// What a client says before anything is encrypted.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    pub(super) server_name: Box<[u8]>,
    protocols: Vec<Box<[u8]>>,
}

impl Greeting {
    /// Does something with it in the form in which the model wants it.
    pub(super) fn protocols(&self) -> Vec<&[u8]> {
        self.protocols.iter().map(|protocol| &**protocol).collect()
    }

    pub(super) fn hello<'a>(&'a self, protocols: &'a [&'a [u8]]) -> Hello<'a> {
        Hello { server_name: &self.server_name, protocols }
    }
}

/// Reads the beginning of a connection into `window`, where it stays; None where it is not one of TLS. What is one must be all
/// there before the time of `timer` is over, in as many records and pieces as the client likes (RFC 8446 5.1), and fit into a
/// large buffer.
pub(super) async fn read(
    client: &mut TcpStream,
    window: &mut Window,
    timer: &Timer,
) -> Result<Option<Greeting>, Error> {
    let mut acceptor = Acceptor::default();
    let mut fed = 0;
    loop {
        if window.filled().first().is_some_and(|first| *first != HANDSHAKE) {
            return Ok(None);
        }
        while fed < window.len() {
            // It takes from memory, and so what there is.
            fed += acceptor.read_tls(&mut &window.filled()[fed..]).map_err(|_| Error::LongHello)?;
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => return Ok(Some(greeting(&accepted.client_hello()))),
                Err((error, _)) => return Err(Error::BadHello(error)),
            }
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

fn greeting(hello: &rustls::server::ClientHello<'_>) -> Greeting {
    let server_name = hello.server_name().unwrap_or_default().as_bytes().into();
    let protocols = hello.alpn().into_iter().flatten().map(Into::into).collect();
    Greeting { server_name, protocols }
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
