//! What the engine says of the world: events that come late, twice, in another order or never, and answers that are older than
//! they look.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::agenda::Item;
use super::house::Inspection;
use super::millis;
use super::play::Simulation;
use crate::container::{Container, Life};
use crate::engine::List;
use crate::event::{Event, What};

/// How bad the engine is in this run, each of a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Vices {
    pub(super) loses: u16,
    pub(super) repeats: u16,
    pub(super) swaps: u16,
    pub(super) fails: u16,
    /// Its longest delay.
    pub(super) delay: Duration,
}

/// A question to the engine.
#[derive(Debug)]
pub(super) enum Call {
    /// All containers; its number.
    List(u64),
    /// One.
    Inspect(Inspection),
}

/// What the engine has found.
#[derive(Debug)]
pub(super) enum Found {
    All(List),
    One(Option<Container>),
    /// The call fails.
    Nothing,
}

/// The engine, seen from us.
#[derive(Debug, Default)]
pub(super) struct Engine {
    pub(super) vices: Vices,
    pub(super) is_up: bool,
    /// Everything that has happened.
    log: Vec<Event>,
    /// What is on its way: when it arrives, and its place in the log.
    stream: VecDeque<(Duration, usize)>,
    /// How much of the log was heard.
    heard: usize,
    /// What is asked, what was found, and when that was.
    calls: BTreeMap<u64, (Call, Found, i64)>,
    count: u64,
}

impl Engine {
    pub(super) fn with(vices: Vices) -> Self {
        Self { vices, ..Self::default() }
    }
}

impl Simulation {
    /// The engine's clock.
    pub(super) fn clock(&self) -> i64 {
        1_000_000_000_000 + i64::try_from(self.now.as_nanos()).unwrap_or(i64::MAX)
    }

    /// Something happens to a container, and the engine says so.
    pub(super) fn emit(&mut self, at: usize, what: What) {
        let truth = &self.world.truths[at];
        // A nanosecond apart at least, so that nothing happens at the same time.
        let clock = self.clock().max(self.engine.log.last().map_or(0, |last| last.at + 1));
        let is_network = what == What::Rewired;
        let event = Event {
            id: truth.id.clone(),
            identity: (!is_network).then(|| truth.identity.clone()),
            name: if is_network { String::new() } else { truth.name.clone() },
            what,
            at: clock,
        };
        self.note(|| format!("the engine: {} {what:?}", event.name));
        self.engine.log.push(event);
        if self.engine.is_up {
            self.send(self.engine.log.len() - 1);
        }
    }

    fn send(&mut self, number: usize) {
        let vices = self.engine.vices;
        if self.happens(vices.loses) {
            self.note(|| format!("event {number} is lost"));
            return;
        }
        let delay = self.span(vices.delay);
        let last = self.engine.stream.back().map_or(Duration::ZERO, |(due, _)| *due);
        let due = last.max(self.now + delay);
        self.engine.stream.push_back((due, number));
        if self.happens(vices.repeats) {
            self.engine.stream.push_back((due, number));
        }
        if self.happens(vices.swaps) && self.engine.stream.len() > 1 {
            let last = self.engine.stream.len() - 1;
            let (first, second) = (self.engine.stream[last - 1].1, self.engine.stream[last].1);
            self.engine.stream[last - 1].1 = second;
            self.engine.stream[last].1 = first;
        }
        self.agenda.add(due, Item::Delivers);
    }

    /// What has arrived by now; one batch.
    pub(super) fn deliver(&mut self) {
        let most = self.random.usize(1..6);
        let mut batch = Vec::new();
        while batch.len() < most
            && let Some((_, number)) = self.engine.stream.pop_front_if(|(due, _)| *due <= self.now)
        {
            self.engine.heard = self.engine.heard.max(number + 1);
            batch.push(self.engine.log[number].clone());
        }
        if self.engine.stream.front().is_some_and(|(due, _)| *due <= self.now) {
            self.agenda.add(self.now, Item::Delivers);
        }
        self.hear(batch);
    }

    /// The stream breaks, and what was on it is lost; so are the calls.
    pub(super) fn disconnect(&mut self) {
        if !std::mem::take(&mut self.engine.is_up) {
            return;
        }
        self.note(|| "the engine is away".to_owned());
        self.engine.stream.clear();
        for (_, found, _) in self.engine.calls.values_mut() {
            *found = Found::Nothing;
        }
        self.lose_engine();
        let pause = self.span(millis(3000));
        self.agenda.add(self.now + pause, Item::Reconnects);
    }

    /// The stream is there again; the engine may still know what happened meanwhile.
    pub(super) fn reconnect(&mut self) {
        if std::mem::replace(&mut self.engine.is_up, true) {
            return;
        }
        let replays = self.random.bool();
        self.note(|| format!("the engine is there{}", if replays { " and replays" } else { "" }));
        self.find_engine();
        if replays {
            (self.engine.heard..self.engine.log.len()).for_each(|number| self.send(number));
        }
    }

    /// Asks the engine.
    pub(super) fn call(&mut self, call: Call) {
        self.engine.count += 1;
        self.engine.calls.insert(self.engine.count, (call, Found::Nothing, 0));
        let delay = self.span(self.engine.vices.delay);
        self.agenda.add(self.now + delay, Item::Looks(self.engine.count));
    }

    /// The engine looks at the world.
    pub(super) fn look_for(&mut self, number: u64) {
        let fails = self.happens(self.engine.vices.fails) || !self.engine.is_up;
        let clock = self.clock().max(self.engine.log.last().map_or(0, |last| last.at));
        let Some((call, found, looked)) = self.engine.calls.get_mut(&number) else { return };
        *looked = clock;
        *found = match call {
            _ if fails => Found::Nothing,
            Call::List(_) => {
                let running = self.world.truths.iter().filter(|truth| truth.life != Life::Ended);
                Found::All(List { containers: running.map(super::world::Truth::listed).collect(), ..List::default() })
            }
            Call::Inspect(inspection) => {
                let there = self.world.truths.iter().find(|truth| truth.id == inspection.id && !truth.is_removed);
                Found::One(there.map(super::world::Truth::inspected))
            }
        };
        let delay = self.span(self.engine.vices.delay);
        self.agenda.add(self.now + delay, Item::Answers(number));
    }

    /// What the engine has found arrives.
    pub(super) fn answer(&mut self, number: u64) {
        if let Some((call, found, looked)) = self.engine.calls.remove(&number) {
            self.take(call, found, looked);
        }
    }
}
