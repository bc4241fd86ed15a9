//! What the log says about replicas that go out and come back: one line each, unless many do at once.

use std::fmt;
use std::time::Duration;

use divisi_model::Moment;
use tracing::{info, warn};

use crate::patient::Turn;

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ejected => f.write_str("is out: requests failed at it, one after the other"),
            Self::Refused => f.write_str("is down: it refused a connection"),
            Self::Away => f.write_str("is down: it accepts no connections"),
            Self::Failed(1, last) => write!(f, "is down: its check failed ({last})"),
            Self::Failed(times, last) => write!(f, "is down: its check failed {times} times in a row ({last})"),
            Self::Late(last) => write!(f, "gets no requests yet: its check has failed since it is there ({last})"),
            Self::Back(answer) => write!(f, "is well: it was asked ({answer})"),
            Self::Unchecked => f.write_str("counts as well: it is not checked any more"),
        }
    }
}

impl Turn {
    fn is_good(&self) -> bool {
        matches!(self, Self::Back(_) | Self::Unchecked)
    }
}

/// Writes the log, a bounded number of lines per second.
#[derive(Debug, Default)]
pub(crate) struct News {
    since: Option<Moment>,
    written: usize,
    held_good: usize,
    held_bad: usize,
}

impl News {
    const PERIOD: Duration = Duration::from_secs(1);
    const PER_PERIOD: usize = 20;

    /// Tells of one replica.
    pub(crate) fn tell(&mut self, now: Moment, name: &str, turn: &Turn) {
        self.flush(now);
        self.since.get_or_insert(now);
        if self.written >= Self::PER_PERIOD {
            *(if turn.is_good() { &mut self.held_good } else { &mut self.held_bad }) += 1;
            return;
        }
        self.written += 1;
        if turn.is_good() { info!("replica {name} {turn}") } else { warn!("replica {name} {turn}") }
    }

    /// Sums up what was held back, once its second is over.
    pub(crate) fn flush(&mut self, now: Moment) {
        if self.due().is_some_and(|due| due <= now) {
            match (self.held_good, self.held_bad) {
                (0, 0) => {}
                (good, 0) => info!("{good} more replicas are well"),
                (good, bad) => warn!("{bad} more times a replica went out or down, {good} more times one is well"),
            }
            *self = Self::default();
        }
    }

    /// When [`flush`](Self::flush) has something to do.
    pub(crate) fn due(&self) -> Option<Moment> {
        self.since.map(|since| since + Self::PERIOD)
    }
}
