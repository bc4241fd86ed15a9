//! One row of the table: a running container, and what follows from it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use divisi_model::{Readiness, Replica};
use thiserror::Error;

use crate::compose::Identity;
use crate::container::{Container, ContainerId, Health, Life};
use crate::network::{self, NoPath, Standpoint};
use crate::port::Port;
use crate::timeline::Timeline;

/// Why a container gets no requests although it runs.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unroutable {
    /// Nobody has said yet what it looks like; this passes.
    #[error("not inspected yet")]
    Unseen,
    /// It has no port.
    #[error("no exposed TCP port: write \"expose: [8080]\" (with its port) at its service")]
    NoPort,
    /// It has no address that can be reached.
    #[error(transparent)]
    NoPath(#[from] NoPath),
}

/// A running container, and what follows from it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What the engine said.
    pub(crate) container: Container,
    /// Which replica it is.
    pub(crate) identity: Identity,
    /// Whether anything but its start is known.
    pub(crate) seen: bool,
    /// The table's clock when this run of the container was first heard of.
    pub(crate) born: u64,
    /// When what happened to it, by the engine's clock.
    pub(crate) timeline: Timeline,
    /// The table's clock when an event last told its state.
    pub(crate) touched: u64,
    /// Whether an inspection is under way.
    pub(crate) asked: bool,
    /// Whether an inspection failed; the next list allows another.
    pub(crate) failed: bool,
    /// What the log last said about its inspection.
    pub(crate) nonsense: Option<String>,
    /// Signals, and when they came, of which only an inspection can tell whether they begin the stop.
    pub(crate) signalled: Vec<(u8, Instant)>,
    /// Until when its stop may take.
    pub(crate) draining: Option<Instant>,
    /// Whether its port accepted a connection in this run.
    pub(crate) accepts: bool,
    /// Whether its port refused a connection since the engine last told of its state.
    pub(crate) refuses: bool,
    /// Among the containers of its service; None while its labels were not read.
    pub(crate) age: Option<(i64, u64, ContainerId)>,
    /// How many times the share of a replica of weight 1 it gets.
    pub(crate) weight: u32,
    /// What the request's way knows of it.
    pub(crate) replica: Option<Arc<Replica>>,
    /// What the log last said about why it is not routed.
    pub(crate) complaint: Option<Unroutable>,
}

impl Entry {
    /// A container that was first heard of at `clock`.
    pub(crate) fn new(container: Container, identity: Identity, clock: u64) -> Self {
        Self {
            container,
            identity,
            seen: true,
            born: clock,
            timeline: Timeline::default(),
            touched: clock,
            asked: false,
            failed: false,
            nonsense: None,
            signalled: Vec::new(),
            draining: None,
            accepts: false,
            refuses: false,
            age: None,
            weight: 1,
            replica: None,
            complaint: None,
        }
    }

    /// Where it listens, seen from `standpoint`.
    pub(crate) fn addr(&self, standpoint: &Standpoint) -> Result<SocketAddr, Unroutable> {
        if !self.seen {
            return Err(Unroutable::Unseen);
        }
        let port = match self.container.port {
            Port::At(port) => port,
            Port::None => return Err(Unroutable::NoPort),
            Port::Unknown => return Err(Unroutable::Unseen),
        };
        Ok(SocketAddr::new(network::choose(standpoint, &self.container.networking)?, port))
    }

    /// Whether it may get requests.
    pub(crate) fn readiness(&self) -> Readiness {
        match (self.container.life, self.container.health) {
            _ if self.draining.is_some() => Readiness::Draining,
            (Life::Ended, _) => Readiness::Gone,
            (Life::Paused, _) => Readiness::Paused,
            (Life::Running, _) if self.refuses => Readiness::Starting,
            (Life::Running, Health::Healthy) => Readiness::Ready,
            (Life::Running, Health::Unhealthy) => Readiness::Unhealthy,
            (Life::Running, Health::Unchecked) if self.accepts => Readiness::Ready,
            (Life::Running, Health::Unknown | Health::Unchecked | Health::Starting) => Readiness::Starting,
        }
    }

    /// Takes over what an engine answer says. `state` tells whether no event said anything newer about its state.
    pub(crate) fn learn(&mut self, container: Container, state: bool) {
        let old = std::mem::replace(&mut self.container, container);
        self.seen = true;
        self.refuses &= !state;
        if !state {
            self.container.life = old.life;
        }
        let says_health = self.container.health != Health::Unknown;
        if !(state && says_health) && old.health != Health::Unknown {
            self.container.health = old.health;
        }
        if self.container.port == Port::Unknown {
            self.container.port = old.port;
        }
        self.container.stop = self.container.stop.or(old.stop);
        self.container.started = self.container.started.or(old.started);
    }
}
