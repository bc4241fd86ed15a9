//! A client that speaks HTTP/2 (RFC 9113): many exchanges at once on one connection, each a stream.
//!
//! ```text
//! connection ─► frames (crate h2) ─┬─ stream ─► spelling ─► exchange ─► answer
//!                 census           ├─ stream …
//! ```
//!
//! | file | job |
//! |---|---|
//! | [`spelling`] | heads in the spelling of HTTP/1.1, so that they go through the same parser and rewriting, and back |
//! | [`stream`] | bodies that come as frames |
//! | [`outlet`] | bodies that go as frames, and what waits to be sent |
//! | [`budget`] | how much may wait on one connection, and who is next |
//! | [`answer`] | the response |
//! | [`said`] | its head, and values that many heads share |
//! | [`grpc`] | what divisi itself says to gRPC |
//! | [`websocket`] | the handshake that HTTP/2 does not have |
//! | [`crew`] | the tasks that serve streams |
//! | [`census`], [`watched`] | how many frames of which kind a peer may send |

mod answer;
pub(crate) mod budget;
pub(crate) mod census;
pub(crate) mod crew;
pub(crate) mod grpc;
pub(crate) mod outlet;
pub(crate) mod said;
pub(crate) mod spelling;
pub(crate) mod stream;
pub(crate) mod watched;
pub(crate) mod websocket;

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use divisi_model::Moment;
use h2::ext::Protocol;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Method, Request};

use crate::answer::{Answer, Word};
use crate::body::Patience;
use crate::clock::{Elapsed, Timer};
use crate::connection::Client;
use crate::desk::{self, Desk, Window};
use crate::error::{Error, Fault};
use crate::exchange::{Ended, Exchange, Hands};
use crate::identity::Identity;
use crate::record::{Marks, Record};
use crate::settings::Limits;
use crate::transport::carrier::Carrier;
use crate::worker::Worker;

use answer::Http2Answer;
use budget::Budget;
use census::Census;
use outlet::{Outlet, Parcel, Recipient};
use stream::{Frames, Stage};
use watched::Watched;

/// What every client of HTTP/2 with prior knowledge says first (RFC 9113 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Exchanges at a time on one connection. RFC 9113 6.5.2 recommends no fewer than 100.
const STREAMS: u32 = 128;

/// What a client may send of one body before it is used, and of all of them.
pub(crate) const WINDOW: u32 = 64 * 1024;
pub(crate) const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What waits to be sent on one stream.
pub(crate) const SEND_BUFFER: usize = 64 * 1024;

/// What is read from replicas at a time, for all streams of a connection: each may have to keep that for a client that does not read.
const READ_BUDGET: usize = 1024 * 1024;
/// The same for one stream, however many there are: a frame. Half of it cost half as much CPU time again with 64 large responses at once.
const READ_LEAST: usize = 16 * 1024;

/// Exchanges that a client may give up unanswered at once, and how long it takes until one more may be.
const GIVEN_UP: u32 = 100;
const GIVEN_UP_EACH: Duration = Duration::from_millis(10);

/// Streams that we reset because of what the client did: after these many it does so on purpose (CVE-2025-8671).
const FAULTY: usize = 200;

/// For how long a client that was told to leave is listened to.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the streams of one connection share.
struct Shared {
    identity: Identity,
    worker: Rc<Worker>,
    /// Streams that are open.
    open: Cell<u32>,
    /// When the last of them ended.
    rested: Cell<Moment>,
    /// Exchanges that were given up before they were answered, less those that time has made good.
    given_up: Cell<u32>,
    given_up_at: Cell<Moment>,
    budget: Budget,
}

