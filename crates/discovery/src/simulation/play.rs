//! One run: what happens next.

use std::collections::BTreeMap;
use std::future::Future as _;
use std::ops::AddAssign;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use divisi_model::spec::{Check, EjectionRules, HoldLimits, Question, RetryLimits};
use divisi_model::{Moment, Policy, Spec};

use super::agenda::{Agenda, Item};
use super::bell::Woken;
use super::engine::{Engine, Vices};
use super::house::House;
use super::knowledge::Knowledge;
use super::laws::Laws;
use super::millis;
use super::request::Request;
use super::world::World;

/// How many things happen while things go wrong.
const STEPS: usize = 500;
/// How long it takes at most until all is well again: the longest of all pauses and twice the time between two lists.
const CALM: Duration = millis(24_000);

/// How often the workers' clock ticks where nobody waits.
pub(super) const TICK: Duration = millis(500);
/// How long exchanges at a replica that leaves may go on, at most.
pub(super) const DRAIN: Duration = millis(3000);

/// A world, everything that looks at it, and everything that passes through.
#[derive(Debug)]
pub(super) struct Simulation {
    pub(super) random: fastrand::Rng,
    pub(super) base: Instant,
    /// Since `base`.
    pub(super) now: Duration,
    pub(super) agenda: Agenda,
    pub(super) world: World,
    pub(super) engine: Engine,
    pub(super) house: House,
    pub(super) requests: BTreeMap<u64, Request>,
    pub(super) woken: Woken,
    pub(super) laws: Laws,
    pub(super) knowledge: Knowledge,
    pub(super) count: u64,
    /// How often something happens that nobody planned, of a hundred.
    unrest: u8,
    next_tick: Duration,
    tells: bool,
}

/// What was seen, so that a simulation in which nothing happens is not taken for one in which all is well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) steps: u64,
    pub(super) events: u64,
    pub(super) inspections: u64,
    pub(super) snapshots: u64,
    pub(super) requests: u64,
    pub(super) answered: u64,
    pub(super) failed: u64,
    pub(super) unheld: u64,
    pub(super) left: u64,
    pub(super) leases: u64,
    /// Leases on replicas that had failed, because most had.
    pub(super) desperate: u64,
    pub(super) held: u64,
    pub(super) retries: u64,
    pub(super) cut_off: u64,
    pub(super) overdrawn: u64,
    /// Requests that nobody has ever received, and that did not wait to the end.
    pub(super) in_vain: u64,
}

impl Simulation {
    pub(super) fn new(seed: u64, tells: bool) -> Self {
        // The policies draw from the thread's own.
        fastrand::seed(seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let base = base();
        let spec = spec(&mut random);
        let vices = vices(&mut random);
        let house = House::new(spec, seed, base);
        let mut simulation = Self {
            base,
            now: Duration::ZERO,
            agenda: Agenda::default(),
            world: World::default(),
            engine: Engine::with(vices),
            requests: BTreeMap::new(),
            woken: Woken::default(),
            laws: Laws::default(),
            knowledge: Knowledge::new(house.tuning.stop_margin),
            house,
            count: 0,
            unrest: random.u8(3..40),
            next_tick: Duration::ZERO,
            tells,
            random,
        };
        simulation.note(|| format!("{:?}, {vices:?}", simulation.house.table));
        simulation.agenda.add(Duration::ZERO, Item::Reconnects);
        simulation.agenda.add(Duration::ZERO, Item::Ticks);
        simulation.scale_up();
        simulation
    }

    /// Plays to the end.
    pub(super) fn play(mut self) -> Tally {
        for _ in 0..STEPS {
            if self.random.u8(..100) < self.unrest {
                self.interfere()
            } else {
                self.proceed()
            }
            self.settle();
        }
        self.note(|| "all is calm".to_owned());
        self.calm_down();
        self.settle();
        let end = self.now + CALM;
        while self.now < end {
            self.proceed();
            self.settle();
        }
        self.judge_end();
        self.laws.tally
    }

    fn interfere(&mut self) {
        match self.random.u8(..20) {
            0..10 => (0..self.random.u8(1..4)).for_each(|_| self.arrive()),
            10 => self.leave(),
            11 => self.disconnect(),
            _ => self.upset(),
        }
    }

    fn proceed(&mut self) {
        let Some((due, item)) = self.agenda.pop(&mut self.random) else { return };
        self.now = self.now.max(due);
        match item {
            Item::Accepts(place) => self.accept(place),
            Item::Ends(place) => self.ends(place),
            Item::Killed(place) => self.killed(place),
            Item::Restarts(place) => self.restart(place),
            Item::Delivers => self.deliver(),
            Item::Reconnects => self.reconnect(),
            Item::Looks(call) => self.look_for(call),
            Item::Answers(call) => self.answer(call),
            Item::Wakes => self.conclude(),
            Item::Visits => self.look(),
            Item::Probed(candidate) => self.probed(candidate),
            Item::Asked(visit, put) => self.asked(&visit, put),
            Item::Ticks => self.tick(due),
            Item::Connects(number, serial) => self.connect(number, serial),
            Item::Replies(number, serial) => self.reply(number, serial),
            Item::TimesOut(number, serial) => self.time_out(number, serial),
            Item::Finishes(number, serial) => self.finish(number, serial),
            Item::Called(number) => self.called(number),
            Item::GivesUp(number, serial) => self.give_up(number, serial),
            Item::Affords(number, serial) => self.afford_again(number, serial),
            Item::LooksAgain(number, serial) => self.look_again(number, serial),
        }
    }

    /// What follows by itself from a step, and what must hold after it.
    fn settle(&mut self) {
        self.laws.tally.steps += 1;
        self.wake();
        let is_rung = pin!(self.house.published.alarm().heard()).poll(&mut Context::from_waker(Waker::noop()));
        if is_rung.is_ready() {
            let delay = self.span(millis(1));
            self.agenda.add(self.now + delay, Item::Visits);
        }
        let due = self.due();
        self.agenda.wake_at(due);
        self.tick_soon();
        self.judge();
    }

    /// As the workers' clock, which ticks on where nobody waits; nothing would come of that but steps.
    fn tick(&mut self, due: Duration) {
        if due != self.next_tick {
            return;
        }
        if let Some(service) = self.service() {
            service.tick(self.moment());
        }
        self.cut_off();
        self.next_tick = self.now + TICK;
        self.agenda.add(self.next_tick, Item::Ticks);
        self.tick_soon();
    }

    fn tick_soon(&mut self) {
        let soon = self.now + millis(50);
        if self.next_tick > soon && self.service().is_some_and(|service| service.state().waiting() > 0) {
            self.next_tick = soon;
            self.agenda.add(soon, Item::Ticks);
        }
    }

    pub(super) fn instant(&self) -> Instant {
        self.base + self.now
    }

    pub(super) fn moment(&self) -> Moment {
        Moment::of(self.instant())
    }

    /// Any time up to `most`, short ones more often than long ones.
    pub(super) fn span(&mut self, most: Duration) -> Duration {
        let part = self.random.f32() * self.random.f32();
        most.mul_f32(part)
    }

    /// Whether something happens that does so many times of a thousand.
    pub(super) fn happens(&mut self, times: u16) -> bool {
        self.random.u16(..1000) < times
    }

    /// Tells the story, if somebody wants to hear it.
    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{:>10.4} {}", self.now.as_secs_f64(), what());
        }
    }
}

