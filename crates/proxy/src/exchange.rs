//! The request's way, top to bottom: one exchange from a parsed head to its record.
//!
//! ```text
//! 1 load the snapshot   2 route   3 pick   4 rewrite   5 forward   6 tunnel   7 record
//! ```
//!
//! [`handle`] is the outer half: it makes the error response and the record, whatever happens. [`walk`] is the inner half:
//! a straight way that any step may leave with an [`Error`].

use std::cell::Cell;

use divisi_http1::{RequestHead, ResponseHead};

use crate::answer::Http1Answer;
use crate::body::{Coding, Patience, Reader, Source, Writer};
use crate::clock::Timer;
use crate::connection::Client;
use crate::desk::{Desk, Window};
use crate::error::{Error, Fault};
use crate::forward::Attempt;
use crate::keep::Keeper;
use crate::record::{Marks, Record};
use crate::route::Paths;
use crate::search::Search;
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

/// Serves the request in `desk`, whose head was so many bytes long, whatever comes of it. In `window` lies what the client has
/// sent behind it.
pub(crate) async fn handle<T: Transport>(
    client: &Client<T>,
    window: &mut Window,
    desk: &mut Desk,
    worker: &Worker,
    length: usize,
) -> After {
    let Desk { from_replica, request, response, to_client, to_replica, kept, paths, reply } = desk;
    let (begun, marks) = (Cell::new(false), Marks::begin(length));
    let mut record = Record::begin(worker, &client.identity, request, &marks);
    let mut body = Keeper::new(client.body(request, window, worker, &begun, &marks), kept);
    let mut answer = client.answer(request, to_client, worker, reply, &begun, &marks);
    let hands = Hands { from_replica, response, to_replica, paths, reply, begun: &begun };

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
            let reason = record.reason.insert(error.to_string());
            if answer.writer.sent {
                record.status = response.status();
                record.broken = error.fault() == Fault::Upstream;
                // A response that broke off is never passed on as complete: the client sees the cut.
                return if answer.ends_with_connection { After::Reset } else { After::Close };
            }
            let Some(status) = error.status() else { return After::Close };
            let in_step = body.reader.is_over() && error.fault() != Fault::Downstream;
            answer.keep_alive &= in_step && !worker.clock.is_stopping();
            record.status = status;
            if answer.refuse(status, reason, Some(request)).await.is_err() {
                return After::Close;
            }
        }
    }
    let body = &mut body.reader;
    body.release();
    match (answer.keep_alive && body.is_over(), body.is_over() && body.buffer.is_empty()) {
        (true, _) => After::Next,
        (false, true) => After::Close,
        (false, false) => After::Linger,
    }
}

/// What one exchange works with on the replica's side.
struct Hands<'a> {
    from_replica: &'a mut Window,
    response: &'a mut ResponseHead,
    to_replica: &'a mut Vec<u8>,
    paths: &'a mut Paths,
    reply: &'a Timer,
    begun: &'a Cell<bool>,
}

async fn walk<T: Transport>(
    client: &Client<T>,
    request: &RequestHead,
    hands: Hands<'_>,
    body: &mut Keeper<'_, T>,
    answer: &mut Http1Answer<'_, T>,
    worker: &Worker,
    record: &mut Record<'_>,
) -> Result<(), Error> {
    // 1, 2 snapshot, route: from here on the request is counted as one of its service
    let mut search = Search::new(worker, request, &client.identity, hands.paths);
    search.begin(record)?;
    loop {
        // 3 pick, or wait: from here on the request is counted in flight at a replica, until the record is written
        let lease = search.replica(body, hands.reply, record).await?;
        let lease = &*record.lease.insert(lease);
        record.attempts += 1;
        if let Some(cookie) = search.cookie.take() {
            answer.cookie = cookie;
        }
        // 4 to 6 rewrite, forward, tunnel
        let attempt = Attempt {
            worker,
            lease,
            request,
            identity: &client.identity,
            buffer: &mut *hands.from_replica,
            response: &mut *hands.response,
            pending: &mut *hands.to_replica,
            upload: &client.timer,
            reply: hands.reply,
            begun: hands.begun,
            fresh: search.fresh,
            marks: record.marks,
            path: search.path(),
            hides_host: search.passage.hides_host,
        };
        let Err(failed) = attempt.run(body, answer).await else { return Ok(()) };
        search.failed(failed, body, hands.begun, record).await?;
    }
}

impl<T: Transport> Client<T> {
    fn body<'a>(
        &'a self,
        request: &RequestHead,
        buffer: &'a mut Window,
        worker: &Worker,
        begun: &'a Cell<bool>,
        marks: &'a Marks,
    ) -> Reader<'a, T> {
        let limits = &worker.settings.limits;
        let patience = Patience::Rate { silence: limits.client_timeout, bytes_per_second: limits.min_body_rate, begun };
        let count = &marks.received;
        Reader::new(&self.transport, buffer, request.body(), &self.timer, patience, Fault::Downstream, count)
    }

    /// The way back to the client of this request.
    pub(crate) fn answer<'a>(
        &'a self,
        request: &RequestHead,
        pending: &'a mut Vec<u8>,
        worker: &'a Worker,
        timer: &'a Timer,
        begun: &'a Cell<bool>,
        marks: &'a Marks,
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
                count: &marks.sent,
            },
            body: &marks.body,
            worker,
            version: request.version(),
            keep_alive: request.keeps_alive() && !worker.clock.is_stopping(),
            begun,
            ends_with_connection: false,
            cookie: None,
        }
    }
}
