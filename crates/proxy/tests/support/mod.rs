//! A proxy before scripted replicas, as every test here needs one.
#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use divisi_model::spec::HoldLimits;
use divisi_model::{Card, Policy, Published, Readiness, Service, Snapshot, Spec};
use divisi_proxy::{AccessLog, Limits, Running, Settings};
use divisi_testkit::client::{Client, Response, fetch};
use divisi_testkit::replica::Replica;
use divisi_tls::Vault;

/// A running proxy; dropping it stops it without waiting.
pub(crate) struct Proxy {
    pub(crate) running: Option<Running>,
    pub(crate) published: Arc<Published>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) service: Service,
    pub(crate) members: Vec<Arc<divisi_model::Replica>>,
    addr: SocketAddr,
}

/// What an untouched divisi uses, on one worker and a free port.
pub(crate) fn settings() -> Settings {
    Settings::at(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// Replicas in turn, and a short wait for one: many tests have none.
pub(crate) fn spec() -> Spec {
    let hold = HoldLimits { time: Duration::from_millis(200), ..HoldLimits::default() };
    Spec { policy: Policy::RoundRobin, hold, ..Spec::default() }
}

impl Proxy {
    /// A proxy with plain settings before those replicas, which it takes in turn.
    pub(crate) fn before(replicas: &[&Replica]) -> Self {
        Self::with(settings(), replicas)
    }

    /// A proxy whose limits were changed by `change`.
    pub(crate) fn limited(change: impl FnOnce(&mut Limits), replicas: &[&Replica]) -> Self {
        let mut settings = settings();
        change(&mut settings.limits);
        Self::with(settings, replicas)
    }

    /// A proxy with those settings before those replicas.
    pub(crate) fn with(settings: Settings, replicas: &[&Replica]) -> Self {
        let addrs: Vec<_> = replicas.iter().map(|replica| replica.addr()).collect();
        Self::at(settings, &addrs)
    }

    /// A proxy before replicas at those addresses, whether anybody listens there or not.
    pub(crate) fn at(settings: Settings, addrs: &[SocketAddr]) -> Self {
        Self::of(settings, spec(), addrs)
    }

    /// The same for a service of which `spec` is wanted.
    pub(crate) fn of(settings: Settings, spec: Spec, addrs: &[SocketAddr]) -> Self {
        Self::logging(settings, spec, addrs, None)
    }

    /// The same, whose exchanges go to that log.
    pub(crate) fn logging(settings: Settings, spec: Spec, addrs: &[SocketAddr], log: Option<AccessLog>) -> Self {
        let service = Service::new("web", spec);
        let card =
            |number| Card { token: format!("web.{number}.signed"), ..Card::new(format!("web-{number}"), number) };
        let member = |(number, addr): (u32, &SocketAddr)| service.replica(card(number), *addr, Readiness::Ready);
        let members: Vec<_> = (1..).zip(addrs).map(member).collect();
        let service = service.with_replicas(members.clone(), members.len());
        let snapshot = Snapshot::of(Arc::new(service.clone()));
        let mut proxy = Self::started(settings, snapshot, members, log, Vault::new().expect("random numbers"));
        proxy.service = service;
        proxy
    }

    /// From now on these are ready.
    pub(crate) fn ready(&self, members: &[Arc<divisi_model::Replica>]) {
        let service = self.service.with_replicas(members.to_vec(), members.len());
        self.published.publish(Snapshot::of(Arc::new(service)));
    }

    /// A proxy with that snapshot.
    pub(crate) fn serving(settings: Settings, snapshot: Snapshot, members: Vec<Arc<divisi_model::Replica>>) -> Self {
        Self::started(settings, snapshot, members, None, Vault::new().expect("random numbers"))
    }

    /// The same, whose certificates are in `vault`.
    pub(crate) fn sealed(
        settings: Settings,
        snapshot: Snapshot,
        members: Vec<Arc<divisi_model::Replica>>,
        vault: Arc<Vault>,
    ) -> Self {
        Self::started(settings, snapshot, members, None, vault)
    }

    /// The same, whose exchanges go to that log.
    pub(crate) fn logged(
        settings: Settings,
        snapshot: Snapshot,
        members: Vec<Arc<divisi_model::Replica>>,
        log: Option<AccessLog>,
    ) -> Self {
        Self::started(settings, snapshot, members, log, Vault::new().expect("random numbers"))
    }

    fn started(
        settings: Settings,
        snapshot: Snapshot,
        members: Vec<Arc<divisi_model::Replica>>,
        log: Option<AccessLog>,
        vault: Arc<Vault>,
    ) -> Self {
        let published = Published::new(snapshot);
        let running =
            divisi_proxy::start(settings, Arc::clone(&published), Arc::clone(&vault), log).expect("the proxy starts");
        let addr = running.local_addr();
        Self { running: Some(running), published, vault, service: Service::new("web", spec()), members, addr }
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.addr)
    }

    /// One request on a connection of its own.
    pub(crate) fn fetch(&self, request: impl AsRef<[u8]>) -> Response {
        fetch(self.addr, request)
    }

    /// Stops it; whether everything had finished by the deadline.
    pub(crate) fn stop(&mut self, deadline: Duration) -> bool {
        self.running.take().is_none_or(|running| running.stop(deadline))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

/// Lets this process have thousands of connections, of which it has both ends.
pub(crate) fn allow_many_connections() {
    let files = rlimit::increase_nofile_limit(u64::MAX).expect("the limit of open files can be raised");
    assert!(files > 8 * 1024, "this test needs 8,192 open files and may have {files}");
}

/// A plain GET.
pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

/// An address on loopback where nobody listens, and nobody else will while this exists.
pub(crate) struct Nobody {
    socket: socket2::Socket,
}

impl Nobody {
    pub(crate) fn new() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        Self { socket }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        let addr = self.socket.local_addr().expect("a bound socket has an address");
        addr.as_socket().expect("an address of the internet")
    }
}
