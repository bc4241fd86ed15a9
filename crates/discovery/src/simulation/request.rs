//! The request's way in short: pick, attempt, retry within the budget, hold. What the proxy does around its sockets is done here in
//! its stead.

use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use divisi_model::{
    Entry, Failure, Health, Lease, Moment, NoPlace, NoReplica, Place as InLine, Readiness, Replica, Retry, Service,
    Tried, Wanted,
};

use super::agenda::Item;
use super::millis;
use super::play::Simulation;
use super::world::{Meeting, Place, Process};
use crate::container::Life;

/// A request on its way.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) phase: Phase,
    pub(super) tried: Tried,
    wanted: Wanted,
    is_idempotent: bool,
    attempts: usize,
    last: Option<Trouble>,
    overdrawn: bool,
    /// At which it failed last.
    left: Option<Arc<Replica>>,
    /// How often it looks yet whether the budget has another attempt.
    looks: u32,
    /// The next attempt, as drawn from the budget, and when.
    retry: Option<(Retry, Moment)>,
    /// Tells what was planned for this phase from what was planned for an earlier one.
    serial: u64,
    /// When it came into the line, among all who ever did.
    pub(super) waits: Option<u64>,
    _entry: Entry,
}

/// Where a request is.
#[derive(Debug)]
pub(super) enum Phase {
    /// At a replica; in which run of which container, once it is connected.
    Trying(Lease, Option<Place>),
    /// In the line.
    Waiting(InLine),
    /// It has failed everywhere and will look again.
    Pausing,
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// No connection could be made.
    Unconnected,
    /// It hung up.
    Unanswered,
    /// It took too long.
    Slow,
    /// It had to be left behind.
    CutOff,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With the replica's response.
    Answered,
    /// With a replica's failure.
    Failed,
    /// Without a replica: nobody waits, too many wait, or it took too long.
    Unheld,
    /// The service is not known.
    Unrouted,
    /// The client has left.
    Left,
}

/// How long a replica may take to answer.
const PATIENCE: Duration = millis(3000);

impl Simulation {
    /// A request comes.
    pub(super) fn arrive(&mut self) {
        self.laws.tally.requests += 1;
        self.count += 1;
        let Some(service) = self.service() else { return self.laws.ends(Outcome::Unrouted) };
        let entry = service.enter();
        self.laws.enters(&service, entry.is_ok(), self.requests.len());
        let Ok(entry) = entry else { return self.laws.ends(Outcome::Unheld) };
        let wanted = match self.random.u8(..4) {
            0 => Wanted::Number(self.random.u32(1..6)),
            1 => Wanted::Hash(self.random.u64(..)),
            _ => Wanted::Any,
        };
        let request = Request {
            phase: Phase::Pausing,
            tried: Tried::NONE,
            wanted,
            is_idempotent: self.random.u8(..3) > 0,
            attempts: 0,
            last: None,
            overdrawn: false,
            left: None,
            looks: 0,
            retry: None,
            serial: 0,
            waits: None,
            _entry: entry,
        };
        self.requests.insert(self.count, request);
        // Whoever comes anew stands behind those who wait already.
        if service.state().waiting() > 0 { self.join(self.count) } else { self.search(self.count) }
    }

    /// A client leaves.
    pub(super) fn leave(&mut self) {
        let Some(&number) = self.requests.keys().nth(self.random.usize(..self.requests.len().max(1))) else { return };
        self.end(number, Outcome::Left);
    }

    fn end(&mut self, number: u64, outcome: Outcome) {
        self.note(|| format!("request {number}: {outcome:?}"));
        let request = self.requests.remove(&number);
        assert!(request.is_some(), "request {number} ends twice");
        if let Some((_, drawn_at)) = request.and_then(|request| request.retry) {
            self.laws.gives_back(drawn_at);
        }
        self.laws.ends(outcome);
    }

    /// As `Search::replica` in the proxy.
    fn search(&mut self, number: u64) {
        let Some(request) = self.requests.get_mut(&number) else { return };
        if !std::mem::take(&mut request.overdrawn) {
            match self.pick(number) {
                Some(Ok(lease)) => return self.attempt(number, lease),
                Some(Err(NoReplica::Tried)) => return self.plan(number, millis(100), Item::LooksAgain),
                Some(Err(NoReplica::NoneReady | NoReplica::Busy)) => {}
                None => return self.end(number, Outcome::Unrouted),
            }
        }
        self.join(number);
    }

    /// None where no service is known.
    fn pick(&mut self, number: u64) -> Option<Result<Lease, NoReplica>> {
        let (service, now) = (self.service()?, self.moment());
        let request = self.requests.get(&number)?;
        let picked = service.pick(&request.tried, request.wanted, now);
        self.laws.picks(&service, &request.tried, &picked, now);
        if let Ok(lease) = &picked {
            self.knowledge.allow(lease.replica(), &self.house.table, self.base + self.now);
        }
        Some(picked)
    }

