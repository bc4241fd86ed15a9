//! A container of a service, and the lease that counts a request in flight.

use std::cell::Cell;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::card::Card;
use crate::latency::Latency;
use crate::meter::Meter;
use crate::moment::Moment;
use crate::spec::{EjectionRules, Spec};
use crate::speech::Speech;
use crate::state::State;

/// Names a replica for as long as the program runs; never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplicaId(u64);

impl ReplicaId {
    /// Nobody's name.
    pub(crate) const NONE: Self = Self(0);

    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// A name for tests.
    #[cfg(test)]
    pub(crate) fn numbered(number: u64) -> Self {
        Self(number)
    }

    /// The number behind the name, for tables keyed by it.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Whether a replica may get requests, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Readiness {
    /// Its container runs, but nothing says yet that it can answer.
    Starting,
    /// It gets requests.
    Ready,
    /// Its HEALTHCHECK says that it cannot answer.
    Unhealthy,
    /// Frozen by `docker pause`.
    Paused,
    /// Its stop has begun: no new requests, those in flight finish.
    Draining,
    /// Its container has ended.
    Gone,
}

impl Readiness {
    const ALL: [Self; 6] = [Self::Starting, Self::Ready, Self::Unhealthy, Self::Paused, Self::Draining, Self::Gone];

    fn from_u8(byte: u8) -> Self {
        Self::ALL.get(usize::from(byte)).copied().unwrap_or(Self::Gone)
    }
}

/// Whether a replica does its work, as far as its answers show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// Nothing is known against it.
    Up,
    /// It refused a connection, a check says that it cannot answer, or no check has said yet that it can. It gets no requests.
    Down,
    /// Requests failed at it, one after the other. It gets no requests, unless most others have failed as well.
    Ejected,
}

impl Health {
    fn from_u8(byte: u8) -> Self {
        match byte {
            0 => Self::Up,
            2 => Self::Ejected,
            _ => Self::Down,
        }
    }
}

/// How many good answers make up for a failure: a replica that fails every second request is bad, too, and would never fail five
/// times in a row for long.
const FAILURE: u32 = 2;

/// Why a request failed at a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It accepts no connections. That is no accident: nobody is there.
    Refused,
    /// Anything else: no answer, none in time, a bad one, a 5xx.
    Other,
}

/// A container of a service, at one address.
///
/// The same replica keeps its `Arc` from snapshot to snapshot, and with it its count in flight and what is known of it.
#[derive(Debug)]
pub struct Replica {
    id: ReplicaId,
    card: Card,
    addr: SocketAddr,
    /// `ip:port` as text, because response headers and `Host` want it on every request.
    authority: String,
    /// What the service keeps.
    state: Arc<State>,
    readiness: AtomicU8,
    health: AtomicU8,
    in_flight: AtomicUsize,
    latency: Latency,
    /// Failed requests, each [`FAILURE`], that have not been made up for by good ones, each 1.
    failures: AtomicU32,
    /// How often it was ejected in a row.
    ejections: AtomicU32,
    /// It is down because it refused a connection.
    refused: AtomicBool,
    /// When it was ejected last, and when it came back.
    ejected_at: AtomicU64,
    readmitted_at: AtomicU64,
    /// When it became ready.
    fresh_at: AtomicU64,
    /// When its readiness or health last became another one.
    changed_at: AtomicU64,
    /// When what still goes on at it is cut off.
    cut_at: AtomicU64,
    meter: Meter,
}

impl Replica {
    /// A replica of the service that keeps `state`. One that is to be checked is [`Health::Down`] until it was.
    pub(crate) fn new(
        state: &Arc<State>,
        card: Card,
        addr: SocketAddr,
        readiness: Readiness,
        health: Health,
    ) -> Arc<Self> {
        let mut authority = String::with_capacity("255.255.255.255:65535".len());
        // Writing to memory does not fail.
        let _ = write!(authority, "{addr}");
        Arc::new(Self {
            id: ReplicaId::next(),
            card,
            addr,
            authority,
            state: Arc::clone(state),
            readiness: AtomicU8::new(readiness as u8),
            health: AtomicU8::new(health as u8),
            in_flight: AtomicUsize::new(0),
            latency: Latency::default(),
            failures: AtomicU32::new(0),
            ejections: AtomicU32::new(0),
            refused: AtomicBool::new(false),
            ejected_at: AtomicU64::new(0),
            readmitted_at: AtomicU64::new(0),
            fresh_at: AtomicU64::new(0),
            changed_at: AtomicU64::new(Moment::now().as_nanos()),
            cut_at: AtomicU64::new(u64::MAX),
            meter: Meter::default(),
        })
    }