/// Serves a client whose first bytes are in `window`, until one of the two sides has had enough.
pub(crate) async fn serve(client: Client, window: Window, worker: Rc<Worker>) {
    let Client { transport, identity, timer } = client;
    let census = Rc::new(Census::new(true));
    let carrier = Watched::new(Carrier::new(transport, window), Rc::clone(&census));
    // On the heap, and only as long as it lasts: its state is larger than that of the connection.
    let Some(mut connection) = Box::pin(shake_hands(carrier, &timer, &worker.settings.limits)).await else { return };
    let now = Moment::now();
    let shared = Rc::new(Shared {
        identity,
        worker,
        open: Cell::new(0),
        rested: Cell::new(now),
        given_up: Cell::new(0),
        given_up_at: Cell::new(now),
        budget: Budget::new(),
    });
    let reason = accept(&mut connection, &shared, &census, &timer).await;
    match reason {
        Some(Reason::NO_ERROR) => connection.graceful_shutdown(),
        Some(reason) => connection.abrupt_shutdown(reason),
        None => return,
    }
    loop {
        timer.arm(FAREWELL);
        let over = timer.limit(drained(&mut connection, &census)).await.is_ok();
        // Streams that are open go on to their end; after a word of blame there are none.
        if over || reason != Some(Reason::NO_ERROR) || shared.open.get() == 0 {
            return;
        }
    }
}

async fn shake_hands(carrier: Watched, timer: &Timer, limits: &Limits) -> Option<Connection<Watched, Parcel>> {
    timer.rest(limits.head_timeout);
    timer.limit(settings(limits).handshake(carrier)).await.ok()?.ok()
}

fn settings(limits: &Limits) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .initial_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_local_error_reset_streams(Some(FAULTY))
        .enable_connect_protocol();
    builder
}

/// Begins an exchange for each stream that the client opens. Ends with what the client is to be told before the end; None where
/// there is nobody left to be told.
async fn accept(
    connection: &mut Connection<Watched, Parcel>,
    shared: &Rc<Shared>,
    census: &Census,
    timer: &Timer,
) -> Option<Reason> {
    let worker = &shared.worker;
    // Who has asked for nothing yet has no longer than for the head of a first request.
    let mut patience = worker.settings.limits.head_timeout;
    timer.rest(patience);
    loop {
        match timer.limit(next(connection, shared, census)).await {
            Ok(Ok((request, respond))) => {
                shared.open.set(shared.open.get() + 1);
                worker.crew.serve(Box::new(Job { shared: Rc::clone(shared), request, respond }), worker);
                patience = worker.settings.limits.idle_timeout;
                timer.rest(patience);
            }
            Ok(Err(reason)) => return reason,
            Err(Elapsed) if worker.clock.is_stopping() => return Some(Reason::NO_ERROR),
            Err(Elapsed) => {
                let rested = Moment::now().since(shared.rested.get());
                if shared.open.get() == 0 && rested >= patience {
                    return Some(Reason::NO_ERROR);
                }
                timer.rest(patience.saturating_sub(if shared.open.get() == 0 { rested } else { Duration::ZERO }));
            }
        }
    }
}

/// The next stream.
///
/// # Errors
/// There will be none; what the client is to be told, if it is there to be told.
async fn next(
    connection: &mut Connection<Watched, Parcel>,
    shared: &Shared,
    census: &Census,
) -> Result<(Request<RecvStream>, SendResponse<Parcel>), Option<Reason>> {
    poll_fn(|context| {
        let accepted = connection.poll_accept(context);
        if census.is_exceeded() || shared.given_up.get() > GIVEN_UP {
            return Poll::Ready(Err(Some(census.blame())));
        }
        accepted.map(|accepted| accepted.and_then(Result::ok).ok_or(None))
    })
    .await
}