/// The beginning: a moment at which the retry budget's window begins, too, or a seed would not play the same again.
fn base() -> Instant {
    const WINDOW: u64 = 10_000_000_000;
    // The first moment there ever is must not be later than the beginning.
    let _ = Moment::now();
    let now = Instant::now();
    now + Duration::from_nanos(WINDOW - Moment::of(now).as_nanos() % WINDOW)
}

fn vices(random: &mut fastrand::Rng) -> Vices {
    let delay = millis([2, 20, 200, 1500][random.usize(..4)]);
    // An honest engine half of the time: there the stream is in order and complete.
    if random.bool() {
        return Vices { delay, ..Vices::default() };
    }
    Vices {
        loses: random.u16(..60),
        repeats: random.u16(..60),
        swaps: random.u16(..60),
        fails: random.u16(..200),
        delay,
    }
}

fn spec(random: &mut fastrand::Rng) -> Spec {
    let question = match random.u8(..6) {
        0 => Question::Tcp,
        1 => Question::Http("/up".into()),
        _ => Question::None,
    };
    Spec {
        policy: Policy::ALL[random.usize(..Policy::ALL.len())],
        hold: HoldLimits { time: millis(random.u64(..12_000)), requests: random.u32(1..100), body: 0 },
        retry: RetryLimits { percent: random.u32(..50), per_second: random.u32(..3) },
        ejection: EjectionRules { failures: random.u32(..5), time: millis(500), most: millis(8000) },
        check: Check {
            question,
            interval: millis(random.u64(500..5000)),
            timeout: millis(random.u64(50..1000)),
            up: random.u32(1..3),
            down: random.u32(1..4),
            ..Check::default()
        },
        slow_start: millis(random.u64(..3) * 2000),
        drain: DRAIN.mul_f32(random.f32()),
        replica_limit: random.bool().then(|| random.u32(1..4)),
        service_limit: (random.u8(..4) == 0).then(|| random.u32(4..20)),
        ..Spec::default()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.events += other.events;
        self.inspections += other.inspections;
        self.snapshots += other.snapshots;
        self.requests += other.requests;
        self.answered += other.answered;
        self.failed += other.failed;
        self.unheld += other.unheld;
        self.left += other.left;
        self.leases += other.leases;
        self.desperate += other.desperate;
        self.held += other.held;
        self.retries += other.retries;
        self.cut_off += other.cut_off;
        self.overdrawn += other.overdrawn;
        self.in_vain += other.in_vain;
    }
}

impl Tally {
    /// That there was something to see.
    pub(super) fn assert_lively(&self, runs: u64) {
        assert!(self.answered > runs * 10 && self.answered > self.requests / 4, "few requests were answered: {self:?}");
        assert!(self.held > runs && self.retries > runs && self.overdrawn > 0 && self.desperate > runs, "{self:?}");
        assert!(self.failed > 0 && self.unheld > 0 && self.left > 0, "{self:?}");
    }
}