    /// Its name in tables of ours.
    #[inline]
    pub fn id(&self) -> ReplicaId {
        self.id
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.card.name
    }

    /// Its number among the replicas of its service.
    pub fn number(&self) -> u32 {
        self.card.number
    }

    /// What a client's cookie says to come back to it.
    #[inline]
    pub fn token(&self) -> &str {
        &self.card.token
    }

    /// How it is spoken to.
    #[inline]
    pub fn speech(&self) -> &Arc<Speech> {
        &self.card.speech
    }

    /// What its service keeps.
    #[inline]
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Requests that it answered, and those at which it failed for good.
    #[inline]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Where it listens.
    #[inline]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it listens, as `ip:port`.
    #[inline]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether it may get requests now.
    #[inline]
    pub fn readiness(&self) -> Readiness {
        Readiness::from_u8(self.readiness.load(Ordering::SeqCst))
    }

    /// Changes whether it may get requests; returns what it was. From the moment in which anything but
    /// [`Readiness::Ready`] is set no new lease is given, and [`in_flight`](Self::in_flight) counts every one given before.
    pub fn set_readiness(&self, next: Readiness, now: Moment) -> Readiness {
        let was = Readiness::from_u8(self.readiness.swap(next as u8, Ordering::SeqCst));
        if next == Readiness::Ready && was != Readiness::Ready {
            self.fresh_at.store(now.as_nanos(), Ordering::Relaxed);
        }
        if next != was {
            self.changed_at.store(now.as_nanos(), Ordering::Relaxed);
        }
        was
    }

    /// Since when its readiness and health are what they are: for people.
    pub fn changed_at(&self) -> Moment {
        Moment::from_nanos(self.changed_at.load(Ordering::Relaxed))
    }

    /// Whether it does its work, as far as its answers show.
    #[inline]
    pub fn health(&self) -> Health {
        Health::from_u8(self.health.load(Ordering::SeqCst))
    }

    /// What is known of it changes, unless somebody changed it before. Those who wait for a replica hear of it.
    pub fn change_health(&self, from: Health, to: Health) -> bool {
        self.state.change_health(self, from, to, || self.refused.store(false, Ordering::Relaxed))
    }

    /// For the service, which lets only one at a time change it.
    pub(crate) fn set_health(&self, next: Health) {
        self.health.store(next as u8, Ordering::SeqCst);
        self.changed_at.store(Moment::now().as_nanos(), Ordering::Relaxed);
    }

    /// Requests that hold a lease on it now.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// How long it took to answer of late; None before its first answer.
    pub fn latency(&self) -> Option<Duration> {
        self.latency.last()
    }

    /// When what still goes on at it is cut off. Of use with a readiness that gives no new leases.
    pub fn set_cut(&self, at: Option<Moment>) {
        self.cut_at.store(at.map_or(u64::MAX, Moment::as_nanos), Ordering::Relaxed);
    }

    /// Whether what still goes on at it is to be cut off.
    #[inline]
    pub fn is_cut(&self, now: Moment) -> bool {
        self.cut_at.load(Ordering::Relaxed) <= now.as_nanos()
    }

    /// What one more request would cost here, to be compared with the same of another replica.
    ///
    /// In-flight requests times expected time, over the weight. A replica that is fresh counts each of its requests several
    /// times, and ever fewer, until `slow_start` is over. `latency` is false where one of the two has none to compare.
    pub(crate) fn cost(&self, latency: Option<f32>, slow_start: Duration, now: Moment) -> f32 {
        let in_flight = self.in_flight() as f32;
        let crowd = if in_flight == 0.0 { 0.0 } else { in_flight / self.share(slow_start, now) };
        latency.unwrap_or(1.0) * (crowd + 1.0) / self.weight()
    }

    /// When it became ready.
    pub fn fresh_at(&self) -> Moment {
        Moment::from_nanos(self.fresh_at.load(Ordering::Relaxed))
    }

    pub(crate) fn estimate(&self, now: Moment) -> Option<f32> {
        self.latency.estimate(now)
    }

    pub(crate) fn weight(&self) -> f32 {
        self.card.weight as f32
    }

    /// How much of the turns it should take, with the greatest weight of all as the whole.
    pub(crate) fn turns(&self, slow_start: Duration, now: Moment) -> f32 {
        if self.in_flight() == 0 { self.weight() } else { self.weight() * self.share(slow_start, now) }
    }

