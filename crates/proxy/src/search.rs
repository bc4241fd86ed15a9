//! Which replica a request goes to, attempt after attempt: pick, retry, hold.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use divisi_http1::RequestHead;
use divisi_model::route::Rewritten;
use divisi_model::{
    Crowded, Entry, Failure, Health, Lease, Moment, NoReplica, Readiness, Replica, Retry, Service, Slot, Snapshot,
    State, Tried, Wanted,
};
use tokio::time::sleep;

use crate::affinity::{self, Cookie, Tie};
use crate::body::Source;
use crate::clock::Timer;
use crate::error::{Error, Fault};
use crate::forward::Failed;
use crate::hold;
use crate::identity::Identity;
use crate::keep::Keeper;
use crate::record::Record;
use crate::route::{self, Passage, Paths};
use crate::worker::Worker;

/// How far the engine's word of a replica's end may be behind the end itself.
const NEWS: Duration = Duration::from_millis(100);

/// How often one whose retry is beyond the budget looks whether it may go on after all, [`NEWS`] apart.
const LOOKS: u32 = 10;

/// What one request has behind it in its search for a replica.
pub(crate) struct Search<'a> {
    pub(crate) worker: &'a Worker,
    request: &'a RequestHead,
    identity: &'a Identity,
    paths: &'a mut Paths,
    home: Home,
    /// What is done to the request on its way to the service.
    pub(crate) passage: Passage,
    /// It is counted as one of the service.
    entry: Option<Entry>,
    wanted: Wanted,
    /// What ties the client to its replica, if it is tied; None where the answer knows it.
    pub(crate) cookie: Option<Option<Cookie>>,
    /// What the first pick came to.
    first: Option<Result<Lease, NoReplica>>,
    /// The replicas that it was sent to, in the world as it was then.
    tried: Tried,
    attempts: usize,
    /// A replica may have acted on it.
    was_sent: bool,
    /// How the last attempt failed.
    last: Option<Error>,
    /// A connection from the pool has just failed: the same replica may get the request on a new one.
    pub(crate) fresh: bool,
    /// The next attempt, as drawn from the budget; None where it costs nothing.
    pub(crate) retry: Option<Retry>,
    /// The budget has no more attempts at the moment.
    overdrawn: bool,
}

/// The service of a request: where it stands, and what tells it from another one that may stand there later. The address is
/// only compared; the request's record keeps what is there from being another's, by the replica or by itself.
#[derive(Clone, Copy)]
struct Home {
    slot: Slot,
    state: *const State,
}

impl Home {
    const NONE: Self = Self { slot: Slot(usize::MAX), state: std::ptr::null() };

    fn of(service: &Service, slot: Slot) -> Self {
        Self { slot, state: Arc::as_ptr(service.state()) }
    }

