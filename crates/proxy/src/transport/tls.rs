//! TLS on a TCP connection, either end of it.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use divisi_kernel::Receipt;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, ServerConfig};

use super::session::{RECORD, Session, Step};
use super::tcp::Tcp;
use crate::desk::{Buffers, Window};

/// How much is put into records before they are written: what fits into a large buffer beside its overhead.
const AT_A_TIME: usize = 3 * RECORD;

/// A connection inside TLS. Nothing in it is large while it rests.
#[derive(Debug)]
pub(crate) struct Tls {
    tcp: Tcp,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    session: Session,
    /// Records that were read and not opened yet.
    incoming: Window,
    /// Records that were made and not written yet.
    outgoing: Window,
    /// What was in the last record and did not fit into the reader's space.
    leftovers: Vec<u8>,
    /// What of the bytes that are being written is in `outgoing` already.
    accepted: usize,
    /// The peer has said that it will say nothing more.
    closed: bool,
}

impl Tls {
    /// The server's end, which begins with what the client has said so far.
    ///
    /// # Errors
    /// The configuration cannot serve anybody.
    pub(crate) fn server(tcp: Tcp, config: Arc<ServerConfig>, hello: Window, buffers: &Buffers) -> io::Result<Self> {
        let session = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self::new(tcp, Session::Server(session), hello, buffers))
    }

    /// The client's end, to be proved by a certificate for `name`.
    ///
    /// # Errors
    /// The configuration cannot ask anybody.
    pub(crate) fn client(
        tcp: Tcp,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        buffers: &Buffers,
    ) -> io::Result<Self> {
        let session = UnbufferedClientConnection::new(config, name).map_err(io::Error::other)?;
        Ok(Self::new(tcp, Session::Client(session), Window::new(buffers), buffers))
    }

    fn new(tcp: Tcp, session: Session, incoming: Window, buffers: &Buffers) -> Self {
        let outgoing = Window::new(buffers);
        let state = State { session, incoming, outgoing, leftovers: Vec::new(), accepted: 0, closed: false };
        Self { tcp, state: RefCell::new(state) }
    }

    /// Goes on with the handshake until both sides may speak.
    pub(crate) fn poll_handshake(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.state.borrow_mut();
        loop {
            match state.step(&mut []) {
                Ok(Step::Open) => return state.flush(&self.tcp, context),
                Ok(Step::Again | Step::Read(_)) => {}
                Ok(Step::Closed) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(Step::Blocked) => {
                    ready!(state.flush(&self.tcp, context))?;
                    ready!(state.fill(&self.tcp, context))?;
                }
                Err(error) => return Poll::Ready(Err(state.give_up(&self.tcp, error))),
            }
        }
    }

    /// The protocol that both sides have agreed on (RFC 7301).
    pub(crate) fn protocol(&self) -> Option<Vec<u8>> {
        self.state.borrow().session.common().alpn_protocol().map(<[u8]>::to_vec)
    }

    pub(super) fn poll_read(&self, context: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let state = &mut *self.state.borrow_mut();
        if !state.leftovers.is_empty() {
            return Poll::Ready(Ok(state.take_leftovers(space)));
        }
        let mut read = 0;
        loop {
            match state.step(&mut space[read..]) {
                Ok(Step::Again) => {}
                Ok(Step::Read(count)) => {
                    read += count;
                    if read == space.len() {
                        return Poll::Ready(Ok(read));
                    }
                }
                // Said only once, so noted even where it comes right behind data.
                Ok(Step::Closed) => {
                    state.closed = true;
                    return Poll::Ready(Ok(read));
                }
                Ok(_) if read > 0 => return Poll::Ready(Ok(read)),
                Ok(Step::Open | Step::Blocked) if state.closed => return Poll::Ready(Ok(0)),
                Ok(Step::Open | Step::Blocked) => {
                    // What is to be said beside data (tickets, other keys) goes when it can; nobody waits for it.
                    if let Poll::Ready(Err(error)) = state.flush(&self.tcp, context) {
                        return Poll::Ready(Err(error));
                    }
                    ready!(state.fill(&self.tcp, context))?;
                }
                Err(error) => return Poll::Ready(Err(state.give_up(&self.tcp, error))),
            }
        }
    }

    pub(super) fn poll_write(&self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let state = &mut *self.state.borrow_mut();
        if state.accepted == 0 {
            ready!(state.flush(&self.tcp, context))?;
            if let Err(error) = state.accept(parts) {
                return Poll::Ready(Err(error));
            }
        }
        ready!(state.flush(&self.tcp, context))?;
        Poll::Ready(Ok(std::mem::take(&mut state.accepted)))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state.borrow().closed || self.tcp.has_ended()
    }

    /// Bytes that wait may be none for us: tickets come when the handshake is over (RFC 8446 4.6.1).
    pub(super) fn is_quiet(&self) -> bool {
        self.tcp.is_quiet() || self.says_nothing()
    }

    pub(super) fn is_quiet_indeed(&self) -> bool {
        !self.tcp.has_news() || self.says_nothing()
    }

    fn says_nothing(&self) -> bool {
        self.poll_read(&mut Context::from_waker(Waker::noop()), &mut [0]).is_pending()
    }

    pub(super) fn finish(&self) {
        self.part();
        self.tcp.finish();
    }

    /// RFC 8446 6.1: an end without this word may be somebody else's, and so is no end.
    pub(super) fn part(&self) {
        let state = &mut *self.state.borrow_mut();
        if state.open_what_has_come().is_err() {
            return;
        }
        state.session.close(&mut state.incoming, &mut state.outgoing);
        // Where it does not go at once the peer has not taken what came before it either.
        let _ = state.flush(&self.tcp, &mut Context::from_waker(Waker::noop()));
    }

    pub(super) fn reset_on_close(&self) {
        self.tcp.reset_on_close();
    }

    pub(super) fn receipt(&self) -> Option<Receipt> {
        self.tcp.receipt()
    }
}

