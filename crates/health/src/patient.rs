//! The course of one replica: what it is asked, what its answers mean, when it is asked next.
//!
//! | it is | it is asked | at | well | unwell | refuses |
//! |---|---|---|---|---|---|
//! | Up | its check | the interval | | Down, after some | Down, after some |
//! | Down | its check, else to accept | a quick pace while it is new or refuses, else the interval | Up, after some | | |
//! | Ejected | its check, else a ping | from its time on, at the interval or ever more seldom | Up | Down, where a check says so often enough | Down |
//!
//! "After some" is what the service's check says; once where there is none, or where all that speaks against it is that a
//! request was refused a connection.

use std::sync::Arc;
use std::time::Duration;

use divisi_model::spec::Question;
use divisi_model::{Health, Moment, Replica, Spec};

use crate::pace::Pace;
use crate::visit::{Answer, Inquiry};

/// How long a new replica may fail its check before the log says that it does.
const LATE: Duration = Duration::from_secs(10);

/// What an answer says about the replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Well,
    Unwell,
    /// Nobody is there. That is no accident, and asking costs nothing.
    Away,
    /// Nothing.
    Unknown,
}

/// What became of a replica, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Requests failed at it.
    Ejected,
    /// A request was refused a connection.
    Refused,
    /// Nobody is there to accept a connection.
    Away,
    /// So many checks failed, the last with this answer.
    Failed(u32, Answer),
    /// It has not passed its check since it was new.
    Late(Answer),
    /// It answered as it should.
    Back(Answer),
    /// It is not checked any more.
    Unchecked,
}

/// One replica that is looked after.
#[derive(Debug)]
pub(crate) struct Patient {
    pub(crate) replica: Arc<Replica>,
    pub(crate) spec: Arc<Spec>,
    /// What it was when it was last looked at.
    pub(crate) health: Health,
    /// Since when it has been that.
    since: Moment,
    /// The pause before the last question.
    pause: Duration,
    /// Answers in a row that speak for a change.
    streak: u32,
    /// Whether the last answer was that nobody is there.
    is_away: bool,
    /// Whether it has been up since it is looked after, or is supposed to have been.
    was_up: bool,
    is_late_said: bool,
}

impl Patient {
    pub(crate) fn new(replica: Arc<Replica>, spec: Arc<Spec>, now: Moment) -> Self {
        let health = replica.health();
        Self {
            spec,
            health,
            since: now,
            pause: Duration::ZERO,
            streak: 0,
            is_away: replica.has_refused(),
            was_up: health != Health::Down || replica.has_refused(),
            replica,
            is_late_said: false,
        }
    }

    /// What it is to be asked; None where all is well and nobody wants to know more.
    pub(crate) fn inquiry(&self) -> Option<Inquiry> {
        match &self.spec.check.question {
            Question::Http(path) => Some(Inquiry::Get(Arc::clone(path))),
            Question::Tcp => Some(Inquiry::Connect),
            Question::None => match self.health {
                Health::Up => None,
                Health::Down => Some(Inquiry::Connect),
                // A process that hangs accepts connections as before: the kernel does that for it.
                Health::Ejected => Some(Inquiry::Ping),
            },
        }
    }

    /// How long it may take to answer.
    pub(crate) fn patience(&self, inquiry: &Inquiry, pace: &Pace) -> Duration {
        if *inquiry == Inquiry::Connect && !self.is_checked() { pace.patience } else { self.spec.check.timeout }
    }

    /// When it is asked for the first time as what it is now.
    pub(crate) fn first_due(&self, now: Moment) -> Moment {
        if self.health == Health::Ejected { self.replica.retry_at(&self.spec).max(now) } else { now }
    }

    /// Somebody else may have changed its health. Tells whether that is so.
    pub(crate) fn notice(&mut self, now: Moment) -> bool {
        let health = self.replica.health();
        let is_other = health != self.health;
        if is_other {
            self.turned(health, now);
        }
        is_other
    }

    /// That requests took it out, if they did.
    pub(crate) fn ejection(&self) -> Option<Turn> {
        match self.health {
            Health::Ejected => Some(Turn::Ejected),
            Health::Down if self.replica.has_refused() => Some(Turn::Refused),
            Health::Down | Health::Up => None,
        }
    }

    /// The user wants something else of its service. Tells what became of it, and whether it is to be asked anew.
    pub(crate) fn prescribe(&mut self, spec: &Arc<Spec>, now: Moment) -> (Option<Turn>, bool) {
        if *spec == self.spec {
            return (None, false);
        }
        let old = std::mem::replace(&mut self.spec, Arc::clone(spec));
        if old.check == self.spec.check {
            return (None, false);
        }
        self.streak = 0;
        // One that is down because nobody is there stays down: it was found so, checked or not.
        let is_freed = !self.is_checked() && self.health == Health::Down && !self.is_away;
        let turn = is_freed.then(|| self.turn_to(Health::Up, Turn::Unchecked, now)).flatten();
        (turn, true)
    }