/// Carries what still goes on to its end. What the client begins now is not begun.
async fn drained(connection: &mut Connection<Watched, Parcel>, census: &Census) {
    poll_fn(|context| {
        while let Poll::Ready(accepted) = connection.poll_accept(context) {
            match accepted {
                Some(Ok((_, mut respond))) => respond.send_reset(Reason::REFUSED_STREAM),
                Some(Err(_)) | None => return Poll::Ready(()),
            }
        }
        if census.is_exceeded() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// A stream to be served.
pub(crate) struct Job {
    shared: Rc<Shared>,
    request: Request<RecvStream>,
    respond: SendResponse<Parcel>,
}

impl Job {
    /// Serves it.
    async fn run(mut self: Box<Self>) {
        let place = Place(self.shared);
        let outlet = Outlet::to_client(self.respond, place.0.budget.clone());
        let begun = Cell::new(false);
        // The request stays in its box: it is large to move.
        match exchange(&place.0, &mut self.request, &outlet, &begun).await {
            Ended::Answered => {}
            Ended::BrokenOff => outlet.reset(Reason::INTERNAL_ERROR),
            Ended::Switched => outlet.leave(Reason::CANCEL),
            Ended::Unanswered => {
                place.0.note_given_up();
                outlet.reset(Reason::CANCEL);
            }
        }
    }
}

/// A stream's place among those of its connection; free again when dropped.
struct Place(Rc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.rested.set(self.0.worker.clock.moment());
    }
}

impl Shared {
    /// A request that is given up has cost a replica something and the client nothing (CVE-2023-44487).
    fn note_given_up(&self) {
        let now = Moment::now();
        let forgiven = now.since(self.given_up_at.get()).as_millis() / GIVEN_UP_EACH.as_millis();
        let left = self.given_up.get().saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
        self.given_up.set(left + 1);
        self.given_up_at.set(now);
    }

    /// How much may be read at a time for one stream.
    fn share(&self) -> usize {
        (READ_BUDGET / self.open.get().max(1) as usize).max(READ_LEAST)
    }
}

/// One exchange, from a head of HTTP/2 to the record.
async fn exchange(shared: &Shared, asked: &mut Request<RecvStream>, outlet: &Outlet, begun: &Cell<bool>) -> Ended {
    let worker = &*shared.worker;
    // RFC 8441 4: a CONNECT that says for what is no CONNECT.
    let is_tunnel = asked.method() == Method::CONNECT && asked.extensions().get::<Protocol>().is_some();
    let key = is_tunnel.then(websocket::key);
    let mut desk = worker.desks.take(&worker.clock);
    let Desk { from_replica, request, response, to_client, to_replica, kept, paths, introduction, reply, upload } =
        &mut *desk;
    let stage = Stage::of(asked.body(), is_tunnel);
    let spelled = spelling::request(asked, stage != Stage::Over, key.as_deref(), worker.head_limits, to_client);
    // Its memory is not needed any more, and the response may take its time.
    *asked.headers_mut() = HeaderMap::new();
    let parsed = spelled.and_then(|()| request.parse(to_client, worker.head_limits));
    from_replica.read_at_most(shared.share());
    let marks = Marks::begin(to_client.len());
    let unread = if parsed.is_ok() { Vec::new() } else { std::mem::take(to_client) };
    desk::empty(to_client);
    let limits = &worker.settings.limits;
    let recipient = Recipient::client(reply, limits, worker.head_limits);
    let mut answer = Http2Answer {
        outlet,
        pending: None,
        recipient,
        worker,
        key: key.as_deref(),
        is_sent: false,
        begun,
        marks: &marks,
        cookie: None,
        hsts: None,
    };
    if let Err(error) = parsed {
        return refuse(&Error::BadRequest(error), &unread, &mut answer, shared).await;
    }
    let patience = Patience::Rate { silence: limits.client_timeout, bytes_per_second: limits.min_body_rate, begun };
    let stream = asked.body_mut();
    let mut body = Frames::new(stream, outlet, stage, upload, patience, Fault::Downstream, &marks.received);
    body.look_ahead().await;
    let hands = Hands { from_replica, response, to_replica, paths, introduction, upload, reply };
    let mut exchange = Exchange { worker, identity: &shared.identity, request, hands, kept, begun, marks: &marks };
    exchange.run(&mut body, &mut answer).await
}

/// Answers a head that is none.
async fn refuse(error: &Error, unread: &[u8], answer: &mut Http2Answer<'_>, shared: &Shared) -> Ended {
    // A head of many fields costs more than most requests do, and no replica sees it.
    shared.note_given_up();
    let mut record = Record::of_none(&shared.worker, &shared.identity, unread, answer.marks);
    let reason = error.to_string();
    let Some(word) = Word::of(error, &reason) else { return Ended::Unanswered };
    record.status = word.status;
    let answered = answer.refuse(word, None, false).await;
    record.reason = Some(reason);
    if answered.is_ok() { Ended::Answered } else { Ended::Unanswered }
}