    pub(super) fn service(&self) -> Option<Service> {
        self.house.published.load().route().ok().map(|service| (**service).clone())
    }

    fn join(&mut self, number: u64) {
        let Some(service) = self.service() else { return self.end(number, Outcome::Unrouted) };
        let Some(request) = self.requests.get_mut(&number) else { return };
        request.tried = Tried::NONE;
        match service.join() {
            Ok(place) => {
                self.count += 1;
                request.phase = Phase::Waiting(place);
                request.waits = Some(self.count);
                self.note(|| format!("request {number} waits"));
                self.plan(number, service.spec().hold.time, Item::GivesUp);
                self.called(number);
            }
            Err(NoPlace::Off | NoPlace::Full | NoPlace::Forgotten) => self.end(number, Outcome::Unheld),
        }
    }

    /// One that waits looks whether it is called; if not, it is woken when it is.
    pub(super) fn called(&mut self, number: u64) {
        let waker = self.woken.bell(number);
        loop {
            let Some(Request { phase: Phase::Waiting(place), .. }) = self.requests.get(&number) else { return };
            if place.poll_called(&mut Context::from_waker(&waker)).is_pending() {
                return;
            }
            let picked = self.pick(number);
            self.laws.looks(number, &self.requests);
            let Some(request) = self.requests.get_mut(&number) else { return };
            match (picked, &request.phase) {
                (Some(Ok(lease)), _) => {
                    if let Phase::Waiting(place) = std::mem::replace(&mut request.phase, Phase::Pausing) {
                        place.serve();
                    }
                    self.laws.tally.held += 1;
                    return self.attempt(number, lease);
                }
                (Some(Err(_)), Phase::Waiting(place)) => place.wait_on(),
                (Some(Err(_)), _) => return,
                (None, _) => return self.end(number, Outcome::Unrouted),
            }
        }
    }

    /// One has waited too long.
    pub(super) fn give_up(&mut self, number: u64, serial: u64) {
        if self.is_current(number, serial) {
            self.end(number, Outcome::Unheld);
        }
    }

    /// As `Search::look_again` in the proxy.
    pub(super) fn look_again(&mut self, number: u64, serial: u64) {
        if !self.is_current(number, serial) {
            return;
        }
        let Some(request) = self.requests.get_mut(&number) else { return };
        if request.last == Some(Trouble::Unconnected) {
            request.tried = Tried::NONE;
        }
        match self.pick(number) {
            Some(Ok(lease)) => self.attempt(number, lease),
            Some(Err(NoReplica::NoneReady | NoReplica::Busy)) => self.join(number),
            Some(Err(NoReplica::Tried)) => self.end(number, Outcome::Failed),
            None => self.end(number, Outcome::Unrouted),
        }
    }

    fn attempt(&mut self, number: u64, lease: Lease) {
        self.note(|| format!("request {number} goes to {} at {}", lease.replica().name(), lease.replica().addr()));
        let Some(request) = self.requests.get_mut(&number) else { return };
        request.phase = Phase::Trying(lease, None);
        request.retry.take().into_iter().for_each(|(retry, _)| retry.make());
        let delay = self.span(millis(2));
        self.plan(number, delay, Item::Connects);
    }

    /// The attempt reaches the replica's address.
    pub(super) fn connect(&mut self, number: u64, serial: u64) {
        if !self.is_current(number, serial) {
            return;
        }
        let Some(Request { phase: Phase::Trying(lease, peer), .. }) = self.requests.get_mut(&number) else { return };
        match self.world.meet(lease.replica().addr()) {
            Meeting::Accepted(place) => {
                *peer = Some(place);
                let most = if self.random.u8(..20) == 0 { 5000 } else { 60 };
                let delay = self.span(millis(most));
                self.plan(number, delay.min(PATIENCE), if delay > PATIENCE { Item::TimesOut } else { Item::Replies });
            }
            Meeting::Nobody if self.random.bool() => self.plan(number, millis(1000), Item::TimesOut),
            Meeting::Nobody | Meeting::Refused => self.fail(number, Trouble::Unconnected),
        }
    }

    /// The replica may have answered.
    pub(super) fn reply(&mut self, number: u64, serial: u64) {
        if !self.is_current(number, serial) {
            return;
        }
        let now = self.moment();
        let Some(Request { phase: Phase::Trying(lease, Some(peer)), .. }) = self.requests.get(&number) else { return };
        let is_there = self.world.running(*peer).map(|truth| (truth.life, truth.process));
        let is_good = match is_there {
            None | Some((_, Process::Deaf)) => return self.fail(number, Trouble::Unanswered),
            Some((Life::Paused, _) | (_, Process::Hanging)) => return self.plan(number, PATIENCE, Item::TimesOut),
            Some((_, process)) => process == Process::Serving,
        };
        if lease.answered(is_good, now) {
            self.knowledge.fail(lease.replica(), false, true, now);
            self.house.published.alarm().raise(lease.replica());
        }
        let delay = self.span(millis(30));
        self.plan(number, delay, Item::Finishes);
    }

