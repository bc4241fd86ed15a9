//! A client that speaks HTTP/1: requests one after the other, and nothing held between two of them.

mod answer;

use std::cell::Cell;
use std::time::Duration;

use divisi_http1::scan::{Scan, leading_empty_lines};
use divisi_http1::{HeadError, HeadLimits, RequestHead};

use crate::answer::{Answer, Word};
use crate::body::{Coding, Patience, Reader, Source, Writer};
use crate::clock::{Elapsed, Timer};
use crate::connection::Client;
use crate::desk::{Desk, Window};
use crate::error::{Error, Fault};
use crate::exchange::{Ended, Exchange, Hands};
use crate::lounge::SETTLE;
use crate::record::{Marks, Record};
use crate::transport::{Transport, fill};
use crate::worker::Worker;

use answer::Http1Answer;

/// How long a client that is still sending is listened to after its last response.
const LINGER: Duration = Duration::from_secs(2);

/// How long a connection keeps what it works with after a response. A busy client asks again within that time, and finds
/// everything in place; taking it down and putting it up again cost a tenth of an exchange.
const WARM: Duration = Duration::from_millis(100);

/// With more connections than these on a worker, what they keep no longer fits into a core's cache, and sharing is cheaper.
const WARM_CONNECTIONS: usize = 128;

/// How a connection is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parting {
    /// One of the two sides has had enough.
    Over,
    /// Its client asks for nothing.
    Rests,
}

/// Serves a client that speaks HTTP/1, whose first bytes are in `window`, until one of the two sides has had enough, or the client
/// has rested for [`SETTLE`].
pub(crate) async fn serve(client: &Client, window: &mut Window, worker: &Worker) -> Parting {
    let limits = &worker.settings.limits;
    let is_tcp = matches!(client.transport, Transport::Tcp(_));
    loop {
        // On the heap, and only while there is something to do: the state of an exchange is many times that of an idle
        // connection.
        match Box::pin(client.work(window, worker)).await {
            After::Next => {}
            After::Close => {
                client.transport.part();
                return Parting::Over;
            }
            After::Linger => {
                Box::pin(client.linger(window)).await;
                return Parting::Over;
            }
            After::Reset => {
                client.transport.reset_on_close();
                return Parting::Over;
            }
        }
        let settles = is_tcp && worker.lounge.is_open() && limits.idle_timeout > SETTLE;
        client.timer.rest(if settles { SETTLE } else { limits.idle_timeout });
        match client.timer.limit(fill(&client.transport, window)).await {
            Ok(Ok(1..)) => {}
            Err(Elapsed) if settles && worker.lounge.is_open() => return Parting::Rests,
            Ok(_) | Err(Elapsed) => {
                client.transport.part();
                return Parting::Over;
            }
        }
    }
}

/// What comes after an exchange on the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// Nothing more will be read or written.
    Close,
    /// The client may still be sending: closing now would reset the connection and take the response with it.
    Linger,
    /// The next request.
    Next,
    /// The response broke off, and only a reset says so.
    Reset,
}

impl Client {
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
            let after = self.serve(window, &mut desk, worker, length).await;
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

    /// Serves the request in `desk`, whose head was so many bytes long. In `window` lies what the client has sent behind it.
    async fn serve(&self, window: &mut Window, desk: &mut Desk, worker: &Worker, length: usize) -> After {
        let Desk { from_replica, request, response, to_client, to_replica, kept, paths, introduction, reply, .. } =
            desk;
        let (begun, marks) = (Cell::new(false), Marks::begin(length));
        let mut body = self.body(request, window, worker, &begun, &marks);
        let mut answer = self.answer(request, to_client, worker, reply, &begun, &marks);
        let hands = Hands { from_replica, response, to_replica, paths, introduction, upload: &self.timer, reply };
        let identity = &self.identity;
        let mut exchange = Exchange { worker, identity, request, hands, kept, begun: &begun, marks: &marks };
        match exchange.run(&mut body, &mut answer).await {
            Ended::Unanswered | Ended::Switched => return After::Close,
            Ended::BrokenOff if answer.ends_with_connection => return After::Reset,
            Ended::BrokenOff => return After::Close,
            Ended::Answered => {}
        }
        body.release();
        match (answer.keep_alive && body.is_over(), body.is_over() && body.buffer.is_empty()) {
            (true, _) => After::Next,
            (false, true) => After::Close,
            (false, false) => After::Linger,
        }
    }

    fn body<'a>(
        &'a self,
        request: &RequestHead,
        buffer: &'a mut Window,
        worker: &Worker,
        begun: &'a Cell<bool>,
        marks: &'a Marks,
    ) -> Reader<'a> {
        let limits = &worker.settings.limits;
        let patience = Patience::Rate { silence: limits.client_timeout, bytes_per_second: limits.min_body_rate, begun };
        let count = &marks.received;
        Reader::new(&self.transport, buffer, request.body(), &self.timer, patience, Fault::Downstream, count)
    }

    /// The way back to the client of this request.
    fn answer<'a>(
        &'a self,
        request: &RequestHead,
        pending: &'a mut Vec<u8>,
        worker: &'a Worker,
        timer: &'a Timer,
        begun: &'a Cell<bool>,
        marks: &'a Marks,
    ) -> Http1Answer<'a> {
        Http1Answer {
            writer: Writer {
                transport: &self.transport,
                pending,
                coding: Coding::Plain,
                timer,
                silence: worker.settings.limits.client_timeout,
                side: Fault::Downstream,
                limits: worker.head_limits,
                sent: false,
                count: &marks.sent,
            },
            body: &marks.body,
            worker,
            version: request.version(),
            keep_alive: request.keeps_alive() && !worker.clock.is_stopping(),
            begun,
            ends_with_connection: false,
            cookie: None,
            hsts: None,
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
        tracing::debug!(%error, client = self.identity.address(), "a request was refused");
        let marks = Marks::begin(window.len());
        let mut record = Record::of_none(worker, &self.identity, window.filled(), &marks);
        let begun = Cell::new(false);
        // What the head said about the connection is not to be believed.
        let unread = RequestHead::default();
        let mut answer = self.answer(&unread, &mut desk.to_client, worker, &self.timer, &begun, &marks);
        let reason = error.to_string();
        let Some(word) = Word::of(error, &reason) else { return After::Close };
        record.status = word.status;
        let answered = answer.refuse(word, None, false).await;
        record.reason = Some(reason);
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
