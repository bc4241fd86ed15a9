//! A proxy between a client and replicas of one pair of protocols.

use std::future::Future;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_model::speech::{Scheme, Speech, Trust};
use divisi_model::{Card, Health, Readiness, Service, Snapshot, Spec};
use divisi_proxy::Settings;
use tokio::runtime::Builder;

use crate::client::Client;
use crate::replica::Replica;
use crate::seal;
use crate::support::{self, Proxy};

/// How long anything may take that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long the end of one side may take to reach the other, on a machine with much else to do.
pub(crate) const MOMENTS: Duration = Duration::from_secs(5);

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Downstream {
    Http1,
    Http1InTls,
    /// With prior knowledge.
    Http2,
    Http2InTls,
}

/// What is spoken on either side of the proxy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) client: Downstream,
    pub(crate) replica: Scheme,
}

impl Downstream {
    pub(crate) fn is_secure(self) -> bool {
        matches!(self, Self::Http1InTls | Self::Http2InTls)
    }

    pub(crate) fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Http2InTls)
    }

    /// Its name in ALPN.
    pub(crate) fn protocol(self) -> &'static [u8] {
        if self.is_http2() { b"h2" } else { b"http/1.1" }
    }

    /// Its URLs begin so.
    pub(crate) fn scheme(self) -> &'static str {
        if self.is_secure() { "https" } else { "http" }
    }
}

impl Pair {
    /// Whether the replica speaks HTTP/2.
    pub(crate) fn is_http2_upstream(self) -> bool {
        matches!(self.replica, Scheme::H2c | Scheme::H2)
    }
}

/// Runs a behaviour, which must come to an end.
pub(crate) fn run(behaviour: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("an event loop");
    let limited = async { tokio::time::timeout(PATIENCE * 3, behaviour).await };
    runtime.block_on(limited).expect("it comes to an end");
}

/// Waits until `condition` is true, and lets everybody work meanwhile.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A proxy between a client and replicas.
pub(crate) struct Stage {
    pub(crate) pair: Pair,
    proxy: Proxy,
    tls_addr: SocketAddr,
}

impl Deref for Stage {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        &self.proxy
    }
}

impl Stage {
    /// Before those replicas, all of them ready, in turn. One failure is enough to take a replica out, so that none goes unnoticed.
    pub(crate) fn before(pair: Pair, replicas: &[&Replica]) -> Self {
        Self::with(pair, spec(), settings(), replicas)
    }

    /// The same, but for what is wanted of the service and of the proxy.
    pub(crate) fn with(pair: Pair, spec: Spec, settings: Settings, replicas: &[&Replica]) -> Self {
        Self::trusting(pair, Trust::Authority(seal::FILE.into()), spec, settings, replicas)
    }

    /// The same, whose replicas prove in that way who they are.
    pub(crate) fn trusting(pair: Pair, trust: Trust, spec: Spec, settings: Settings, replicas: &[&Replica]) -> Self {
        let addrs: Vec<_> = replicas.iter().map(|replica| replica.addr()).collect();
        Self::made(pair, trust, spec, settings, &addrs)
    }

    /// With what divisi does by itself, before replicas at those addresses.
    pub(crate) fn at(pair: Pair, addrs: &[SocketAddr]) -> Self {
        Self::made(pair, Trust::Authority(seal::FILE.into()), support::spec(), settings(), addrs)
    }

    fn made(pair: Pair, trust: Trust, spec: Spec, settings: Settings, addrs: &[SocketAddr]) -> Self {
        let service = Service::new("web", spec);
        let speech = Arc::new(Speech { scheme: pair.replica, trust, ..Speech::default() });
        let card = |number| Card { speech: Arc::clone(&speech), ..Card::new(format!("web-{number}"), number) };
        let member = |(number, addr): (u32, &SocketAddr)| service.replica(card(number), *addr, Readiness::Ready);
        let members: Vec<_> = (1..).zip(addrs).map(member).collect();
        let service = service.with_replicas(members.clone(), members.len());
        let snapshot = Snapshot::of(Arc::new(service.clone()));
        let mut stage = Self::serving(pair, settings, snapshot, seal::vault());
        (stage.proxy.service, stage.proxy.members) = (service, members);
        stage
    }

    /// Whatever that snapshot says.
    pub(crate) fn serving(pair: Pair, settings: Settings, snapshot: Snapshot, vault: Arc<divisi_tls::Vault>) -> Self {
        let proxy = Proxy::sealed(settings, snapshot, Vec::new(), vault);
        let tls_addr = proxy.running.as_ref().and_then(divisi_proxy::Running::tls_addr).expect("it speaks TLS");
        Self { pair, proxy, tls_addr }
    }

    /// Where this client connects.
    pub(crate) fn door(&self) -> SocketAddr {
        if self.pair.client.is_secure() { self.tls_addr } else { self.proxy.addr() }
    }

    /// Where clients connect who speak TLS.
    pub(crate) fn tls_addr(&self) -> SocketAddr {
        self.tls_addr
    }

    /// A client with a connection of its own.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.door(), self.pair.client, None).await.expect("it is let in")
    }

    /// Nothing is in flight, and nobody is blamed for anything.
    pub(crate) async fn assert_at_peace(&self) {
        until("every lease is given back", || self.proxy.members.iter().all(|replica| replica.in_flight() == 0)).await;
        for replica in &self.proxy.members {
            assert_eq!(replica.health(), Health::Up, "{} is blamed", replica.name());
        }
    }

    /// Stops the proxy, on a thread of its own; whether everything had finished by the deadline.
    pub(crate) fn stop(&mut self, deadline: Duration) -> tokio::task::JoinHandle<bool> {
        let running = self.proxy.running.take().expect("it runs");
        tokio::task::spawn_blocking(move || running.stop(deadline))
    }
}

/// One failure takes a replica out.
pub(crate) fn spec() -> Spec {
    let mut spec = support::spec();
    spec.ejection.failures = 1;
    spec
}

/// Both doors on free ports.
pub(crate) fn settings() -> Settings {
    Settings { listen_tls: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..support::settings() }
}
