//! The floor: a single-threaded relay that copies bytes both ways and parses nothing.
//!
//! What a proxy costs above this is what its understanding of HTTP costs. So this is made as cheap as a relay through user
//! space can be: one epoll, edge-triggered and registered once, a read followed at once by its write, one buffer for all,
//! no allocation but where a peer does not take its bytes. Every accepted connection opens one connection of its own to the
//! other side; both live and end together.

use std::io::{ErrorKind, Read, Result as IoResult, Write};
use std::net::{Shutdown, SocketAddr};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

use crate::Result;

/// Bytes read at once.
const BUFFER: usize = 64 << 10;
const LISTENER: Token = Token(usize::MAX);

/// One direction of a relayed connection.
#[derive(Debug, Default)]
struct Flow {
    /// Read, but not taken yet by the other side. Copied aside: keeping the buffer itself measured no faster, as the next
    /// read then meets a cold one.
    pending: Vec<u8>,
    /// The sender has announced its end, so a short read does not mean that there is no more to read.
    ending: bool,
    /// The sender's end was read and passed on.
    ended: bool,
}

impl Flow {
    /// Copies until `from` has no more or `to` takes no more.
    fn pump(&mut self, mut from: &TcpStream, to: &TcpStream, buffer: &mut [u8]) -> IoResult<()> {
        if !self.flush(to)? {
            return Ok(());
        }
        while !self.ended {
            let read = match from.read(buffer) {
                Ok(0) => {
                    self.ended = true;
                    return to.shutdown(Shutdown::Write);
                }
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let written = write(to, &buffer[..read])?;
            if written < read {
                self.pending.extend_from_slice(&buffer[written..read]);
                return Ok(());
            }
            if read < buffer.len() && !self.ending {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Writes what is pending; whether all of it was taken.
    fn flush(&mut self, to: &TcpStream) -> IoResult<bool> {
        if !self.pending.is_empty() {
            let written = write(to, &self.pending)?;
            self.pending.drain(..written);
        }
        Ok(self.pending.is_empty())
    }
}

/// Writes as much as is taken now.
fn write(mut to: &TcpStream, bytes: &[u8]) -> IoResult<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match to.write(&bytes[written..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(some) => written += some,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// A client's connection and the one opened for it.
#[derive(Debug)]
struct Pair {
    client: TcpStream,
    server: TcpStream,
    request: Flow,
    response: Flow,
}

impl Pair {
    /// Does what an event allows; whether the pair lives on.
    fn on_event(&mut self, event: &Event, at_client: bool, buffer: &mut [u8]) -> IoResult<bool> {
        let Self { client, server, request, response } = self;
        let (near, far, inward, outward) =
            if at_client { (client, server, request, response) } else { (server, client, response, request) };
        if event.is_error() {
            return Ok(false);
        }
        inward.ending |= event.is_read_closed();
        if event.is_readable() || inward.ending {
            inward.pump(near, far, buffer)?;
        }
        if event.is_writable() && !outward.pending.is_empty() {
            outward.pump(far, near, buffer)?;
        }
        Ok(!(inward.ended && outward.ended))
    }
}

/// Relays until killed.
///
/// # Errors
/// When it cannot listen, or can accept no more.
pub(crate) fn serve(listen: SocketAddr, to: SocketAddr) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut listener = TcpListener::bind(listen)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut pairs = Slab::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, to, poll.registry(), &mut pairs)?;
                continue;
            }
            let (key, at_client) = (event.token().0 / 2, event.token().0.is_multiple_of(2));
            let Some(pair): Option<&mut Pair> = pairs.get_mut(key) else { continue };
            if !pair.on_event(event, at_client, &mut buffer).unwrap_or(false) {
                pairs.remove(key);
            }
        }
    }
}

/// Accepts whoever waits, and connects for each of them.
fn accept(listener: &TcpListener, to: SocketAddr, registry: &Registry, pairs: &mut Slab<Pair>) -> IoResult<()> {
    loop {
        let client = match listener.accept() {
            Ok((client, _)) => client,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        let server = TcpStream::connect(to)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let entry = pairs.vacant_entry();
        let token = entry.key() * 2;
        let pair = entry.insert(Pair { client, server, request: Flow::default(), response: Flow::default() });
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut pair.client, Token(token), both)?;
        registry.register(&mut pair.server, Token(token + 1), both)?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::thread;

    /// More than all buffers between the two ends hold, both ways, with the client's half closed before it reads.
    #[test]
    fn bytes_arrive_whole_and_half_closed_connections_go_on() {
        let echo = TcpListener::bind("127.0.0.1:0").expect("bind");
        let to = echo.local_addr().expect("addr");
        thread::spawn(move || {
            let (mut stream, _) = echo.accept().expect("accept");
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("read");
            stream.write_all(&all).expect("write");
        });
        let free = TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("addr");
        thread::spawn(move || super::serve(free, to).map_err(|error| error.to_string()));
        let mut client = loop {
            match TcpStream::connect(free) {
                Ok(client) => break client,
                Err(_) => thread::yield_now(),
            }
        };
        let sent: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
        client.write_all(&sent).expect("write");
        client.shutdown(Shutdown::Write).expect("shutdown");
        let mut received = Vec::new();
        client.read_to_end(&mut received).expect("read");
        assert!(received == sent, "{} of {} bytes, or others", received.len(), sent.len());
    }
}
