//! The request's way, top to bottom: one exchange from a parsed head to its record.
//!
//! ```text
//! 1 load the snapshot   2 route   3 pick   4 rewrite   5 forward   6 tunnel   7 record
//! ```
//!
//! [`handle`] is the outer half: it makes the error response and the record, whatever happens. [`walk`] is the inner half:
//! a straight way that any step may leave with an [`Error`].

use std::cell::Cell;
use std::time::Duration;

use divisi_http1::{RequestHead, ResponseHead};
use divisi_model::{Lease, Moment, NoReplica, Tried, Wanted};
use tokio::time::sleep;

use crate::answer::Http1Answer;
use crate::body::{Coding, Patience, Reader, Source, Writer};
use crate::clock::Timer;
use crate::connection::Client;
use crate::desk::{Desk, Window};
use crate::error::{Error, Fault};
use crate::forward::{Attempt, Failed};
use crate::record::Record;
use crate::transport::Transport;
use crate::worker::Worker;

/// What comes after an exchange on the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Nothing more will be read or written.
    Close,
    /// The client may still be sending: closing now would reset the connection and take the response with it.
    Linger,
    /// The next request.
    Next,
    /// The response broke off, and only a reset says so.
    Reset,
}

/// Serves the request in `desk`, whatever comes of it. In `window` lies what the client has sent behind its head.
pub(crate) async fn handle<T: Transport>(
    client: &Client<T>,
    window: &mut Window,
    desk: &mut Desk,
    worker: &Worker,
) -> After {
    let Desk { from_replica, request, response, to_client, to_replica, reply } = desk;
    let begun = Cell::new(false);
    let mut record = Record::begin(&worker.tally);
    let mut body = client.body(request, window, worker, &begun);
    let mut answer = client.answer(request, to_client, worker, reply, &begun);
    let hands = Hands { from_replica, response, to_replica, reply, begun: &begun };

    let result = walk(client, request, hands, &mut body, &mut answer, worker, &mut record).await;
    match result {
        Ok(()) => {
            record.status = response.status();
            if record.status == 101 {
                return After::Close;
            }
        }
        Err(error) => {
            tracing::debug!(%error, client = %client.peer, "an exchange failed");
            if let Some(after) = broken_off(&error, &answer, response, &mut record) {
                return after;
            }
            let Some(status) = error.status() else { return After::Close };
            answer.keep_alive &= body.is_over() && error.fault() != Fault::Downstream;
            record.status = status;
            if answer.refuse(status, &error.to_string(), Some(request)).await.is_err() {
                return After::Close;
            }
        }
    }
    body.release();
    match (answer.keep_alive && body.is_over(), body.is_over() && body.buffer.is_empty()) {
        (true, _) => After::Next,
        (false, true) => After::Close,
        (false, false) => After::Linger,
    }
}

/// A response that broke off is never passed on as complete: the client sees the cut.
fn broken_off<T>(
    error: &Error,
    answer: &Http1Answer<'_, T>,
    response: &ResponseHead,
    record: &mut Record<'_>,
) -> Option<After> {
    if !answer.writer.sent {
        return None;
    }
    record.status = response.status();
    record.broken = error.fault() == Fault::Upstream;
    Some(if answer.ends_with_connection { After::Reset } else { After::Close })
}

/// What one exchange works with on the replica's side.
struct Hands<'a> {
    from_replica: &'a mut Window,
    response: &'a mut ResponseHead,
    to_replica: &'a mut Vec<u8>,
    reply: &'a Timer,
    begun: &'a Cell<bool>,
}

