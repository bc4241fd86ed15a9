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
//! | [`rest`] | what becomes of all this while nobody asks |
//! | [`splitter`] | where frames begin and end, for those two |

mod answer;
pub(crate) mod budget;
pub(crate) mod census;
pub(crate) mod crew;
pub(crate) mod grpc;
pub(crate) mod outlet;
mod rest;
pub(crate) mod said;
pub(crate) mod spelling;
mod splitter;
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
use crate::lounge::SETTLE;
use crate::record::{Marks, Record};
use crate::settings::Limits;
use crate::transport::carrier::Carrier;
use crate::worker::Worker;

use answer::Http2Answer;
use budget::Budget;
use census::Census;
use outlet::{Outlet, Parcel, Recipient};
use rest::Wire;
use stream::{Frames, Stage};

pub(crate) use rest::Memory;

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
    /// Bounds what comes from the client while there is no stream.
    timer: Timer,
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

/// How a connection is left.
enum Parting {
    /// The client is gone.
    Gone,
    /// The client is told that it is over, and why.
    Dismissed(Reason),
    /// Its client asks for nothing.
    Rests,
}

/// Serves a client whose first bytes are in `window`, or whose next ones if it has rested before, until one of the two sides has had
/// enough. What is returned rests: nobody has asked for anything for [`SETTLE`].
pub(crate) async fn serve(
    client: Client,
    window: Window,
    memory: Option<Box<Memory>>,
    worker: &Rc<Worker>,
) -> Option<(Client, Box<Memory>)> {
    let Client { transport, identity, timer } = client;
    let transport = Rc::new(transport);
    let carrier = Carrier::new(Rc::clone(&transport), window);
    let is_new = memory.is_none();
    let mut memory = memory.unwrap_or_default();
    // On the heap, and only as long as it lasts: its state is larger than that of the connection.
    let mut connection = match is_new {
        true => Box::pin(shake_hands(&memory, carrier, &timer, &worker.settings.limits)).await?,
        false => Box::pin(memory.resume(carrier, settings(&worker.settings.limits))).await?,
    };
    let shared = Rc::new(Shared {
        identity,
        timer,
        worker: Rc::clone(worker),
        open: Cell::new(0),
        rested: Cell::new(memory.since()),
        given_up: Cell::new(0),
        given_up_at: Cell::new(memory.since()),
        budget: Budget::new(),
    });
    match accept(&mut connection, &shared, &memory, is_new).await {
        Parting::Gone => {}
        Parting::Dismissed(reason) => dismiss(&mut connection, &shared, &memory.census, reason).await,
        Parting::Rests => {
            drop(connection);
            let (transport, shared) = (Rc::into_inner(transport)?, Rc::into_inner(shared)?);
            memory.rest(shared.rested.get());
            return Some((Client { transport, identity: shared.identity, timer: shared.timer }, memory));
        }
    }
    None
}

async fn shake_hands(
    memory: &Memory,
    carrier: Carrier,
    timer: &Timer,
    limits: &Limits,
) -> Option<Connection<Wire, Parcel>> {
    timer.rest(limits.head_timeout);
    timer.limit(memory.begin(carrier, settings(limits))).await.ok()?.ok()
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

/// Begins an exchange for each stream that the client opens.
async fn accept(
    connection: &mut Connection<Wire, Parcel>,
    shared: &Rc<Shared>,
    memory: &Memory,
    is_new: bool,
) -> Parting {
    let Shared { worker, timer, .. } = &**shared;
    let limits = &worker.settings.limits;
    // Who has asked for nothing yet has no longer than for the head of a first request.
    let mut patience = if is_new { limits.head_timeout } else { limits.idle_timeout };
    timer.rest(SETTLE.min(patience.saturating_sub(shared.rested())));
    loop {
        match timer.limit(next(connection, shared, &memory.census)).await {
            Ok(Ok(job)) => {
                shared.open.set(shared.open.get() + 1);
                worker.crew.serve(job, worker);
                patience = limits.idle_timeout;
                timer.rest(patience);
            }
            Ok(Err(parting)) => return parting,
            Err(Elapsed) if worker.clock.is_stopping() => return Parting::Dismissed(Reason::NO_ERROR),
            Err(Elapsed) if shared.open.get() > 0 => timer.rest(patience),
            Err(Elapsed) => {
                let rested = shared.rested();
                if rested >= patience {
                    return Parting::Dismissed(Reason::NO_ERROR);
                }
                // Streams that crate h2 has reset by itself never came here, and it knows them for no longer than this.
                let settled = rested.min(memory.unreset());
                if settled >= SETTLE && !connection.has_streams() && memory.is_complete() {
                    return Parting::Rests;
                }
                let left = patience.saturating_sub(rested);
                // What keeps it from resting may pass with nobody here to notice: half a frame, or what the client does not read.
                timer.rest(if memory.is_lost() { left } else { SETTLE.min(left) });
            }
        }
    }
}

/// Tells the client that it is over, and lets what goes on come to its end.
async fn dismiss(connection: &mut Connection<Wire, Parcel>, shared: &Shared, census: &Census, reason: Reason) {
    match reason {
        Reason::NO_ERROR => connection.graceful_shutdown(),
        reason => connection.abrupt_shutdown(reason),
    }
    loop {
        shared.timer.arm(FAREWELL);
        let over = shared.timer.limit(drained(connection, census)).await.is_ok();
        // Streams that are open go on to their end; after a word of blame there are none.
        if over || reason != Reason::NO_ERROR || shared.open.get() == 0 {
            return;
        }
    }
}

/// The next stream, on the heap as soon as it is there: it is large to move.
///
/// # Errors
/// There will be none.
async fn next(
    connection: &mut Connection<Wire, Parcel>,
    shared: &Rc<Shared>,
    census: &Census,
) -> Result<Box<Job>, Parting> {
    poll_fn(|context| {
        let accepted = connection.poll_accept(context);
        if census.is_exceeded() || shared.given_up.get() > GIVEN_UP {
            return Poll::Ready(Err(Parting::Dismissed(census.blame())));
        }
        accepted.map(|accepted| match accepted {
            Some(Ok((request, respond))) => Ok(Box::new(Job { shared: Rc::clone(shared), request, respond })),
            Some(Err(_)) | None => Err(Parting::Gone),
        })
    })
    .await
}

/// Carries what still goes on to its end. What the client begins now is not begun.
async fn drained(connection: &mut Connection<Wire, Parcel>, census: &Census) {
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
        let Shared { open, rested, timer, worker, .. } = &*self.0;
        open.set(open.get() - 1);
        rested.set(worker.clock.moment());
        if open.get() == 0 {
            timer.rest(SETTLE.min(worker.settings.limits.idle_timeout));
        }
    }
}

impl Shared {
    /// For how long there has been no stream, where there is none.
    fn rested(&self) -> Duration {
        Moment::now().since(self.rested.get())
    }

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
