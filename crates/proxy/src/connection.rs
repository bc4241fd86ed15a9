//! One client's connection: requests one after the other, and nothing held between two of them.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use divisi_http1::scan::{Scan, leading_empty_lines};
use divisi_http1::{HeadError, HeadLimits, RequestHead};

use crate::body::readable;
use crate::clock::{Elapsed, Timer};
use crate::desk::{Desk, Window};
use crate::error::Error;
use crate::exchange::{self, After};
use crate::record::Record;
use crate::rewrite::Identity;
use crate::transport::{Transport, fill, poll_fill};
use crate::worker::Worker;

/// How long a client that is still sending is listened to after its last response.
const LINGER: Duration = Duration::from_secs(2);

/// One client's connection.
pub(crate) struct Client<T> {
    pub(crate) transport: T,
    pub(crate) peer: SocketAddr,
    pub(crate) identity: Identity,
    /// Bounds what comes from the client.
    pub(crate) timer: Timer,
}

/// Serves a client until one of the two sides has had enough.
pub(crate) async fn serve<T: Transport>(transport: T, peer: SocketAddr, worker: Rc<Worker>) {
    let identity = Identity::new(peer.ip(), worker.settings.trusts(peer.ip()));
    let client = Client { transport, peer, identity, timer: Timer::new(&worker.clock) };
    let limits = &worker.settings.limits;
    let mut patience = limits.head_timeout;
    loop {
        client.timer.rest(patience);
        if !matches!(client.timer.limit(readable(&client.transport)).await, Ok(Ok(()))) {
            return;
        }
        // On the heap, and only while there is something to do: the state of an exchange is many times that of an idle
        // connection.
        match Box::pin(client.work(&worker)).await {
            After::Next => patience = limits.idle_timeout,
            After::Rest => {}
            After::Close => return,
            After::Linger => return client.linger(&worker).await,
            After::Reset => return client.transport.reset_on_close(),
        }
    }
}

impl<T: Transport> Client<T> {
    /// Serves requests until the client has none waiting.
    async fn work(&self, worker: &Worker) -> After {
        let mut desk = worker.desks.take();
        // The event loop may have been wrong, as it is about every new connection: then nothing is held while waiting.
        match poll_fn(|context| Poll::Ready(poll_fill(&self.transport, &mut desk.from_client, context))).await {
            Poll::Ready(Ok(1..)) => {}
            Poll::Ready(_) => return After::Close,
            Poll::Pending => return After::Rest,
        }
        loop {
            self.timer.arm(worker.settings.limits.head_timeout);
            let Desk { from_client, request, .. } = &mut *desk;
            match self.receive(from_client, request, worker.head_limits).await {
                Ok(()) => {}
                Err(Error::ClientLeft) => return After::Close,
                Err(error) => return self.refuse(&error, &mut desk, worker).await,
            }
            let after = exchange::handle(self, &mut desk, worker).await;
            if after != After::Next || desk.from_client.is_empty() {
                return after;
            }
        }
    }

    /// Reads one request head.
    async fn receive(&self, buffer: &mut Window, head: &mut RequestHead, limits: HeadLimits) -> Result<(), Error> {
        let mut scan = Scan::default();
        loop {
            if begins(buffer)?
                && let Some(length) =
                    scan.parse(buffer.filled(), |window| head.parse(window, limits)).map_err(Error::BadRequest)?
            {
                buffer.consume(length);
                return Ok(());
            }
            if buffer.len() >= limits.size {
                return Err(Error::BadRequest(scan.too_large()));
            }
            if buffer.is_full() {
                buffer.grow(limits.size);
            }
            match self.timer.limit(fill(&self.transport, buffer)).await {
                Ok(Ok(1..)) => {}
                Ok(Ok(_)) if !buffer.is_empty() => {
                    return Err(Error::BadRequest(HeadError::Malformed(
                        "the connection ended within the request head",
                    )));
                }
                Ok(_) => return Err(Error::ClientLeft),
                Err(Elapsed) => return Err(Error::ClientTooSlow),
            }
        }
    }

    /// Answers a head that is none.
    async fn refuse(&self, error: &Error, desk: &mut Desk, worker: &Worker) -> After {
        tracing::debug!(%error, client = %self.peer, "a request was refused");
        let mut record = Record::begin(&worker.tally);
        let begun = Cell::new(false);
        // What the head said about the connection is not to be believed.
        let unread = RequestHead::default();
        let mut answer = self.answer(&unread, &mut desk.to_client, worker, &self.timer, &begun);
        answer.keep_alive = false;
        let Some(status) = error.status() else { return After::Close };
        record.status = status;
        match answer.refuse(status, &error.to_string(), None).await {
            Ok(()) => After::Linger,
            Err(_) => After::Close,
        }
    }

    /// RFC 9112 9.6: closing while the client sends would reset the connection, and the reset could overtake the response.
    /// So our side ends first, and the client's bytes are thrown away for a while.
    async fn linger(&self, worker: &Worker) {
        self.transport.finish();
        self.timer.arm(LINGER);
        let mut desk = worker.desks.take();
        let drain = async {
            while matches!(fill(&self.transport, &mut desk.from_client).await, Ok(1..)) {
                desk.from_client.clear();
            }
        };
        // Ends with the client or with the time; either will do.
        let _: Result<(), Elapsed> = self.timer.limit(drain).await;
    }
}

/// Whether the request's first byte is there, empty lines before it aside.
///
/// RFC 9112 3.1: a request begins with a token. What does not (a TLS handshake on this port, most often) is refused before
/// its end, for which we might wait in vain.
fn begins(buffer: &mut Window) -> Result<bool, Error> {
    let empty = leading_empty_lines(buffer.filled()).map_err(Error::BadRequest)?;
    buffer.consume(empty);
    match buffer.filled() {
        [] | [b'\r'] => Ok(false),
        [b'\n', ..] => Err(Error::BadRequest(HeadError::BareLf)),
        [first, ..] if first.is_ascii_graphic() => Ok(true),
        _ => Err(Error::BadRequest(HeadError::Malformed("not an HTTP/1.1 request"))),
    }
}
