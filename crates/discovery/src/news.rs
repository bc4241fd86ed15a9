//! What the log says about replicas: one line each, unless many change at once.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tracing::{info, warn};

/// What became of a replica.
#[derive(Debug)]
pub(crate) enum Turn<'a> {
    /// It gets requests, at this address.
    Ready(SocketAddr),
    /// Its HEALTHCHECK says that it cannot answer.
    Unhealthy,
    /// It is frozen.
    Paused,
    /// Its stop has begun.
    Draining,
    /// It should have ended long ago and has not.
    Survived,
    /// It has ended.
    Gone,
    /// It cannot get requests, and this is why.
    Unroutable(&'a str),
    /// It is another project's, on other networks: another divisi's, which is usual, or one that a network is missing.
    OutOfReach(&'a str),
    /// Not all that the engine says of it can be read.
    Unreadable(&'a str),
    /// A label of it cannot be read.
    Mislabelled(&'a str),
}

impl fmt::Display for Turn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(addr) => write!(f, "is ready at {addr}"),
            Self::Unhealthy => f.write_str("is unhealthy: its HEALTHCHECK says so"),
            Self::Paused => f.write_str("is paused"),
            Self::Draining => f.write_str("is draining: its stop began"),
            Self::Survived => f.write_str("still runs after its stop timeout: it is probed again"),
            Self::Gone => f.write_str("is gone"),
            Self::Mislabelled(why) => write!(f, "has a label that is passed over: {why}"),
            Self::Unreadable(why) => write!(f, "cannot be inspected: {why}"),
            Self::Unroutable(why) | Self::OutOfReach(why) => write!(f, "is not routed: {why}"),
        }
    }
}

/// Writes the log, a bounded number of lines per second.
#[derive(Debug, Default)]
pub(crate) struct News {
    since: Option<Instant>,
    written: usize,
    warned: usize,
    held: usize,
    held_warnings: usize,
}

impl News {
    const PERIOD: Duration = Duration::from_secs(1);
    /// Lines of each kind.
    const PER_PERIOD: usize = 20;

    /// Tells of one replica; `before` and `after` count the ready ones of its service.
    pub(crate) fn tell(&mut self, now: Instant, name: &str, turn: &Turn<'_>, before: usize, after: usize) {
        self.flush(now);
        self.since.get_or_insert(now);
        let is_usual = matches!(turn, Turn::OutOfReach(_));
        let is_warning = matches!(turn, Turn::Unroutable(_) | Turn::Unreadable(_) | Turn::Mislabelled(_));
        let (written, held) = if is_warning || is_usual {
            (&mut self.warned, &mut self.held_warnings)
        } else {
            (&mut self.written, &mut self.held)
        };
        if *written >= Self::PER_PERIOD {
            *held += 1;
            return;
        }
        *written += 1;
        match turn {
            _ if is_warning => warn!("replica {name} {turn}"),
            _ if is_usual || before == after => info!("replica {name} {turn}"),
            _ => info!("replica {name} {turn} ({before} \u{2192} {after} ready)"),
        }
    }

    /// Sums up what was held back, once its second is over.
    pub(crate) fn flush(&mut self, now: Instant) {
        if self.due().is_some_and(|due| due <= now) {
            self.sum_up();
            *self = Self::default();
        }
    }

    /// When [`flush`](Self::flush) has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + Self::PERIOD)
    }

    /// Holds back all but warnings until the second is over: the first list is one line, however long it is.
    pub(crate) fn hold(&mut self, now: Instant) {
        self.flush(now);
        self.since = Some(now);
        self.written = Self::PER_PERIOD;
    }

    fn sum_up(&self) {
        if self.held > 0 {
            info!("{} more changes of replicas; `divisi ps` shows how they are", self.held);
        }
        if self.held_warnings > 0 {
            warn!(
                "{} more containers or labels have something wrong with them; `divisi ps` shows them",
                self.held_warnings
            );
        }
    }
}