    /// It was asked and has answered. Tells what became of it.
    pub(crate) fn answered(&mut self, inquiry: &Inquiry, answer: Answer, now: Moment) -> Option<Turn> {
        let verdict = self.verdict(inquiry, answer);
        if verdict == Verdict::Unknown {
            return None;
        }
        let was_away = std::mem::replace(&mut self.is_away, verdict == Verdict::Away);
        if self.is_away && !was_away {
            self.pause = Duration::ZERO;
        }
        match (self.health, verdict) {
            (Health::Up, Verdict::Well) => self.break_streak(),
            (Health::Down, Verdict::Unwell | Verdict::Away) => {
                self.break_streak();
                self.complain(answer, now)
            }
            (Health::Ejected, Verdict::Away) => self.turn_to(Health::Down, Turn::Away, now),
            (Health::Ejected, Verdict::Well) => self.turn_to(Health::Up, Turn::Back(answer), now),
            (Health::Ejected, Verdict::Unwell) if !self.is_checked() => self.second_chance(answer, now),
            (Health::Down, _) => {
                let is_for_checks = self.is_checked() && !self.replica.has_refused();
                let enough = if is_for_checks { self.spec.check.up } else { 1 };
                self.count(enough, Health::Up, Turn::Back(answer), now)
            }
            (Health::Up | Health::Ejected, _) => {
                let enough = self.spec.check.down;
                self.count(enough, Health::Down, Turn::Failed(enough, answer), now)
            }
        }
    }

    /// When it is asked next after an answer.
    pub(crate) fn next_due(&mut self, pace: &Pace, random: &mut fastrand::Rng, now: Moment) -> Moment {
        let age = now.since(self.since);
        let is_new = !self.was_up && (age < pace.young || !self.is_checked());
        let pings = self.health == Health::Ejected && !self.is_checked();
        self.pause = if self.is_away || self.health == Health::Down && (is_new || !self.is_checked()) {
            pace.quick(self.pause, age)
        } else if pings {
            let rules = &self.spec.ejection;
            self.pause.saturating_mul(2).clamp(rules.time.min(rules.most), rules.most).max(pace.first)
        } else {
            let interval = self.spec.check.interval;
            // A tenth more or less: those that began together drift apart.
            (interval - interval / 10).saturating_add((interval / 5).mul_f32(random.f32())).max(pace.first)
        };
        now + self.pause
    }

    fn is_checked(&self) -> bool {
        self.spec.check.question != Question::None
    }

    fn verdict(&self, inquiry: &Inquiry, answer: Answer) -> Verdict {
        let by = |is_well| if is_well { Verdict::Well } else { Verdict::Unwell };
        match (answer, inquiry) {
            (Answer::Accepted, _) => Verdict::Well,
            (Answer::Unasked, _) => Verdict::Unknown,
            (Answer::Refused, _) | (Answer::Silent, Inquiry::Connect) => Verdict::Away,
            (Answer::Silent | Answer::Broken, _) => Verdict::Unwell,
            (Answer::Status(status), Inquiry::Get(_)) => by(self.spec.check.statuses.contains(&status)),
            // Whatever it thinks of the ping, it answers. 501 and 505 say no more than that it does not know it.
            (Answer::Status(status), _) => by(status < 500 || status == 501 || status == 505),
        }
    }

    fn break_streak(&mut self) -> Option<Turn> {
        self.streak = 0;
        None
    }

    fn count(&mut self, enough: u32, to: Health, turn: Turn, now: Moment) -> Option<Turn> {
        self.streak = self.streak.saturating_add(1);
        if self.streak >= enough { self.turn_to(to, turn, now) } else { None }
    }

    /// A server may answer our ping with a 500 because it does not understand it. When it has done so for as long as a replica
    /// is kept out at most, a request decides: if that fails as well, the replica is out again at once.
    fn second_chance(&mut self, answer: Answer, now: Moment) -> Option<Turn> {
        let answers = matches!(answer, Answer::Status(_));
        if answers && self.pause >= self.spec.ejection.most {
            return self.turn_to(Health::Up, Turn::Back(answer), now);
        }
        None
    }

    fn complain(&mut self, answer: Answer, now: Moment) -> Option<Turn> {
        let is_late = !self.was_up && !self.is_late_said && now.since(self.since) >= LATE;
        self.is_late_said |= is_late;
        is_late.then_some(Turn::Late(answer))
    }

    /// Changes its health, unless somebody else has; then the next look sees what it is.
    fn turn_to(&mut self, to: Health, turn: Turn, now: Moment) -> Option<Turn> {
        let is_changed = if (self.health, to) == (Health::Ejected, Health::Up) {
            self.replica.readmit(&self.spec, now)
        } else {
            self.replica.change_health(self.health, to)
        };
        let is_away = self.is_away;
        if is_changed {
            self.turned(to, now);
            self.is_away = is_away && to == Health::Down;
        }
        is_changed.then_some(turn)
    }

    fn turned(&mut self, health: Health, now: Moment) {
        self.was_up |= health != Health::Down;
        self.health = health;
        self.since = now;
        self.pause = Duration::ZERO;
        self.streak = 0;
        self.is_away = self.replica.has_refused();
    }
}