    /// Nobody has answered in time.
    pub(super) fn time_out(&mut self, number: u64, serial: u64) {
        if self.is_current(number, serial) {
            let is_connected = matches!(self.requests[&number].phase, Phase::Trying(_, Some(_)));
            self.fail(number, if is_connected { Trouble::Slow } else { Trouble::Unconnected });
        }
    }

    /// The exchange ends.
    pub(super) fn finish(&mut self, number: u64, serial: u64) {
        if self.is_current(number, serial) {
            self.end(number, Outcome::Answered);
        }
    }

    /// What still goes on at replicas whose time to finish is over is cut off.
    pub(super) fn cut_off(&mut self) {
        let now = self.moment();
        let is_cut = |request: &Request| match &request.phase {
            Phase::Trying(lease, _) => lease.replica().is_cut(now),
            Phase::Waiting(_) | Phase::Pausing => false,
        };
        let cut: Vec<_> =
            self.requests.iter().filter(|(_, request)| is_cut(request)).map(|(number, _)| *number).collect();
        self.laws.tally.cut_off += cut.len() as u64;
        cut.into_iter().for_each(|number| self.fail(number, Trouble::CutOff));
    }

    /// As `Search::failed` in the proxy.
    fn fail(&mut self, number: u64, trouble: Trouble) {
        self.note(|| format!("request {number} failed: {trouble:?}"));
        let now = self.moment();
        let Some(request) = self.requests.get_mut(&number) else { return };
        let Phase::Trying(lease, _) = std::mem::replace(&mut request.phase, Phase::Pausing) else { return };
        let failure = match trouble {
            Trouble::Unconnected => Some(Failure::Refused),
            Trouble::Unanswered | Trouble::Slow => Some(Failure::Other),
            Trouble::CutOff => None,
        };
        let is_out = failure.is_some_and(|failure| lease.failed(failure, now));
        self.knowledge.fail(lease.replica(), trouble == Trouble::Unconnected, is_out, now);
        if is_out {
            assert_ne!(lease.replica().health(), Health::Up, "who is reported is out");
            self.house.published.alarm().raise(lease.replica());
        }
        request.attempts += 1;
        let too_slow = trouble == Trouble::Slow && request.last != Some(Trouble::Slow);
        let unacted = trouble == Trouble::Unconnected
            || request.is_idempotent && (matches!(trouble, Trouble::Unanswered | Trouble::CutOff) || too_slow);
        if !unacted || request.attempts >= Tried::MOST {
            self.laws.tally.in_vain += u64::from(trouble == Trouble::Unconnected);
            return self.end(number, Outcome::Failed);
        }
        request.tried.add(lease.replica().id());
        request.last = Some(trouble);
        request.left = Some(Arc::clone(lease.replica()));
        request.looks = if trouble == Trouble::Unconnected { 1 } else { 10 };
        drop(lease);
        self.afford(number);
    }

    /// As `Search::afford` in the proxy: one more attempt, if the budget has it or the replica has left.
    fn afford(&mut self, number: u64) {
        let now = self.moment();
        let Some(service) = self.service() else { return self.end(number, Outcome::Unrouted) };
        let Some(request) = self.requests.get_mut(&number) else { return };
        let has_left = request.left.as_ref().is_some_and(|replica| {
            matches!(replica.readiness(), Readiness::Draining | Readiness::Gone) || replica.health() == Health::Down
        });
        request.retry = if has_left { None } else { service.retry(now).map(|retry| (retry, now)) };
        let may = has_left || request.retry.is_some();
        if !has_left {
            self.laws.retries(may, service.spec(), now);
        }
        request.looks -= 1;
        let got_nothing = request.last == Some(Trouble::Unconnected);
        request.overdrawn = !may && got_nothing;
        match (may || got_nothing, request.looks) {
            (true, _) => self.search(number),
            (false, 0) => self.end(number, Outcome::Failed),
            (false, _) => self.plan(number, millis(100), Item::Affords),
        }
    }

    /// One that was beyond the budget looks again.
    pub(super) fn afford_again(&mut self, number: u64, serial: u64) {
        if self.is_current(number, serial) {
            self.afford(number);
        }
    }

    /// Plans the next of a request's steps; whatever was planned before does not count any more.
    fn plan(&mut self, number: u64, delay: Duration, item: impl FnOnce(u64, u64) -> Item) {
        if let Some(request) = self.requests.get_mut(&number) {
            request.serial += 1;
            self.agenda.add(self.now + delay, item(number, request.serial));
        }
    }

    fn is_current(&self, number: u64, serial: u64) -> bool {
        self.requests.get(&number).is_some_and(|request| request.serial == serial)
    }

    /// Those who were woken come when the event loop gets to them.
    pub(super) fn wake(&mut self) {
        for number in self.woken.take() {
            let delay = self.span(millis(1));
            self.agenda.add(self.now + delay, Item::Called(number));
        }
    }
}
