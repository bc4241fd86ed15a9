//! A Compose service: its ready replicas and how to pick among them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::candidates::Candidates;
use crate::card::Card;
use crate::hold::Place;
use crate::moment::Moment;
use crate::policy::affinity;
use crate::replica::{Health, Lease, Readiness, Replica};
use crate::spec::{Question, Spec};
use crate::state::{Name, State};
use crate::tried::Tried;

/// A service and the replicas that may get its requests, at one moment.
#[derive(Clone, Debug)]
pub struct Service {
    spec: Arc<Spec>,
    /// By number.
    ready: Arc<[Arc<Replica>]>,
    /// All that run or ran until lately, by number.
    expected: Arc<[u32]>,
    known: usize,
    /// The greatest weight among the ready ones.
    heaviest: f32,
    forgotten: bool,
    state: Arc<State>,
}

/// Which replica a request wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Any.
    #[default]
    Any,
    /// The one with that number, or any if that cannot be had.
    Number(u32),
    /// The same as all requests with this hash.
    Hash(u64),
}

impl Service {
    /// A service without replicas that begins with nothing behind it.
    pub fn new(name: impl Into<Arc<str>>, spec: Spec) -> Self {
        Self::of(Name { project: Arc::default(), service: name.into() }, spec)
    }

    /// The same for one of a Compose project.
    pub fn of(name: Name, spec: Spec) -> Self {
        let service = Self {
            spec: Arc::default(),
            ready: Arc::default(),
            expected: Arc::default(),
            known: 0,
            heaviest: 1.0,
            forgotten: false,
            state: Arc::new(State::new(name)),
        };
        service.with_spec(spec)
    }

    /// A replica of this service, at `addr`. Where replicas are to be checked it is [`Health::Down`] until it was.
    pub fn replica(&self, card: Card, addr: SocketAddr, readiness: Readiness) -> Arc<Replica> {
        let health = if self.spec.check.question == Question::None { Health::Up } else { Health::Down };
        Replica::new(&self.state, card, addr, readiness, health)
    }

    /// The same service with other replicas, and with everything that it has behind it. `known` counts all of them, ready or
    /// not, for the message to the client. Those who wait are called where there is somebody now.
    pub fn with_replicas(&self, ready: Vec<Arc<Replica>>, known: usize) -> Self {
        self.state.set_roster(&ready);
        let heaviest = ready.iter().map(|replica| replica.weight()).fold(1.0, f32::max);
        Self { ready: ready.into(), known, heaviest, ..self.clone() }
    }

    /// The same service, wanted otherwise.
    pub fn with_spec(&self, spec: Spec) -> Self {
        let spec = Arc::new(spec);
        self.state.set_spec(&spec);
        Self { spec, ..self.clone() }
    }

    /// The same service, of which these numbers run or ran until lately.
    pub fn with_expected(&self, expected: Vec<u32>) -> Self {
        Self { expected: expected.into(), ..self.clone() }
    }

    /// The same service; `forgotten` where it has had no container for so long that nobody waits for one any more.
    pub fn with_forgotten(&self, forgotten: bool) -> Self {
        Self { forgotten, ..self.clone() }
    }

    /// Its name in the Compose file.
    pub fn name(&self) -> &str {
        &self.state.name().service
    }

    /// What the user wants of it.
    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// What it keeps from snapshot to snapshot.
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// The replicas that get its requests, as far as their [`Health`] allows, by number.
    pub fn ready(&self) -> &[Arc<Replica>] {
        &self.ready
    }

    /// How many replicas it has, ready or not.
    pub fn known(&self) -> usize {
        self.known
    }

    /// Whether it has had no container for so long that nobody waits for one any more.
    pub fn is_forgotten(&self) -> bool {
        self.forgotten
    }

    /// Whether a replica of that number runs, or ran until lately and may come back.
    pub fn expects(&self, number: u32) -> bool {
        self.expected.binary_search(&number).is_ok()
    }

    /// The replica with that number, if it is ready.
    pub fn numbered(&self, number: u32) -> Option<&Arc<Replica>> {
        let at = self.ready.binary_search_by_key(&number, |replica| replica.number()).ok()?;
        self.ready.get(at)
    }

    /// Picks a replica that was not tried yet and counts the request in flight on it.
    ///
    /// # Errors
    /// Why there is none.
    pub fn pick(&self, tried: &Tried, wanted: Wanted, now: Moment) -> Result<Lease, NoReplica> {
        let candidates = Candidates {
            ready: &self.ready,
            tried,
            all: self.state.is_panicking(),
            limit: self.spec.replica_limit.map_or(usize::MAX, |limit| limit as usize),
            slow_start: self.spec.slow_start,
            heaviest: self.heaviest,
            now,
        };
        let turn = self.state.next_pick() as usize;
        let first = match wanted {
            Wanted::Number(number) => affinity::numbered(&candidates, number),
            Wanted::Hash(hash) => affinity::hashed(&candidates, hash),
            Wanted::Any => None,
        };
        let first = first.or_else(|| self.spec.policy.choose(&candidates, turn));
        let lease = first.and_then(|first| candidates.claim(first));
        // Those who wait look again and again, and retries must not pay for more retries.
        if lease.is_none() || !tried.is_empty() {
            self.state.note_repeat();
        }
        lease.ok_or_else(|| candidates.why_none())
    }