    /// The part of its full share that a fresh replica gets: from a tenth up to all. Fresh is who was ready for a shorter time
    /// than others: where all have just begun, all are alike.
    fn share(&self, slow_start: Duration, now: Moment) -> f32 {
        let age = now.since(self.fresh_at());
        let window = slow_start.min(now.since(self.state.oldest()));
        if age >= window { 1.0 } else { (age.as_secs_f32() / window.as_secs_f32()).max(0.1) }
    }

    /// A lease on it, unless it may not get requests or has `limit` already.
    ///
    /// It counts first and looks second: whoever sets another readiness and then reads the count sees this lease, or this
    /// call sees the readiness. Both operations are `SeqCst` for that reason.
    pub(crate) fn claim(self: &Arc<Self>, limit: usize, now: Moment) -> Option<Lease> {
        let before = self.in_flight.fetch_add(1, Ordering::SeqCst);
        self.latency.ask(now);
        let lease = Lease { replica: Arc::clone(self), since: now, awaited: Cell::new(true) };
        (before < limit && self.readiness() == Readiness::Ready).then_some(lease)
    }

    /// Counts a failure. Returns whether that took the replica out, so that somebody must see when it can come back.
    fn fail(&self, failure: Failure, now: Moment) -> bool {
        let spec = self.state.spec();
        let failures = self.failures.fetch_add(FAILURE, Ordering::Relaxed) + FAILURE;
        let rules = &spec.ejection;
        // Noted first: whoever sees that it is out also sees why and when.
        match failure {
            Failure::Refused => {
                let note = || self.refused.store(true, Ordering::Relaxed);
                let state = &self.state;
                state.change_health(self, Health::Up, Health::Down, note)
                    || state.change_health(self, Health::Ejected, Health::Down, note)
            }
            Failure::Other => {
                let note = || self.note_ejection(rules, now);
                let enough = rules.failures > 0 && failures >= rules.failures.saturating_mul(FAILURE);
                enough && self.state.change_health(self, Health::Up, Health::Ejected, note)
            }
        }
    }

    fn note_ejection(&self, rules: &EjectionRules, now: Moment) {
        let came_back = Moment::from_nanos(self.readmitted_at.load(Ordering::Relaxed));
        let again = now.since(came_back) < rules.most;
        let times = if again { self.ejections.load(Ordering::Relaxed) } else { 0 };
        self.ejections.store(times.saturating_add(1), Ordering::Relaxed);
        self.ejected_at.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Whether it is down because a request was refused a connection.
    pub fn has_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// From when on an ejected replica may be asked whether it can come back: after a time that doubles with each ejection.
    pub fn retry_at(&self, spec: &Spec) -> Moment {
        let ejected = Moment::from_nanos(self.ejected_at.load(Ordering::Relaxed));
        let (rules, times) = (&spec.ejection, self.ejections.load(Ordering::Relaxed));
        ejected + rules.time.saturating_mul(1 << times.saturating_sub(1).min(20)).min(rules.most)
    }

    /// It answered a probe and gets requests again; one failure takes it out again, until some requests have succeeded.
    pub fn readmit(&self, spec: &Spec, now: Moment) -> bool {
        self.failures.store(spec.ejection.failures.saturating_sub(1).saturating_mul(FAILURE), Ordering::Relaxed);
        self.readmitted_at.store(now.as_nanos(), Ordering::Relaxed);
        self.change_health(Health::Ejected, Health::Up)
    }
}

/// A picked replica, counted in flight until this is dropped, be it by success, error, cancellation or panic.
#[derive(Debug)]
pub struct Lease {
    replica: Arc<Replica>,
    since: Moment,
    /// No answer has come yet.
    awaited: Cell<bool>,
}

impl Lease {
    /// The replica that was picked.
    #[inline]
    pub fn replica(&self) -> &Arc<Replica> {
        &self.replica
    }

    /// The head of a response has come, `good` or not. Returns whether the replica was taken out for it, so that somebody
    /// must see when it can come back.
    pub fn answered(&self, good: bool, now: Moment) -> bool {
        if self.awaited.take() {
            self.replica.latency.answer(self.since, now);
        }
        if !good {
            return self.replica.fail(Failure::Other, now);
        }
        // Read first: a line that all workers write to is dear. A lost update is one good answer that does not count.
        let failures = self.replica.failures.load(Ordering::Relaxed);
        if failures > 0 {
            self.replica.failures.store(failures - 1, Ordering::Relaxed);
        }
        false
    }

    /// The request failed at the replica. Returns whether the replica was taken out for it, so that somebody must see when it
    /// can come back.
    pub fn failed(&self, failure: Failure, now: Moment) -> bool {
        self.replica.fail(failure, now)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.awaited.get() {
            self.replica.latency.give_up();
        }
        self.replica.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.replica.state.ended();
    }
}

#[cfg(test)]
mod tests;
