//! Which replica a connection goes to: route, pick or hold, connect, and the next one where one accepts none.

use std::future::poll_fn;
use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use divisi_model::spec::Affinity;
use divisi_model::tcp::{Connection, Hello};
use divisi_model::{Crowded, Failure, Lease, Moment, NoReplica, Place, Retry, Service, Slot, State, Tried, Wanted};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::error::Error;
use super::record::Record;
use crate::clock::{Elapsed, TICK, Timer};
use crate::error::Unheld;
use crate::hold::{no_place, too_long};
use crate::search::{has_left, is_of_the_replica};
use crate::worker::Worker;

/// How far the engine's word of a replica's end may be behind the end itself.
const NEWS: Duration = Duration::from_millis(100);

/// What is to be done with a connection, as its route says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// TLS is ended here, and not by the replica.
    pub(super) ends_tls: bool,
    /// How long it may go on when the port is closed.
    pub(super) drain: Duration,
}

/// What one connection has behind it in its search for a replica.
pub(super) struct Search<'a> {
    worker: &'a Worker,
    client: &'a TcpStream,
    timer: &'a Timer,
    hello: Option<Hello<'a>>,
    home: Option<(Slot, Arc<State>)>,
    course: Course,
    wanted: Wanted,
    tried: Tried,
    /// The next attempt, as drawn from the budget; None where it costs nothing.
    retry: Option<Retry>,
}

impl<'a> Search<'a> {
    pub(super) fn new(worker: &'a Worker, client: &'a TcpStream, timer: &'a Timer, hello: Option<Hello<'a>>) -> Self {
        let course = Course { ends_tls: false, drain: Duration::ZERO };
        let (home, wanted, tried, retry) = (None, Wanted::Any, Tried::NONE, None);
        Self { worker, client, timer, hello, home, course, wanted, tried, retry }
    }

