//! The request's way, top to bottom: one exchange from a parsed head to its record.
//!
//! ```text
//! 1 load the snapshot   2 route   3 pick   4 rewrite   5 forward   6 tunnel   7 record
//! ```
//!
//! [`Exchange::run`] is the outer half: it makes the error response and the record, whatever happens. `walk` is the inner half:
//! a straight way that any step may leave with an [`Error`]. Which HTTP the client speaks is known to the [`Source`] of its
//! body and to the [`Answer`], and nobody else.

use std::cell::Cell;

use divisi_http1::{RequestHead, ResponseHead};
use divisi_model::Retry;

use crate::answer::{Answer, Word};
use crate::body::Source;
use crate::clock::Timer;
use crate::desk::Window;
use crate::error::{Error, Fault};
use crate::forward::Attempt;
use crate::identity::Identity;
use crate::keep::Keeper;
use crate::record::{Marks, Record};
use crate::rewrite::Introduction;
use crate::route::Paths;
use crate::search::Search;
use crate::worker::Worker;

/// What has become of an exchange, as far as the client's connection is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The client has got a whole response, a replica's or ours.
    Answered,
    /// It has got a part of one, and must see that there is no more (design, invariant 8).
    BrokenOff,
    /// It has got nothing, and nobody is there to be told.
    Unanswered,
    /// HTTP was left behind, and what followed it is over.
    Switched,
}

/// One request and all that is needed to serve it.
pub(crate) struct Exchange<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) identity: &'a Identity,
    pub(crate) request: &'a RequestHead,
    pub(crate) hands: Hands<'a>,
    /// What was sent of the request's body, as long as it may have to be sent again.
    pub(crate) kept: &'a mut Vec<u8>,
    /// The client has got something of the final response.
    pub(crate) begun: &'a Cell<bool>,
    pub(crate) marks: &'a Marks,
}

/// What one exchange works with on the replica's side.
pub(crate) struct Hands<'a> {
    pub(crate) from_replica: &'a mut Window,
    pub(crate) response: &'a mut ResponseHead,
    pub(crate) to_replica: &'a mut Vec<u8>,
    pub(crate) paths: &'a mut Paths,
    pub(crate) introduction: &'a mut Introduction,
    /// Bounds what goes to the replica.
    pub(crate) upload: &'a Timer,
    /// Bounds what comes from it.
    pub(crate) reply: &'a Timer,
}

impl Exchange<'_> {
    /// Serves the request, whose body comes from `body`, whatever comes of it.
    pub(crate) async fn run<S: Source, A: Answer>(&mut self, body: &mut S, answer: &mut A) -> Ended {
        let mut record = Record::begin(self.worker, self.identity, self.request, self.marks);
        let mut body = Keeper::new(body, self.kept);
        let result = walk(&mut self.hands, self.request, self.begun, &mut body, answer, &mut record).await;
        let Err(error) = result else {
            record.status = self.hands.response.status();
            return if record.status == 101 { Ended::Switched } else { Ended::Answered };
        };
        tracing::debug!(%error, client = self.identity.address(), "an exchange failed");
        let reason = record.reason.insert(error.to_string());
        if answer.is_sent() {
            record.status = self.hands.response.status();
            record.broken = error.fault() == Fault::Upstream;
            return Ended::BrokenOff;
        }
        let Some(word) = Word::of(&error, reason) else { return Ended::Unanswered };
        let in_step = body.is_over() && error.fault() != Fault::Downstream;
        record.status = word.status;
        match answer.refuse(word, Some(self.request), in_step).await {
            Ok(()) => Ended::Answered,
            Err(_) => Ended::Unanswered,
        }
    }
}

async fn walk<S: Source, A: Answer>(
    hands: &mut Hands<'_>,
    request: &RequestHead,
    begun: &Cell<bool>,
    body: &mut Keeper<'_, S>,
    answer: &mut A,
    record: &mut Record<'_>,
) -> Result<(), Error> {
    let (worker, identity) = (record.worker, record.identity);
    // 1, 2 snapshot, route: from here on the request is counted as one of its service
    let mut search = Search::new(worker, request, identity, hands.paths);
    search.begin(record)?;
    loop {
        // 3 pick, or wait: from here on the request is counted in flight at a replica, until the record is written
        let lease = search.replica(body, hands.reply, record).await?;
        let lease = &*record.lease.insert(lease);
        record.attempts += 1;
        search.retry.take().into_iter().for_each(Retry::make);
        if let Some(cookie) = search.cookie.take() {
            answer.tie(cookie);
        }
        answer.protect(search.passage.hsts.clone());
        // 4 to 6 rewrite, forward, tunnel
        let mut attempt = Attempt {
            worker,
            lease,
            request,
            identity,
            buffer: &mut *hands.from_replica,
            response: &mut *hands.response,
            pending: &mut *hands.to_replica,
            introduction: &mut *hands.introduction,
            upload: hands.upload,
            reply: hands.reply,
            begun,
            fresh: search.fresh,
            marks: record.marks,
            path: search.path(),
            hides_host: search.passage.hides_host,
        };
        let Err(failed) = attempt.run(body, answer).await else { return Ok(()) };
        search.failed(failed, body, begun, record).await?;
    }
}
