//! The containers and processes as they truly are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::compose::{Identity, ServiceKey};
use crate::container::{Container, ContainerId, Health, Life, Said, StopRule};
use crate::network::{Attachment, Networking};
use crate::port::Port;
use crate::signal;

/// What a process does while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Process {
    /// It does not listen yet, or not any more.
    Deaf,
    /// It answers.
    Serving,
    /// It answers everything with 500.
    Failing,
    /// It accepts and does not answer.
    Hanging,
}

/// A container in the world, in one of its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) run: u64,
}

/// A container as it truly is.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    pub(super) id: ContainerId,
    pub(super) name: String,
    pub(super) identity: Identity,
    pub(super) ip: u8,
    pub(super) life: Life,
    pub(super) is_removed: bool,
    pub(super) health: Health,
    pub(super) process: Process,
    pub(super) stop: StopRule,
    pub(super) port: Port,
    /// Counts its starts.
    pub(super) run: u64,
    /// By the engine's clock, in nanoseconds.
    pub(super) started: i64,
    created: i64,
    labels: Said,
    pub(super) is_stopping: bool,
    pub(super) is_restarted: bool,
}

/// Whom a connection meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meeting {
    /// Nobody has that address.
    Nobody,
    /// Somebody has it and does not listen.
    Refused,
    /// It was accepted.
    Accepted(Place),
}

/// All containers there ever were.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) truths: Vec<Truth>,
}

impl World {
    const PORT: u16 = 80;
    /// So few addresses that they are used again soon.
    const ADDRESSES: u8 = 24;

    /// A new container, which does not run yet.
    pub(super) fn make(&mut self, service: &str, number: u32, clock: i64, random: &mut fastrand::Rng) -> usize {
        let at = self.truths.len();
        let key = ServiceKey { project: "shop".into(), service: service.into() };
        let has_check = random.u8(..4) == 0;
        self.truths.push(Truth {
            id: format!("{at:064x}").into(),
            name: format!("shop-{service}-{at}"),
            identity: Identity { key, number },
            ip: 0,
            life: Life::Ended,
            is_removed: false,
            health: if has_check { Health::Starting } else { Health::Unchecked },
            process: Process::Deaf,
            stop: StopRule {
                signal: if random.u8(..4) == 0 { 3 } else { signal::TERM },
                timeout: Duration::from_millis(random.u64(200..4000)),
            },
            port: if random.u8(..12) == 0 { Port::None } else { Port::At(Self::PORT) },
            run: 0,
            started: 0,
            created: clock,
            labels: labels(random),
            is_stopping: false,
            is_restarted: random.u8(..3) == 0,
        });
        at
    }

    /// It gets an address and a process that does not listen yet.
    pub(super) fn start(&mut self, at: usize, clock: i64, random: &mut fastrand::Rng) -> Place {
        let ip = self.free_address(random);
        let truth = &mut self.truths[at];
        truth.life = Life::Running;
        truth.process = Process::Deaf;
        truth.ip = ip;
        truth.run += 1;
        truth.started = clock;
        truth.is_stopping = false;
        if truth.health != Health::Unchecked {
            truth.health = Health::Starting;
        }
        Place { at, run: truth.run }
    }

    /// An address that nobody has.
    pub(super) fn free_address(&self, random: &mut fastrand::Rng) -> u8 {
        loop {
            let ip = random.u8(1..=Self::ADDRESSES);
            if !self.truths.iter().any(|truth| truth.life != Life::Ended && truth.ip == ip) {
                return ip;
            }
        }
    }

    /// Those that are what `wanted` says.
    pub(super) fn those(&self, wanted: impl Fn(&Truth) -> bool) -> Vec<usize> {
        self.truths.iter().enumerate().filter(|(_, truth)| wanted(truth)).map(|(at, _)| at).collect()
    }

    /// The container in that run, unless that run is over.
    pub(super) fn running(&mut self, place: Place) -> Option<&mut Truth> {
        let truth = self.truths.get_mut(place.at)?;
        (truth.run == place.run && truth.life != Life::Ended).then_some(truth)
    }

    /// Whom a connection to `addr` meets. A frozen process accepts as before: the kernel does that for it.
    pub(super) fn meet(&self, addr: SocketAddr) -> Meeting {
        let holds = |truth: &Truth| truth.life != Life::Ended && truth.addr() == addr;
        match self.truths.iter().position(holds) {
            None => Meeting::Nobody,
            Some(at) if self.truths[at].process == Process::Deaf => Meeting::Refused,
            Some(at) => Meeting::Accepted(Place { at, run: self.truths[at].run }),
        }
    }
}

/// Most containers say nothing; the others change what is wanted of the service while they are its newest.
fn labels(random: &mut fastrand::Rng) -> Said {
    let said = match random.u8(..16) {
        0 => ("divisi.health", "tcp"),
        1 => ("divisi.health", "/up"),
        2 => ("divisi.health", "off"),
        3 => ("divisi.limit", "1"),
        4 => ("divisi.limit", "off"),
        5 => ("divisi.weight", "3"),
        6 => ("divisi.weight", "heavy"),
        _ => return Said::default(),
    };
    Said::labels([(said.0.to_owned(), said.1.to_owned())].into())
}

impl Truth {
    /// Where it listens.
    pub(super) fn addr(&self) -> SocketAddr {
        SocketAddr::new(self.ip(), World::PORT)
    }

    fn ip(&self) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, self.ip).into()
    }

    /// Whether it ought to get requests.
    pub(super) fn is_servable(&self) -> bool {
        *self.identity.key.service == *"web"
            && self.life == Life::Running
            && matches!(self.port, Port::At(_))
            && matches!(self.health, Health::Unchecked | Health::Healthy)
    }

    /// What an inspection says of it.
    pub(super) fn inspected(&self) -> Container {
        Container {
            id: self.id.clone(),
            name: self.name.clone(),
            identity: Some(self.identity.clone()),
            life: self.life,
            health: self.health,
            port: self.port,
            networking: Networking::Attached(vec![Attachment {
                network: "default".to_owned(),
                id: String::new(),
                ip: (self.life != Life::Ended).then(|| self.ip()),
                gateway: None,
            }]),
            stop: Some(self.stop),
            labels: self.labels.clone(),
            environment: Some(Said::default()),
            created: self.created / 1_000_000_000,
            started: Some(self.started),
        }
    }

    /// What the list says of it, which is less.
    pub(super) fn listed(&self) -> Container {
        let is_paused = self.life == Life::Paused;
        Container {
            health: if is_paused { Health::Unknown } else { self.health },
            port: if self.port == Port::None { Port::Unknown } else { self.port },
            stop: None,
            environment: None,
            started: None,
            ..self.inspected()
        }
    }
}
