//! A Compose service: its ready replicas and how to pick among them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::budget::Retry;
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
    pub fn of(name: Name, spec: impl Into<Arc<Spec>>) -> Self {
        let spec = spec.into();
        let state = Arc::new(State::new(name, &spec));
        let (ready, expected) = (Arc::default(), Arc::default());
        Self { spec, ready, expected, known: 0, heaviest: 1.0, forgotten: false, state }
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
    pub fn with_spec(&self, spec: impl Into<Arc<Spec>>) -> Self {
        let spec = spec.into();
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

    /// One attempt more, if the budget has one.
    pub fn retry(&self, now: Moment) -> Option<Retry> {
        self.state.retry(&self.spec.retry, now)
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
mod tests;
