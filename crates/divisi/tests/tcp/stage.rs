//! A divisi that follows a fake engine, and ports of its own for labels to name.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use divisi_testkit::engine::{FakeContainer, FakeEngine};
use divisi_testkit::wait;

use crate::support::Program;

/// Everything a test plays with. All ends when it is dropped.
pub(crate) struct Stage {
    pub(crate) engine: FakeEngine,
    pub(crate) divisi: Program,
    /// Where everything of this test listens that is no divisi: nobody else on this machine uses it.
    pub(crate) ip: Ipv4Addr,
}

impl Stage {
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let engine = FakeEngine::new();
        let host = engine.docker_host();
        let serve =
            ["--listen", "127.0.0.1:0", "--docker-host", &host, "--project", "shop", "--console", "127.0.0.1:0"];
        let divisi = Program::start_with(&serve, variables);
        let number = u8::try_from(free_port() % 250).expect("small") + 1;
        Self {
            engine,
            divisi,
            ip: Ipv4Addr::new(127, 77, u8::try_from(std::process::id() % 250).expect("small"), number),
        }
    }

    /// A container of that service, which is where this test's servers are.
    pub(crate) fn container(&self, service: &str, number: u32, port: u16) -> FakeContainer {
        FakeContainer::replica("shop", service, number).network("shop_default", &self.ip.to_string()).port(port)
    }

    pub(crate) fn wait_open(&self, port: u16) {
        let line = format!("port {port} is open for TCP");
        wait::until("the port is open", || self.divisi.log().contains(&line));
    }

    pub(crate) fn wait_closed(&self, port: u16) {
        let line = format!("port {port} is closed");
        wait::until("the port is closed", || self.divisi.log().contains(&line));
    }

    /// What `divisi ps` prints.
    pub(crate) fn ps(&self) -> String {
        let console = self.divisi.console();
        let ended = crate::support::run(&["ps", "--console", console.trim_start_matches("http://")], &[]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    }

    /// The numbers, as Prometheus reads them.
    pub(crate) fn metrics(&self) -> String {
        let console = self.divisi.console();
        let addr = console.trim_start_matches("http://").trim_end_matches('/').parse().expect("an address");
        divisi_testkit::client::fetch(addr, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .text()
    }
}

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
