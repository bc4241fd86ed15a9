//! One row of the table: a running container, and what follows from it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use divisi_labels::Wish;
use divisi_model::{Readiness, Replica, Slot, Speech};
use thiserror::Error;

use crate::compose::Identity;
use crate::container::{Container, ContainerId, Health, Life};
use crate::network::{self, NoPath, Standpoint};
use crate::port::Port;
use crate::timeline::Timeline;

/// Newest last: by when the container was made, then by when this run of it was first heard of. Labels are fixed when a
/// container is made, so one that is older and was restarted says nothing new.
pub(crate) type Age = (i64, u64, ContainerId);

/// Why a container gets no requests although it runs.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unroutable {
    /// Nobody has said yet what it looks like; this passes.
    #[error("not inspected yet")]
    Unseen,
    /// It has no port.
    #[error("no exposed TCP port: write \"expose: [8080]\" (with its port) at its service, or the label divisi.port")]
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
    /// What it wants.
    pub(crate) wish: Understood,
    /// The services of which it is a replica.
    pub(crate) places: Vec<Place>,
    /// Whether these follow from what is wanted by now.
    pub(crate) is_placed: bool,
    /// Why it is a replica of none, although its labels want it to be one.
    pub(crate) out_of_reach: Option<Unroutable>,
}

/// What a container wants, as far as that is understood.
#[derive(Debug, Default)]
pub(crate) struct Understood {
    /// What it wants; None while nothing was read.
    pub(crate) wish: Option<Arc<Wish>>,
    /// Whether its environment was read, too.
    pub(crate) is_whole: bool,
    /// Where it stands among the containers of its service; None while nothing was read.
    pub(crate) age: Option<Age>,
}

/// A container as a replica of one service.
#[derive(Debug)]
pub(crate) struct Place {
    /// The service.
    pub(crate) slot: Slot,
    /// The port that is said for it; None for the one that the container exposes.
    pub(crate) port: Option<u16>,
    /// How it is spoken to there.
    pub(crate) speech: Arc<Speech>,
    /// Whether somebody has asked for it, so that he wants to know why it cannot be.
    pub(crate) is_asked: bool,
    /// Whether its port accepted a connection in this run.
    pub(crate) accepts: bool,
    /// Whether its port refused a connection since the engine last told of its state.
    pub(crate) refuses: bool,
    /// What the request's way knows of it.
    pub(crate) replica: Option<Arc<Replica>>,
    /// What the log last said about why it is not routed.
    pub(crate) complaint: Option<Unroutable>,
}

impl Place {
    /// One of which nothing is known yet.
    pub(crate) fn new(slot: Slot, port: Option<u16>, speech: Arc<Speech>, is_asked: bool) -> Self {
        Self { slot, port, speech, is_asked, accepts: false, refuses: false, replica: None, complaint: None }
    }
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
            wish: Understood::default(),
            places: Vec::new(),
            is_placed: false,
            out_of_reach: None,
        }
    }

    /// How many times the share of a replica of weight 1 it gets.
    pub(crate) fn weight(&self) -> u32 {
        self.wish.wish.as_ref().map_or(1, |wish| wish.weight)
    }

    /// The network on which it wants to be reached.
    pub(crate) fn network(&self) -> Option<&str> {
        self.wish.wish.as_ref()?.network.as_deref()
    }

    /// Its port at a place where `said` is said; an error where it has none, or nobody knows yet.
    pub(crate) fn port(&self, said: Option<u16>) -> Result<u16, Unroutable> {
        match (said, self.container.port) {
            (Some(port), _) | (None, Port::At(port)) => Ok(port),
            (None, Port::None) => Err(Unroutable::NoPort),
            (None, Port::Unknown) => Err(Unroutable::Unseen),
        }
    }

    /// Where it listens, seen from `standpoint`, at a place where the port `said` is said.
    pub(crate) fn addr(&self, said: Option<u16>, standpoint: &Standpoint) -> Result<SocketAddr, Unroutable> {
        if !self.seen {
            return Err(Unroutable::Unseen);
        }
        let port = self.port(said)?;
        let path = network::choose(standpoint, &self.container.networking, self.network())?;
        Ok(SocketAddr::new(path.ip, port))
    }

    /// Whether it may get requests at a place.
    pub(crate) fn readiness(&self, place: &Place) -> Readiness {
        match (self.container.life, self.container.health) {
            _ if self.draining.is_some() => Readiness::Draining,
            (Life::Ended, _) => Readiness::Gone,
            (Life::Paused, _) => Readiness::Paused,
            (Life::Running, _) if place.refuses => Readiness::Starting,
            (Life::Running, Health::Healthy) => Readiness::Ready,
            (Life::Running, Health::Unhealthy) => Readiness::Unhealthy,
            (Life::Running, Health::Unchecked) if place.accepts => Readiness::Ready,
            (Life::Running, Health::Unknown | Health::Unchecked | Health::Starting) => Readiness::Starting,
        }
    }

    /// It is another run of the same container, or may be: what its ports said is no longer true.
    pub(crate) fn forget_answers(&mut self) {
        self.places.iter_mut().for_each(|place| place.accepts = false);
    }

    /// Takes over what an engine answer says. `state` tells whether no event said anything newer about its state.
    pub(crate) fn learn(&mut self, container: Container, state: bool) {
        let old = std::mem::replace(&mut self.container, container);
        self.seen = true;
        self.places.iter_mut().for_each(|place| place.refuses &= !state);
        // It may be within reach by now.
        self.is_placed &= self.container.networking == old.networking || !self.places.is_empty();
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
        self.container.environment = self.container.environment.take().or(old.environment);
    }
}