    /// A connection to a replica, whose lease is in the record. The client has been sent nothing, and nothing of it was used.
    pub(super) async fn replica(&mut self, record: &mut Record<'_>) -> Result<(TcpStream, Course), Error> {
        let mut next = Some(self.first(record)?);
        loop {
            let picked = match next.take() {
                Some(picked) => picked,
                None => self.pick(record)?,
            };
            let lease = match picked {
                Ok(lease) => lease,
                Err(NoReplica::Tried) => {
                    // The failed ones may be ending, of which the engine tells some milliseconds later.
                    sleep(NEWS).await;
                    self.tried = Tried::NONE;
                    match self.pick(record)? {
                        Ok(lease) => lease,
                        Err(_) => self.hold(record).await?,
                    }
                }
                Err(NoReplica::NoneReady | NoReplica::Busy) => self.hold(record).await?,
            };
            self.retry.take().into_iter().for_each(Retry::make);
            match self.connect(lease, record).await {
                Ok(stream) => return Ok((stream, self.course)),
                Err(error) if usize::from(record.attempts) >= Tried::MOST => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, "trying another replica");
                    next = self.afford(record)?;
                }
            }
        }
    }

    /// A pick in the world as it is now; who comes anew stands behind those who wait already.
    fn first(&mut self, record: &mut Record<'_>) -> Result<Result<Lease, NoReplica>, Error> {
        self.at_home(record, |service, search| {
            if service.state().waiting() > 0 {
                return Err(NoReplica::Busy);
            }
            service.pick(&search.tried, search.wanted, Moment::now())
        })
    }

    fn pick(&mut self, record: &mut Record<'_>) -> Result<Result<Lease, NoReplica>, Error> {
        self.at_home(record, |service, search| service.pick(&search.tried, search.wanted, Moment::now()))
    }

    /// A replica has accepted no connection. Where the budget has no more attempts, the next one waits in the line, where waiting
    /// costs nobody anything.
    fn afford(&mut self, record: &mut Record<'_>) -> Result<Option<Result<Lease, NoReplica>>, Error> {
        let replica = record.leave();
        if let Some(replica) = &replica {
            self.tried.add(replica.id());
        }
        let has_left = replica.is_some_and(|replica| has_left(&replica));
        self.retry = if has_left { None } else { self.at_home(record, |service, _| service.retry(Moment::now()))? };
        let may = has_left || self.retry.is_some();
        if !may {
            self.tried = Tried::NONE;
        }
        Ok((!may).then_some(Err(NoReplica::Busy)))
    }

    /// Does something with the service as it is now. While no replica has the connection it is routed anew when its service is
    /// gone, as if it came only then.
    fn at_home<R>(&mut self, record: &mut Record<'_>, then: impl FnOnce(&Service, &Self) -> R) -> Result<R, Error> {
        let snapshot = self.worker.published.load();
        let same = self
            .home
            .as_ref()
            .and_then(|(slot, state)| snapshot.service(*slot).filter(|service| Arc::ptr_eq(service.state(), state)));
        if let Some(service) = same {
            return Ok(then(service, self));
        }
        let nowhere = || Error::NoRoute { port: record.port, server_name: record.server_name.clone() };
        let connection = Connection { client: record.client, hello: self.hello };
        let port = snapshot.ports().get(record.port).ok_or_else(nowhere)?;
        // Its routes may have changed since it was asked whether the first bytes count.
        let route = port.find(&connection).ok_or_else(nowhere)?;
        let way = route.way();
        let service = snapshot.service(way.slot).ok_or_else(nowhere)?;
        record.state = Some(Arc::clone(service.state()));
        if let Some(why) = &way.closed {
            return Err(Error::Closed(Arc::clone(why)));
        }
        let crowded = |Crowded { limit }| Error::Crowded { name: service.name().to_owned(), limit };
        record.entry = Some(service.enter().map_err(crowded)?);
        self.home = Some((way.slot, Arc::clone(service.state())));
        self.course = Course { ends_tls: self.hello.is_some() && !way.passes_tls, drain: service.spec().drain };
        self.wanted = wanted(service, record.client);
        self.tried = Tried::NONE;
        Ok(then(service, self))
    }

    /// Waits in the line of the service until a replica can be had.
    async fn hold(&mut self, record: &mut Record<'_>) -> Result<Lease, Error> {
        let since = Moment::now();
        let (mut place, mut limits) = self.join(record)?;
        self.timer.hold(limits.time);
        let mut why = NoReplica::NoneReady;
        loop {
            let woken = self.timer.limit(called(&place, self.client)).await;
            record.held = Some(Moment::now().since(since));
            match woken {
                Ok(Woken::Called) => {}
                Ok(Woken::ClientLeft) => return Err(Error::ClientLeft),
                Err(Elapsed) if self.worker.clock.is_stopping() => return Err(Error::Unheld(Unheld::Stopping)),
                Err(Elapsed) => {
                    let late = self.at_home(record, |service, _| too_long(service, why, limits.time))?;
                    return Err(Error::Unheld(late));
                }
            }
            match self.pick(record)? {
                Ok(lease) => {
                    place.serve();
                    return Ok(lease);
                }
                Err(none) => why = none,
            }
            if self.at_home(record, |service, _| place.is_of(service.state()))? {
                place.wait_on();
            } else {
                // The time goes on: it is the client's, and not the service's.
                (place, limits) = self.join(record)?;
            }
        }
    }

    fn join(&mut self, record: &mut Record<'_>) -> Result<(Place, divisi_model::spec::HoldLimits), Error> {
        self.at_home(record, |service, _| {
            let limits = service.spec().hold.clone();
            match service.join() {
                Ok(place) => Ok((place, limits)),
                Err(why) => Err(Error::Unheld(no_place(service, why, &limits))),
            }
        })?
    }

    async fn connect(&self, lease: Lease, record: &mut Record<'_>) -> Result<TcpStream, Error> {
        let (begun, addr) = (Moment::now(), lease.replica().addr());
        let lease = record.lease.insert(lease);
        record.attempts = record.attempts.saturating_add(1);
        self.timer.arm(self.worker.settings.limits.connect_timeout);
        let error = match self.timer.limit(TcpStream::connect(addr)).await {
            Ok(Ok(stream)) => {
                let now = Moment::now();
                // That it accepts is all the answer that there is.
                lease.answered(true, now);
                record.connect = Some(now.since(begun));
                // Fails only where the replica has hung up already, which is seen soon enough.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => Error::Connect(error),
            Err(Elapsed) => Error::ConnectTimeout,
        };
        let is_ours = matches!(&error, Error::Connect(cause) if !is_of_the_replica(cause.kind()));
        if !is_ours && lease.failed(Failure::Refused, Moment::now()) {
            self.worker.published.alarm().raise(lease.replica());
        }
        Err(error)
    }
}

/// What woke one who waits.
enum Woken {
    Called,
    ClientLeft,
}

/// Waits to be called, or for the client to leave.
async fn called(place: &Place, client: &TcpStream) -> Woken {
    tokio::select! {
        biased;
        () = poll_fn(|context| place.poll_called(context)) => Woken::Called,
        () = gone(client) => Woken::ClientLeft,
    }
}

/// Waits for the client to leave. What it sends stays with the kernel, which says from then on that there is something to read;
/// so whoever has sent something is looked at from time to time.
async fn gone(client: &TcpStream) {
    loop {
        match client.ready(Interest::READABLE).await {
            Ok(ready) if ready.is_read_closed() && is_gone(client) => return,
            Ok(_) => sleep(TICK).await,
            Err(_) => return,
        }
    }
}

/// The replica that gets all connections of a client, where the service wants that: nothing else is known of it here.
fn wanted(service: &Service, client: IpAddr) -> Wanted {
    if service.spec().affinity == Affinity::None {
        return Wanted::Any;
    }
    let mut hasher = DefaultHasher::new();
    // As text, so that the same client comes to the same replica by HTTP.
    hasher.write(client.to_string().as_bytes());
    Wanted::Hash(hasher.finish())
}

/// Whether a client whose side has ended is gone. One that has sent something before may still wait for what comes back.
fn is_gone(client: &TcpStream) -> bool {
    let peeked = SockRef::from(client).peek(&mut [MaybeUninit::uninit()]);
    match peeked {
        // A reset leaves what had come before it to be read.
        Ok(count) => count == 0 || matches!(client.take_error(), Ok(Some(_)) | Err(_)),
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}