impl State {
    fn step(&mut self, space: &mut [u8]) -> Result<Step, rustls::Error> {
        let Self { session, incoming, outgoing, leftovers, .. } = self;
        session.step(incoming, space, leftovers, outgoing)
    }

    /// Reads more records.
    fn fill(&mut self, tcp: &Tcp, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.incoming.open();
        if self.incoming.is_full() {
            // A record is a fourth of it, and a handshake message is bounded by rustls. So nobody gets here.
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let read = tcp.poll_read(context, self.incoming.space());
        match read {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(Ok(count)) => {
                self.incoming.advance(count);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.incoming.settle();
                Poll::Pending
            }
        }
    }

    /// Puts as much of `parts` into records as is written at a time.
    fn accept(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.open_what_has_come()?;
        for part in parts {
            let data = &part[..part.len().min(AT_A_TIME - self.accepted)];
            if !data.is_empty() {
                let encrypted = self.session.encrypt(data, &mut self.incoming, &mut self.outgoing);
                encrypted.map_err(io::Error::other)?;
                self.accepted += data.len();
            }
        }
        Ok(())
    }

    /// rustls says nothing before what has come is opened; it waits for whoever reads.
    fn open_what_has_come(&mut self) -> io::Result<()> {
        loop {
            match self.step(&mut []).map_err(io::Error::other)? {
                Step::Open => return Ok(()),
                Step::Again | Step::Read(_) => {}
                Step::Closed if !self.closed => self.closed = true,
                // Both sides have said that they will say nothing more.
                Step::Closed | Step::Blocked => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
    }

    /// Writes what waits to be written.
    fn flush(&mut self, tcp: &Tcp, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            match ready!(tcp.poll_write(context, &[IoSlice::new(self.outgoing.filled())]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.outgoing.consume(written),
            }
        }
        self.outgoing.settle();
        Poll::Ready(Ok(()))
    }

    /// The session cannot go on. The peer is told why, as far as rustls has a word for it (RFC 8446 6.2).
    fn give_up(&mut self, tcp: &Tcp, error: rustls::Error) -> io::Error {
        while matches!(self.step(&mut []), Ok(Step::Again)) {}
        let _ = self.flush(tcp, &mut Context::from_waker(Waker::noop()));
        io::Error::new(io::ErrorKind::InvalidData, error)
    }

    fn take_leftovers(&mut self, space: &mut [u8]) -> usize {
        let count = self.leftovers.len().min(space.len());
        space[..count].copy_from_slice(&self.leftovers[..count]);
        self.leftovers.drain(..count);
        if self.leftovers.is_empty() {
            self.leftovers = Vec::new();
        }
        count
    }
}
