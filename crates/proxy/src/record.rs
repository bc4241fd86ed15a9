//! What became of each exchange. Every accepted request gives exactly one record, whatever happens to it.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use divisi_http1::RequestHead;
use divisi_model::{Lease, Moment, Replica, State};

use crate::access_log::Entry;
use crate::identity::Identity;
use crate::tally::Outcome;
use crate::worker::Worker;

/// Numbers that both directions of an exchange write while it goes on.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// How long it took to connect to the replica; None on a connection that there was already.
    pub(crate) connect: Cell<Option<Duration>>,
    /// When the head of the final response had come.
    first_byte: Cell<Option<Moment>>,
    /// Nothing was waited for since then.
    at_once: Cell<bool>,
    /// When the response had gone.
    ended: Cell<Option<Moment>>,
    /// Bytes of the client's request, and of the tunnel after it.
    pub(crate) received: Cell<u64>,
    /// Bytes that went to the client.
    pub(crate) sent: Cell<u64>,
    /// Those among them that are of the response's body, without its framing.
    pub(crate) body: Cell<u64>,
}

impl Marks {
    /// The marks of a request of which so many bytes have come.
    pub(crate) fn begin(bytes: usize) -> Self {
        let marks = Self::default();
        marks.received.set(bytes as u64);
        marks
    }

    /// The head of the final response has come.
    pub(crate) fn note_head(&self, now: Moment) {
        self.first_byte.set(Some(now));
        self.at_once.set(true);
    }

    /// The exchange has waited for something.
    pub(crate) fn note_wait(&self) {
        self.at_once.set(false);
    }

    /// The response has gone: when. What came with its head and went at once did so in the same moment, and the clock is not read again.
    pub(crate) fn note_end(&self) -> Moment {
        let now = self.first_byte.get().filter(|_| self.at_once.get()).unwrap_or_else(Moment::now);
        self.ended.set(Some(now));
        now
    }
}

/// One exchange as it goes on; counted and logged when it is dropped, and so exactly once.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) identity: &'a Identity,
    /// None where the client sent something else.
    request: Option<&'a RequestHead>,
    /// What it sent instead.
    unread: &'a [u8],
    client: IpAddr,
    since: Moment,
    /// The replica that the request is at, counted in flight as long as this lives.
    pub(crate) lease: Option<Lease>,
    /// The one at which it failed last.
    last: Option<Arc<Replica>>,
    /// What its service keeps. Not known from here while a replica says it, which saves every request a shared count.
    state: Option<Arc<State>>,
    /// The status that the client got; 0 for none.
    pub(crate) status: u16,
    /// How often it was sent to a replica.
    pub(crate) attempts: u16,
    /// How long the request waited for a replica, if it did.
    pub(crate) held: Option<Duration>,
    /// The response was begun and broken off.
    pub(crate) broken: bool,
    /// Why divisi answered itself, or broke the response off.
    pub(crate) reason: Option<String>,
    pub(crate) marks: &'a Marks,
}

impl<'a> Record<'a> {
    /// The record of a request.
    pub(crate) fn begin(
        worker: &'a Worker,
        identity: &'a Identity,
        request: &'a RequestHead,
        marks: &'a Marks,
    ) -> Self {
        let client = identity.client(request, &worker.settings);
        let mut record = Self::of_none(worker, identity, &[], marks);
        (record.request, record.client) = (Some(request), client);
        record
    }

    /// The record of something that is no request.
    pub(crate) fn of_none(worker: &'a Worker, identity: &'a Identity, unread: &'a [u8], marks: &'a Marks) -> Self {
        Self {
            worker,
            identity,
            request: None,
            unread,
            client: identity.peer(),
            since: Moment::now(),
            lease: None,
            last: None,
            state: None,
            status: 0,
            attempts: 0,
            held: None,
            broken: false,
            reason: None,
            marks,
        }
    }

    /// Who asks.
    pub(crate) fn client(&self) -> IpAddr {
        self.client
    }

    /// When the request's head had come.
    pub(crate) fn since(&self) -> Moment {
        self.since
    }

    /// The service of the request, where no replica says it.
    pub(crate) fn belongs_to(&mut self, state: &Arc<State>) {
        self.last = None;
        self.state = Some(Arc::clone(state));
    }

    /// The request is at no replica any more and waits for another: none of those that it was at is what becomes of it.
    pub(crate) fn waits(&mut self) {
        if let Some(replica) = self.last.take() {
            self.belongs_to(replica.state());
        }
    }

    /// The request has failed at its replica, which is not counted as busy with it any more.
    pub(crate) fn leave(&mut self) -> Option<Arc<Replica>> {
        let lease = self.lease.take()?;
        Some(Arc::clone(self.last.insert(Arc::clone(lease.replica()))))
    }

    /// What its service is called.
    pub(crate) fn service(&self) -> String {
        let state = self.replica().map(|replica| replica.state()).or(self.state.as_ref());
        state.map(|state| state.name().service.as_ref().to_owned()).unwrap_or_default()
    }

    fn replica(&self) -> Option<&Arc<Replica>> {
        self.lease.as_ref().map(Lease::replica).or(self.last.as_ref())
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        let now = self.marks.ended.get().unwrap_or_else(Moment::now);
        let retries = u64::from(self.attempts.saturating_sub(1));
        let (received, sent) = (self.marks.received.get(), self.marks.sent.get());
        let Self { status, held, broken, .. } = *self;
        self.worker.tally.count(&Outcome { status, retries, held, broken, received, sent });
        let replica = self.replica();
        let state = replica.map(|replica| replica.state()).or(self.state.as_ref());
        let first_byte = self.marks.first_byte.get().map(|at| at.since(self.since));
        let total = now.since(self.since);
        if let Some(state) = state {
            replica.map_or_else(|| state.meter(), |replica| replica.meter()).count(status);
            // A tunnel lasts as long as people talk; what can be quick or slow about it is the way there.
            state.durations().count(if status == 101 { first_byte.unwrap_or(total) } else { total });
            if retries > 0 {
                state.count_retries(retries);
            }
            if let Some(held) = held {
                state.count_held(held);
            }
        }
        if let Some(journal) = &self.worker.journal {
            journal.write(&Entry {
                client: self.client,
                address: Some(self.identity.address()).filter(|_| self.client == self.identity.peer()),
                request: self.request,
                speech: self.identity.speech,
                unread: self.unread,
                since: self.since,
                status,
                body: self.marks.body.get(),
                service: state.map(|state| state.name()),
                replica: replica.map(|replica| &**replica),
                attempts: self.attempts,
                held,
                connect: self.marks.connect.get(),
                first_byte,
                total,
                received,
                sent,
                reason: self.reason.as_deref(),
            });
        }
    }
}
