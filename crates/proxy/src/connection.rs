//! One client's connection: requests one after the other, and nothing held between two of them.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use divisi_http1::scan::{Scan, leading_empty_lines};
use divisi_http1::{HeadError, HeadLimits, RequestHead};

use crate::clock::{Elapsed, Timer};
use crate::desk::{Desk, Window};
use crate::error::Error;
use crate::exchange::{self, After};
use crate::identity::Identity;
use crate::record::{Marks, Record};
use crate::transport::{Transport, fill};
use crate::worker::Worker;

/// How long a client that is still sending is listened to after its last response.
const LINGER: Duration = Duration::from_secs(2);

/// How long a connection keeps what it works with after a response. A busy client asks again within that time, and finds
/// everything in place; taking it down and putting it up again cost a tenth of an exchange.
const WARM: Duration = Duration::from_millis(100);

/// With more connections than these on a worker, what they keep no longer fits into a core's cache, and sharing is cheaper.
const WARM_CONNECTIONS: usize = 128;

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
    let mut window = Window::new(&worker.desks.buffers);
    let mut patience = limits.head_timeout;
    loop {
        client.timer.rest(patience);
        if !matches!(client.timer.limit(fill(&client.transport, &mut window)).await, Ok(Ok(1..))) {
            return;
        }
        // On the heap, and only while there is something to do: the state of an exchange is many times that of an idle
        // connection.
        match Box::pin(client.work(&mut window, &worker)).await {
            After::Next => patience = limits.idle_timeout,
            After::Close => return,
            After::Linger => return client.linger(&mut window).await,
            After::Reset => return client.transport.reset_on_close(),
        }
    }
}

impl<T: Transport> Client<T> {
    /// Serves requests until the client has none for a moment.
    async fn work(&self, window: &mut Window, worker: &Worker) -> After {
        let mut desk = worker.desks.take(&worker.clock);
        loop {
            self.timer.arm(worker.settings.limits.head_timeout);
            let length = match self.receive(window, &mut desk.request, worker.head_limits).await {
                Ok(length) => length,
                Err(Error::ClientLeft) => return After::Close,
                Err(error) => return self.refuse(&error, window, &mut desk, worker).await,
            };
            let after = exchange::handle(self, window, &mut desk, worker, length).await;
            desk.rest();
            if after != After::Next {
                return after;
            }
            if window.is_empty() {
                if worker.connections.get() > WARM_CONNECTIONS {
                    return after;
                }
                self.timer.rest(WARM);
                match self.timer.limit(fill(&self.transport, window)).await {
                    Ok(Ok(1..)) => {}
                    Ok(_) => return After::Close,
                    Err(Elapsed) => return After::Next,
                }
            }
        }
    }

    /// Reads one request head; how long it was.
    async fn receive(&self, buffer: &mut Window, head: &mut RequestHead, limits: HeadLimits) -> Result<usize, Error> {
        let mut scan = Scan::default();
        loop {
            if begins(buffer)?
                && let Some(length) =
                    scan.parse(buffer.filled(), |window| head.parse(window, limits)).map_err(Error::BadRequest)?
            {
                buffer.consume(length);
                return Ok(length);
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
    async fn refuse(&self, error: &Error, window: &Window, desk: &mut Desk, worker: &Worker) -> After {
        tracing::debug!(%error, client = %self.peer, "a request was refused");
        let marks = Marks::begin(window.len());
        let mut record = Record::of_none(worker, &self.identity, window.filled(), &marks);
        let begun = Cell::new(false);
        // What the head said about the connection is not to be believed.
        let unread = RequestHead::default();
        let mut answer = self.answer(&unread, &mut desk.to_client, worker, &self.timer, &begun, &marks);
        answer.keep_alive = false;
        let Some(status) = error.status() else { return After::Close };
        let reason = error.to_string();
        let answered = answer.refuse(status, &reason, None).await;
        (record.status, record.reason) = (status, Some(reason));
        if answered.is_ok() { After::Linger } else { After::Close }
    }

    /// RFC 9112 9.6: closing while the client sends would reset the connection, and the reset could overtake the response.
    /// So our side ends first, and the client's bytes are thrown away for a while.
    async fn linger(&self, window: &mut Window) {
        self.transport.finish();
        self.timer.arm(LINGER);
        let drain = async {
            window.clear();
            while matches!(fill(&self.transport, window).await, Ok(1..)) {
                window.clear();
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