async fn walk<T: Transport>(
    client: &Client<T>,
    request: &RequestHead,
    hands: Hands<'_>,
    body: &mut Reader<'_, T>,
    answer: &mut Http1Answer<'_, T>,
    worker: &Worker,
    record: &mut Record<'_>,
) -> Result<(), Error> {
    let mut tried = Tried::default();
    let mut last = None;
    let mut fresh = false;
    loop {
        // 1 to 3 snapshot, route, pick: from here on the request is counted in flight at a replica
        let lease = match pick(worker, &tried)? {
            Ok(lease) => lease,
            Err(none) => return Err(nobody_left(worker, none, last).await),
        };
        // 4 to 6 rewrite, forward, tunnel
        let attempt = Attempt {
            worker,
            lease: &lease,
            request,
            identity: &client.identity,
            buffer: &mut *hands.from_replica,
            response: &mut *hands.response,
            pending: &mut *hands.to_replica,
            upload: &client.timer,
            reply: hands.reply,
            begun: hands.begun,
            fresh,
        };
        let Err(Failed { error, reused }) = attempt.run(body, answer).await else { return Ok(()) };
        if !may_retry(&error, request, body, hands.begun) {
            return Err(error);
        }
        // A connection from the pool may have been closed before the request came: the replica itself is not to blame.
        fresh = reused && error.is_unanswered();
        if !fresh && !tried.add(lease.replica().id()) {
            return Err(nobody_left(worker, NoReplica::Tried, Some(error)).await);
        }
        record.retries += 1;
        last = Some(error);
    }
}

/// The replica for the next attempt, in the world as it is now. A retry comes after a failure, which often is the first sign
/// that the world has changed, so it looks again; within one attempt nothing changes.
fn pick(worker: &Worker, tried: &Tried) -> Result<Result<Lease, NoReplica>, Error> {
    let snapshot = worker.published.load();
    let service = snapshot.route().map_err(|unrouted| Error::NoRoute(unrouted.reason.clone()))?;
    Ok(service.pick(tried, Wanted::Any, Moment::now()))
}

/// A retry needs an error that allows it, a request whose bytes can be sent again, and a replica not yet tried; the last is
/// for the pick to find.
fn may_retry<T>(error: &Error, request: &RequestHead, body: &Reader<'_, T>, begun: &Cell<bool>) -> bool {
    let unacted = error.nothing_sent() || error.is_unanswered() && request.is_idempotent();
    unacted && !body.touched && !begun.get()
}

/// How far the engine's word of a replica's end may be behind the end itself.
const NEWS: Duration = Duration::from_millis(100);

/// There is no replica to try. Where some were tried, their failure is the answer (502), unless they turn out to be ending:
/// a replica hangs up some milliseconds before the engine says so. Then nobody is there, which passes (503).
async fn nobody_left(worker: &Worker, _none: NoReplica, last: Option<Error>) -> Error {
    if let Some(error) = last {
        sleep(NEWS).await;
        match pick(worker, &Tried::default()) {
            Ok(Ok(_)) => return error,
            Ok(Err(_)) => {}
            Err(unrouted) => return unrouted,
        }
    }
    let snapshot = worker.published.load();
    let (name, known) = snapshot.route().map_or(("", 0), |service| (service.name(), service.known()));
    Error::NoReplica(match known {
        0 => format!("service \"{name}\" has no replica"),
        1 => format!("service \"{name}\" has one replica, and it is not ready"),
        known => format!("service \"{name}\" has {known} replicas, none of them ready"),
    })
}

impl<T: Transport> Client<T> {
    fn body<'a>(
        &'a self,
        request: &RequestHead,
        buffer: &'a mut Window,
        worker: &Worker,
        begun: &'a Cell<bool>,
    ) -> Reader<'a, T> {
        let limits = &worker.settings.limits;
        let patience = Patience::Rate { silence: limits.client_timeout, bytes_per_second: limits.min_body_rate, begun };
        Reader::new(&self.transport, buffer, request.body(), &self.timer, patience, Fault::Downstream)
    }

    /// The way back to the client of this request.
    pub(crate) fn answer<'a>(
        &'a self,
        request: &RequestHead,
        pending: &'a mut Vec<u8>,
        worker: &'a Worker,
        timer: &'a Timer,
        begun: &'a Cell<bool>,
    ) -> Http1Answer<'a, T> {
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
            },
            worker,
            version: request.version(),
            keep_alive: request.keeps_alive() && !worker.clock.is_stopping(),
            begun,
            ends_with_connection: false,
        }
    }
}
