//! A proxy with ports open for TCP.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use divisi_model::route::{Door, Origin, Route, Rule, Way};
use divisi_model::tcp::{Ports, Standing};
use divisi_model::{Card, Readiness, Replica, Service, Slot, Snapshot, Spec, Unrouted};
use divisi_proxy::{AccessLog, Settings};
use divisi_testkit::client::Client;
use divisi_testkit::conn::Conn;
use divisi_testkit::wait;

use crate::support::{Proxy, settings};

/// A port that nobody has and nobody else of these tests will take. Below those that the kernel gives to whoever connects.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 900).expect("small") * 12;
    loop {
        let port = 20_000 + (begin + NEXT.fetch_add(1, Ordering::SeqCst)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Says first what it is, and then sends back what comes, until the client has ended; then it says goodbye.
pub(crate) fn greeting(conn: &mut Conn) -> io::Result<()> {
    conn.send("220 hello\r\n")?;
    echo(conn)?;
    conn.send("bye")
}

/// Sends back what comes, until the client has ended.
pub(crate) fn echo(conn: &mut Conn) -> io::Result<()> {
    loop {
        let bytes = conn.read_some()?;
        if bytes.is_empty() {
            return Ok(());
        }
        conn.send(bytes)?;
    }
}

pub(crate) fn any() -> Rule {
    Rule::host("*").expect("a rule")
}

/// A route of that port to the service in a slot; with a name inside TLS, which is passed on.
pub(crate) fn route(port: u16, rule: Rule, door: Door, slot: usize) -> (u16, Route) {
    let origin =
        Origin { id: format!("shop/{slot}").into(), container: "shop-db-1".into(), label: "divisi.tcp".into() };
    let way = Way { slot: Slot(slot), door, passes_tls: true, ..Way::default() };
    (port, Route::new(format!("{port}"), rule, format!("service {slot}"), origin).with_way(way))
}

/// A proxy with one service and a port of it.
pub(crate) struct Stage {
    pub(crate) proxy: Proxy,
    pub(crate) service: Service,
    pub(crate) members: Vec<Arc<Replica>>,
    pub(crate) port: u16,
}

impl Stage {
    pub(crate) fn before(addrs: &[SocketAddr]) -> Self {
        Self::with(settings(), Spec { slow_start: std::time::Duration::ZERO, ..crate::support::spec() }, addrs, None)
    }

    pub(crate) fn with(settings: Settings, spec: Spec, addrs: &[SocketAddr], log: Option<AccessLog>) -> Self {
        Self::of_cards(settings, spec, addrs, log, |number| Card::new(format!("shop-db-{number}"), number))
    }

    pub(crate) fn of_cards(
        settings: Settings,
        spec: Spec,
        addrs: &[SocketAddr],
        log: Option<AccessLog>,
        card: impl Fn(u32) -> Card,
    ) -> Self {
        let service = Service::new("db", spec);
        let member = |(number, addr): (u32, &SocketAddr)| service.replica(card(number), *addr, Readiness::Ready);
        let members: Vec<_> = (1..).zip(addrs).map(member).collect();
        let port = free_port();
        let ports = Ports::build(vec![route(port, any(), Door::Plain, 0)]).0;
        let first = snapshot(&service, &members, ports);
        let proxy = Proxy::logged(settings, first, Vec::new(), log);
        let stage = Self { proxy, service, members, port };
        stage.wait_open();
        stage
    }

    /// From now on these are ready.
    pub(crate) fn ready(&self, members: &[Arc<Replica>]) {
        self.publish(members, vec![route(self.port, any(), Door::Plain, 0)]);
    }

    /// From now on these are ready, and there are these routes.
    pub(crate) fn publish(&self, members: &[Arc<Replica>], routes: Vec<(u16, Route)>) {
        self.proxy.published.publish(snapshot(&self.service, members, Ports::build(routes).0));
    }

    pub(crate) fn member(&self, number: u32, addr: SocketAddr) -> Arc<Replica> {
        self.service.replica(Card::new(format!("shop-db-{number}"), number), addr, Readiness::Ready)
    }

    pub(crate) fn wait_open(&self) {
        self.wait_for(self.port, &Standing::Open);
    }

    pub(crate) fn wait_for(&self, port: u16, standing: &Standing) {
        wait::until("the port stands so", || self.proxy.published.listening().of(port) == *standing);
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.addr())
    }
}

fn snapshot(service: &Service, members: &[Arc<Replica>], ports: Ports) -> Snapshot {
    let service = service.with_replicas(members.to_vec(), members.len());
    let nowhere = Unrouted::nowhere("only TCP here");
    Snapshot::new(vec![Some(Arc::new(service))], divisi_model::route::RoutingTable::default(), Err(nowhere))
        .with_ports(Arc::new(ports))
}
