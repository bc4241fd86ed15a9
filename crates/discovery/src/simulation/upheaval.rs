//! What users, crashes and the engine do to the containers.

use super::agenda::Item;
use super::millis;
use super::play::Simulation;
use super::world::{Place, Process, Truth};
use crate::container::{Health, Life};
use crate::event::What;
use crate::signal;

/// Most containers that run at a time.
const CROWD: usize = 8;

impl Simulation {
    /// Something happens to the world.
    pub(super) fn upset(&mut self) {
        match self.random.u8(..22) {
            0..5 => self.scale_up(),
            5..8 => self.with_running(Self::stop),
            8 => self.with_running(Self::crash),
            9 => self.with_running(|play, at| play.kill(at, signal::KILL)),
            10 => self.with_running(|play, at| play.emit(at, What::Signalled(1))),
            11 => self.remove(),
            12..14 => self.freeze(),
            14..16 => self.change_health(),
            16 => self.with_running(Self::rename),
            17 => self.with_running(Self::rewire),
            18..21 => self.change_mood(),
            _ => self.start_again(),
        }
    }

    fn with_running(&mut self, does: impl FnOnce(&mut Self, usize)) {
        self.with(|truth| truth.life == Life::Running, does);
    }

    fn with(&mut self, wanted: impl Fn(&Truth) -> bool, does: impl FnOnce(&mut Self, usize)) {
        let those = self.world.those(wanted);
        if !those.is_empty() {
            let at = those[self.random.usize(..those.len())];
            does(self, at);
        }
    }

    /// `docker compose up --scale`: some more, with the numbers that are free, or that are about to be.
    pub(super) fn scale_up(&mut self) {
        for _ in 0..self.random.usize(1..4) {
            if self.world.those(|truth| truth.life != Life::Ended).len() >= CROWD {
                return;
            }
            let service = if self.random.u8(..8) == 0 { "db" } else { "web" };
            let number = self.random.u32(1..6);
            let clock = self.clock();
            let at = self.world.make(service, number, clock, &mut self.random);
            self.knowledge.meet(&self.world.truths[at]);
            self.start(at);
        }
    }

    fn start(&mut self, at: usize) {
        let clock = self.clock();
        let place = self.world.start(at, clock, &mut self.random);
        self.note(|| format!("container {at} starts, run {}", place.run));
        self.emit(at, What::Rewired);
        self.emit(at, What::Started);
        let most = if self.random.u8(..4) == 0 { 3000 } else { 100 };
        let delay = self.span(millis(most));
        self.agenda.add(self.now + delay, Item::Accepts(place));
    }

    /// Its process listens from now on.
    pub(super) fn accept(&mut self, place: Place) {
        let Some(truth) = self.world.running(place) else { return };
        truth.process = Process::Serving;
        if truth.health == Health::Starting {
            self.say_health(place.at, Health::Healthy);
        }
    }

    fn say_health(&mut self, at: usize, health: Health) {
        self.world.truths[at].health = health;
        self.emit(at, What::Health(health));
    }

    /// `docker stop`: the signal, then as much time as it has, then the end.
    fn stop(&mut self, at: usize) {
        let truth = &mut self.world.truths[at];
        let (rule, run) = (truth.stop, truth.run);
        truth.is_stopping = true;
        self.emit(at, What::Signalled(rule.signal));
        let place = Place { at, run };
        let delay = self.span(rule.timeout * 2);
        self.agenda.add(self.now + delay, if delay > rule.timeout { Item::Killed(place) } else { Item::Ends(place) });
        if self.random.bool() {
            // Most servers stop listening first.
            self.world.truths[at].process = Process::Deaf;
        }
    }

    fn kill(&mut self, at: usize, number: u8) {
        self.emit(at, What::Signalled(number));
        let place = Place { at, run: self.world.truths[at].run };
        let delay = self.span(millis(20));
        self.agenda.add(self.now + delay, Item::Ends(place));
    }