    /// The service as it is now, unless it is gone.
    fn find(self, snapshot: &Snapshot) -> Option<&Arc<Service>> {
        snapshot.service(self.slot).filter(|service| Arc::as_ptr(service.state()) == self.state)
    }
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        worker: &'a Worker,
        request: &'a RequestHead,
        identity: &'a Identity,
        paths: &'a mut Paths,
    ) -> Self {
        Self {
            worker,
            request,
            identity,
            paths,
            home: Home::NONE,
            passage: Passage::default(),
            entry: None,
            wanted: Wanted::Any,
            cookie: None,
            first: None,
            tried: Tried::NONE,
            attempts: 0,
            was_sent: false,
            last: None,
            fresh: false,
            retry: None,
            overdrawn: false,
        }
    }

    /// Begins with a route and a pick in the world as it is now.
    pub(crate) fn begin(&mut self, record: &mut Record<'_>) -> Result<(), Error> {
        let snapshot = self.worker.published.load();
        let service = self.settle(&snapshot, record)?;
        // Whoever comes anew stands behind those who wait already.
        let waits = service.state().waiting() > 0;
        let first = if waits { Err(NoReplica::Busy) } else { service.pick(&self.tried, self.wanted, record.since()) };
        if first.is_err() {
            record.belongs_to(service.state());
        }
        self.first = Some(first);
        Ok(())
    }

    /// Finds the service of the request and makes the request one of its own.
    fn settle<'s>(&mut self, snapshot: &'s Snapshot, record: &mut Record<'_>) -> Result<&'s Arc<Service>, Error> {
        let (service, slot, passage) = route::find(snapshot, self.request, self.paths, record)?;
        let entry = service.enter().map_err(|Crowded { limit }| {
            record.belongs_to(service.state());
            Error::Crowded { name: service.name().into(), limit }
        })?;
        let Tie { wanted, cookie } = affinity::of(service, self.request, self.identity.address());
        (self.home, self.passage, self.entry) = (Home::of(service, slot), passage, Some(entry));
        (self.wanted, self.cookie, self.tried) = (wanted, Some(cookie), Tried::NONE);
        Ok(service)
    }

    /// Does something with the service as it is now. If it is gone, a request that no replica has seen begins anew, as if it came
    /// only now: at the start of the program all of them wait for a service that stands in for those not heard of yet.
    ///
    /// # Errors
    /// The service is gone, and the request with it.
    pub(crate) fn at_home<R>(
        &mut self,
        record: &mut Record<'_>,
        then: impl FnOnce(&Service, &Self) -> R,
    ) -> Result<R, Error> {
        let snapshot = self.worker.published.load();
        let service = match self.home.find(&snapshot) {
            Some(service) => service,
            None => {
                let gone = || Error::Gone(record.service());
                if self.was_sent {
                    return Err(gone());
                }
                let gone = gone();
                let service = self.settle(&snapshot, record).map_err(|error| match error {
                    // Who was told to wait is not told that there was nothing to wait for.
                    Error::NotFound(_) => gone,
                    error => error,
                })?;
                record.belongs_to(service.state());
                service
            }
        };
        Ok(then(service, self))
    }

    /// The path that stands in the place of the client's, if one does.
    pub(crate) fn path(&self) -> Option<&Rewritten> {
        self.passage.rewrites.then(|| self.paths.rewritten())
    }

    /// The replica for the next attempt; waits for one where there is none.
    pub(crate) async fn replica<S: Source>(
        &mut self,
        body: &mut Keeper<'_, S>,
        timer: &Timer,
        record: &mut Record<'_>,
    ) -> Result<Lease, Error> {
        if !std::mem::take(&mut self.overdrawn) {
            let first = self.first.take();
            let picked = match first {
                Some(first) => first,
                None => self.pick(record)?,
            };
            match picked {
                Ok(lease) => return Ok(lease),
                Err(NoReplica::Tried) => {
                    if let Some(lease) = self.look_again(record).await? {
                        return Ok(lease);
                    }
                }
                Err(NoReplica::NoneReady | NoReplica::Busy) => {}
            }
        }
        self.tried = Tried::NONE;
        hold::wait(self, body.body, timer, record).await
    }

    /// Picks in the world as it is now. A retry comes after a failure, which often is the first sign that the world has changed,
    /// so it looks again; within one attempt nothing changes.
    pub(crate) fn pick(&mut self, record: &mut Record<'_>) -> Result<Result<Lease, NoReplica>, Error> {
        self.at_home(record, |service, search| service.pick(&search.tried, search.wanted, Moment::now()))
    }

    /// Every replica that is there has failed. Their failure is the answer, unless they turn out to be ending: a replica hangs up
    /// some milliseconds before the engine says so. One that refuses is asked anew, for it has got nothing so far.
    async fn look_again(&mut self, record: &mut Record<'_>) -> Result<Option<Lease>, Error> {
        sleep(NEWS).await;
        let got_nothing = self.last.as_ref().is_some_and(Error::nothing_sent);
        if got_nothing {
            self.tried = Tried::NONE;
        }
        match self.pick(record)? {
            Ok(lease) => Ok(Some(lease)),
            Err(NoReplica::NoneReady | NoReplica::Busy) => Ok(None),
            Err(NoReplica::Tried) => Err(self.last.take().unwrap_or(Error::Unanswered { in_order: true })),
        }
    }

    /// An attempt has failed: notes what that says about the replica, and whether there may be another attempt.
    ///
    /// # Errors
    /// The failure, where it is final.
    pub(crate) async fn failed<S: Source>(
        &mut self,
        failed: Failed,
        body: &mut Keeper<'_, S>,
        begun: &Cell<bool>,
        record: &mut Record<'_>,
    ) -> Result<(), Error> {
        let Failed { error, reused } = failed;
        // A connection from the pool may have been closed before the request came: the replica itself is not to blame.
        let was_stale = reused && error.is_unanswered();
        self.attempts += 1;
        let is_final = !self.may_retry(&error, body, begun);
        // Where there is no second attempt nobody will ever know; but a request that was received deserved an answer.
        if !was_stale || is_final && !matches!(error, Error::Unreceived) {
            record.lease.iter().for_each(|lease| report(self.worker, lease, &error));
        }
        let replica = record.leave();
        if is_final {
            return Err(error);
        }
        self.was_sent |= !error.nothing_sent();
        self.fresh = was_stale;
        if !was_stale && let Some(replica) = replica {
            self.tried.add(replica.id());
            // What has cost the replica nothing may wait in the line, where waiting costs nothing either.
            self.overdrawn = !self.afford(&replica, if error.nothing_sent() { 1 } else { LOOKS }, record).await?;
            if self.overdrawn && !error.nothing_sent() {
                return Err(error);
            }
        }
        body.rewind();
        self.last = Some(error);
        Ok(())
    }

    /// Whether there may be one more attempt. The budget keeps retries from adding to an overload; a replica that has left is none,
    /// and its requests belong elsewhere, however many they are. That it has left may be known a moment later.
    async fn afford(&mut self, replica: &Replica, looks: u32, record: &mut Record<'_>) -> Result<bool, Error> {
        for look in 1..=looks {
            if has_left(replica) {
                return Ok(true);
            }
            self.retry = self.at_home(record, |service, _| service.retry(Moment::now()))?;
            if self.retry.is_some() {
                return Ok(true);
            }
            if look < looks {
                sleep(NEWS).await;
            }
        }
        Ok(false)
    }

    /// RFC 9110 9.2.2: what may have been acted upon is repeated only where repeating changes nothing; and only while the client
    /// has seen nothing of a response and the whole request can still be had.
    fn may_retry<S: Source>(&self, error: &Error, body: &Keeper<'_, S>, begun: &Cell<bool>) -> bool {
        // One that took too long once may well do so again: two such waits are enough.
        let too_slow = error.is_reply_timeout() && !self.last.as_ref().is_some_and(Error::is_reply_timeout);
        let unacted = error.nothing_sent() || self.request.is_idempotent() && (error.is_unanswered() || too_slow);
        unacted && self.attempts < Tried::MOST && body.can_rewind() && !begun.get()
    }
}

/// Whether a replica is known to end, or to be away.
pub(crate) fn has_left(replica: &Replica) -> bool {
    matches!(replica.readiness(), Readiness::Draining | Readiness::Gone) || replica.health() == Health::Down
}

/// What a failed attempt says about its replica.
fn report(worker: &Worker, lease: &Lease, error: &Error) {
    let failure = match error {
        Error::Connect(cause) if !is_of_the_replica(cause.kind()) => return,
        Error::Connect(_) | Error::ConnectTimeout => Failure::Refused,
        Error::CutOff => return,
        error if error.fault() == Fault::Upstream => Failure::Other,
        _ => return,
    };
    if lease.failed(failure, Moment::now()) {
        worker.published.alarm().raise(lease.replica());
    }
}

/// Whether a connection could not be made because of the replica, and not for want of ports or descriptors of our own.
pub(crate) fn is_of_the_replica(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut,
    };
    matches!(
        kind,
        ConnectionAborted | ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable | TimedOut
    )
}