    /// A place at the end of the line of those who wait for a replica.
    ///
    /// # Errors
    /// Nobody may wait, or the line is as long as it may be.
    pub fn join(&self) -> Result<Place, NoPlace> {
        let limits = &self.spec.hold;
        if self.forgotten {
            return Err(NoPlace::Forgotten);
        }
        if limits.time == Duration::ZERO {
            return Err(NoPlace::Off);
        }
        Place::join(&self.state, limits.requests as usize).ok_or(NoPlace::Full)
    }

    /// Calls those who wait, a few for each replica that could take them.
    pub fn admit(&self) {
        if self.state.waiting() > 0 {
            let usable = self.ready.iter().filter(|replica| replica.health() != Health::Down).count();
            self.state.admit(usable);
        }
    }

    /// Calls all who wait: the service is not there any more, and they must look for another.
    pub(crate) fn dismiss(&self) {
        self.state.hold().call(usize::MAX);
    }

    /// To be called every few milliseconds: those who wait are not to depend on others' exchanges alone, and the budget wants
    /// to know how busy the service is.
    pub fn tick(&self, now: Moment) {
        self.admit();
        self.state.note_time(now);
    }

    /// Whether one more attempt is within the budget; if so it is counted.
    pub fn may_retry(&self, now: Moment) -> bool {
        self.state.may_retry(&self.spec.retry, now)
    }

    /// Counts a request of the service until the entry is dropped.
    ///
    /// # Errors
    /// It has as many as it may have.
    pub fn enter(&self) -> Result<Entry, Crowded> {
        let Some(limit) = self.spec.service_limit else { return Ok(Entry(None)) };
        if self.state.enter(limit as usize) { Ok(Entry(Some(Arc::clone(&self.state)))) } else { Err(Crowded { limit }) }
    }
}

/// A request that is counted as one of its service.
#[derive(Debug)]
pub struct Entry(Option<Arc<State>>);

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(state) = &self.0 {
            state.leave();
        }
    }
}

/// The service has as many requests as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded {
    /// How many that is.
    pub limit: u32,
}

/// Why a request may not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// The service has had no container for so long that none is expected.
    Forgotten,
    /// Waiting is turned off.
    Off,
    /// As many wait as may.
    Full,
}