    /// Its time is over.
    pub(super) fn killed(&mut self, place: Place) {
        if self.world.running(place).is_some() {
            self.kill(place.at, signal::KILL);
        }
    }

    fn crash(&mut self, at: usize) {
        let run = self.world.truths[at].run;
        self.ends(Place { at, run });
    }

    /// Its process has ended.
    pub(super) fn ends(&mut self, place: Place) {
        let Some(truth) = self.world.running(place) else { return };
        truth.life = Life::Ended;
        truth.process = Process::Deaf;
        let is_restarted = truth.is_restarted && !truth.is_stopping;
        let was_stopped = truth.is_stopping;
        self.emit(place.at, What::Ended);
        self.emit(place.at, What::Rewired);
        if was_stopped {
            self.emit(place.at, What::Ended);
        }
        if is_restarted || self.random.u8(..8) == 0 {
            let delay = self.span(millis(300));
            self.agenda.add(self.now + delay, Item::Restarts(place));
        }
    }

    /// It is started again, by its policy or by `docker restart`.
    pub(super) fn restart(&mut self, place: Place) {
        let truth = &self.world.truths[place.at];
        if truth.run == place.run && truth.life == Life::Ended && !truth.is_removed {
            self.start(place.at);
        }
    }

    fn start_again(&mut self) {
        if self.world.those(|truth| truth.life != Life::Ended).len() < CROWD {
            self.with(|truth| truth.life == Life::Ended && !truth.is_removed, Self::start);
        }
    }

    fn remove(&mut self) {
        self.with(
            |truth| truth.life == Life::Ended && !truth.is_removed,
            |play, at| {
                play.world.truths[at].is_removed = true;
                play.emit(at, What::Ended);
            },
        );
    }

    fn freeze(&mut self) {
        self.with(
            |truth| truth.life != Life::Ended,
            |play, at| {
                let (life, what) = match play.world.truths[at].life {
                    Life::Paused => (Life::Running, What::Unpaused),
                    _ => (Life::Paused, What::Paused),
                };
                play.world.truths[at].life = life;
                play.emit(at, what);
            },
        );
    }

    fn change_health(&mut self) {
        self.with(
            |truth| truth.life == Life::Running && truth.health != Health::Unchecked,
            |play, at| {
                let is_healthy = play.world.truths[at].health == Health::Healthy;
                play.say_health(at, if is_healthy { Health::Unhealthy } else { Health::Healthy });
            },
        );
    }

    /// Compose gives a recreated container its name at the end.
    fn rename(&mut self, at: usize) {
        self.world.truths[at].name.push('x');
        self.knowledge.meet(&self.world.truths[at]);
        self.emit(at, What::Renamed);
    }

    /// It leaves its network and joins it again, with another address.
    fn rewire(&mut self, at: usize) {
        let ip = self.world.free_address(&mut self.random);
        self.emit(at, What::Rewired);
        self.world.truths[at].ip = ip;
        self.emit(at, What::Rewired);
    }

    /// Something goes wrong inside a process, or right again; nobody tells the engine.
    fn change_mood(&mut self) {
        let mood = [Process::Serving, Process::Failing, Process::Hanging, Process::Deaf][self.random.usize(..4)];
        self.with_running(|play, at| {
            play.note(|| format!("container {at} is {mood:?}"));
            play.world.truths[at].process = mood;
        });
    }

    /// From now on all goes well.
    pub(super) fn calm_down(&mut self) {
        self.engine.vices.loses = 0;
        self.engine.vices.repeats = 0;
        self.engine.vices.swaps = 0;
        self.engine.vices.fails = 0;
        self.reconnect();
        for at in self.world.those(|truth| truth.life == Life::Paused) {
            self.world.truths[at].life = Life::Running;
            self.emit(at, What::Unpaused);
        }
        for at in self.world.those(|truth| truth.life == Life::Running) {
            self.world.truths[at].process = Process::Serving;
            if !matches!(self.world.truths[at].health, Health::Unchecked | Health::Healthy) {
                self.say_health(at, Health::Healthy);
            }
        }
    }
}