/// Why no replica can take the request now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoReplica {
    /// None is ready.
    NoneReady,
    /// All that could take it have as many requests as they may have.
    Busy,
    /// All that could take it have been tried.
    Tried,
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::policy::Policy;
    use crate::replica::Failure;
    use crate::spec::Check;

    const NOW: Moment = Moment::from_nanos(1);

    fn service(count: u16, spec: Spec) -> Service {
        let service = Service::new("web", spec);
        let replica = |n: u16| {
            let addr = SocketAddr::from(([127, 0, 0, 1], n));
            let replica = service.replica(Card::new(format!("web-{n}"), n.into()), addr, Readiness::Starting);
            replica.set_readiness(Readiness::Ready, NOW);
            replica
        };
        service.with_replicas((1..=count).map(replica).collect(), count.into())
    }

    fn pick(service: &Service) -> Result<Lease, NoReplica> {
        service.pick(&Tried::default(), Wanted::Any, NOW)
    }

    #[test]
    fn every_policy_reaches_every_replica() {
        for policy in Policy::ALL {
            let service = service(5, Spec { policy, ..Spec::default() });
            let mut seen = HashMap::new();
            for _ in 0..500 {
                let lease = pick(&service).expect("ready");
                *seen.entry(lease.replica().name().to_owned()).or_insert(0) += 1;
            }
            assert_eq!(seen.len(), 5, "{policy} starves somebody: {seen:?}");
        }
    }

    #[test]
    fn round_robin_goes_on_where_it_was_after_a_change() {
        let service = service(3, Spec { policy: Policy::RoundRobin, ..Spec::default() });
        let first = pick(&service).expect("ready").replica().id();
        let service = service.with_replicas(service.ready().to_vec(), 3);
        assert_ne!(pick(&service).expect("ready").replica().id(), first);
    }

    #[test]
    fn why_there_is_none() {
        assert_eq!(pick(&service(0, Spec::default())).err(), Some(NoReplica::NoneReady));
        let limited = service(1, Spec { replica_limit: Some(1), ..Spec::default() });
        let lease = pick(&limited).expect("the first");
        assert_eq!(pick(&limited).err(), Some(NoReplica::Busy));
        let mut tried = Tried::default();
        tried.add(lease.replica().id());
        assert_eq!(limited.pick(&tried, Wanted::Any, NOW).err(), Some(NoReplica::Tried));
        let checked = Check { question: Question::Tcp, ..Check::default() };
        let checked = service(1, Spec { check: checked, ..Spec::default() });
        assert_eq!(pick(&checked).err(), Some(NoReplica::NoneReady), "not checked yet");
        assert!(checked.ready()[0].change_health(Health::Down, Health::Up));
        assert!(pick(&checked).is_ok());
    }

    #[test]
    fn at_most_half_are_out_and_with_more_all_are_used() {
        let service = service(4, Spec::default());
        let reached = || {
            let ids: std::collections::BTreeSet<_> =
                (0..400).map(|_| pick(&service).expect("one").replica().number()).collect();
            ids.into_iter().collect::<Vec<_>>()
        };
        for (out, left) in [(0, vec![2, 3, 4]), (1, vec![3, 4]), (2, vec![1, 2, 3, 4])] {
            let lease = service.ready()[out].claim(9, NOW).expect("ready");
            assert!((0..5).any(|_| lease.failed(Failure::Other, NOW)));
            drop(lease);
            assert_eq!(reached(), left);
        }
        assert!(service.ready()[0].readmit(service.spec(), NOW));
        assert_eq!(reached(), [1, 4], "half are out");
        assert!(service.ready()[0].claim(9, NOW).expect("ready").failed(Failure::Refused, NOW));
        assert_eq!(reached(), [2, 3, 4], "two of three; the one that refuses is of no use to anybody");
    }

    #[test]
    fn what_is_wanted_is_had_while_it_can_be_had() {
        let service = service(5, Spec::default());
        let pick = |wanted| service.pick(&Tried::default(), wanted, NOW).expect("one").replica().number();
        assert!((0..20).all(|_| pick(Wanted::Number(3)) == 3));
        let hashed = pick(Wanted::Hash(77));
        assert!((0..20).all(|_| pick(Wanted::Hash(77)) == hashed));
        service.ready()[2].set_readiness(Readiness::Draining, NOW);
        assert_ne!(pick(Wanted::Number(3)), 3);
    }

    #[test]
    fn those_who_wait_go_out_as_replicas_become_free() {
        let spec = Spec { replica_limit: Some(1), ..Spec::default() };
        let service = service(1, spec);
        let is_called =
            |place: &Place| place.poll_called(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready();
        let lease = pick(&service).expect("the first");
        let (second, third) = (service.join().expect("room"), service.join().expect("room"));
        second.wait_on();
        drop(lease);
        assert!(is_called(&second) && !is_called(&third));
        let lease = pick(&service).expect("free again");
        second.serve();
        assert_eq!(pick(&service).err(), Some(NoReplica::Busy));
        third.wait_on();
        drop(lease);
        assert!(is_called(&third));
    }

    #[test]
    fn nobody_waits_where_nobody_may() {
        let hold = |time, requests| {
            let limits = crate::spec::HoldLimits { time: Duration::from_secs(time), requests, body: 0 };
            service(0, Spec { hold: limits, ..Spec::default() })
        };
        assert_eq!(hold(0, 1).join().err(), Some(NoPlace::Off));
        assert_eq!(hold(1, 1).with_forgotten(true).join().err(), Some(NoPlace::Forgotten));
        let one = hold(1, 1);
        let place = one.join().expect("room");
        assert_eq!(one.join().err(), Some(NoPlace::Full));
        drop(place);
        assert!(one.join().is_ok());
    }

    #[test]
    fn retries_are_a_share_of_the_requests_and_of_nothing_else() {
        let retry = crate::spec::RetryLimits { percent: 20, per_second: 0 };
        let service = service(2, Spec { retry, replica_limit: Some(1), ..Spec::default() });
        service.tick(NOW);
        for _ in 0..50 {
            let lease = pick(&service).expect("free");
            let mut tried = Tried::default();
            tried.add(lease.replica().id());
            let _retry = service.pick(&tried, Wanted::Any, NOW).expect("the other");
            assert!((0..10).all(|_| pick(&service).is_err()), "both are busy");
        }
        assert_eq!((0..100).take_while(|_| service.may_retry(NOW)).count(), 10);
    }

    #[test]
    fn a_service_has_no_more_requests_than_it_may() {
        let service = service(1, Spec { service_limit: Some(2), ..Spec::default() });
        let entries = (service.enter().expect("one"), service.enter().expect("two"));
        assert_eq!(service.enter().err(), Some(Crowded { limit: 2 }));
        drop(entries);
        assert!(service.enter().is_ok());
    }
}
