//! A fake engine, a divisi that follows it, and replicas that it tells of: real processes, each on an address of its own.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use divisi_testkit::engine::{FakeContainer, FakeEngine};
use divisi_testkit::load::Load;

use crate::caller::Caller;
use crate::support::Program;

/// How long a replica may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything a scenario plays with. All ends when it is dropped.
pub(crate) struct Stage {
    pub(crate) engine: FakeEngine,
    pub(crate) divisi: Program,
    /// The replicas that run, oldest first.
    pub(crate) replicas: Vec<Replica>,
    /// What every replica is told.
    args: Vec<&'static str>,
    number: u8,
    created: u8,
}

/// A container of the service.
pub(crate) struct Replica {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) process: Program,
    addr: SocketAddr,
    args: Vec<&'static str>,
}

impl Stage {
    /// So many replicas that are told `args`, and a divisi that has these variables and sends requests to all of them.
    pub(crate) fn new(replicas: usize, args: &[&'static str], variables: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let engine = FakeEngine::new();
        let host = engine.docker_host();
        let serve = ["--listen", "127.0.0.1:0", "--docker-host", &host, "--project", "shop", "--service", "echo"];
        let divisi = Program::start_with(&serve, variables);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut stage = Self { engine, divisi, replicas: Vec::new(), args: args.to_vec(), number, created: 0 };
        stage.scale(replicas);
        stage.caller().wait_for_replicas(replicas);
        stage
    }

    /// Where divisi listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.divisi.addr.parse().expect("an address")
    }

    /// A client of divisi.
    pub(crate) fn caller(&self) -> Caller {
        Caller::to(self.addr())
    }

    /// A load on divisi that has begun.
    pub(crate) fn load(&self) -> Load {
        let load = Load::start(self.addr());
        load.go_on_for(100);
        load
    }

    /// Starts replicas, or stops the youngest, until there are so many.
    pub(crate) fn scale(&mut self, replicas: usize) {
        while self.replicas.len() < replicas {
            let replica = self.create(&self.args.clone());
            self.engine.start(&replica.id);
            self.replicas.push(replica);
        }
        let surplus = self.replicas.split_off(replicas);
        self.stop(surplus);
    }

    /// Replaces every replica: all end, and as many new ones start.
    pub(crate) fn recreate(&mut self) {
        let old = std::mem::take(&mut self.replicas);
        let count = old.len();
        self.stop(old);
        self.scale(count);
    }

    /// A replica more, which is told this. Its process starts, and the engine has not said so yet.
    pub(crate) fn create(&mut self, args: &[&'static str]) -> Replica {
        self.created += 1;
        // An address that nobody else on this machine uses, so that its port stays free from one start to the next.
        let ip = [127, 1 + u8::try_from(std::process::id() % 250).expect("less than 250"), self.number, self.created];
        let free = TcpListener::bind(SocketAddr::from((ip, 0))).and_then(|free| free.local_addr());
        let addr = free.expect("a free port");
        let container = FakeContainer::replica("shop", "echo", self.created.into())
            .network("shop_default", &addr.ip().to_string())
            .port(addr.port());
        let name = format!("shop-echo-{}", self.created);
        let process = start(&name, addr, args);
        Replica { id: self.engine.create(container), name, process, addr, args: args.to_vec() }
    }

    /// As `docker stop` for all of them at once: first they get their signal, then the world hears of it.
    pub(crate) fn stop(&self, replicas: Vec<Replica>) {
        for replica in &replicas {
            replica.process.terminate();
            self.engine.signal(&replica.id, 15);
        }
        for mut replica in replicas {
            assert!(replica.process.ended_within(PATIENCE).is_some(), "{}", replica.process.log());
            self.engine.die(&replica.id);
            self.engine.destroy(&replica.id);
        }
    }

    /// As `docker kill` and `docker start`.
    pub(crate) fn kill_and_start(&mut self, index: usize) {
        let replica = &mut self.replicas[index];
        replica.kill(&self.engine);
        replica.process = start(&replica.name, replica.addr, &replica.args);
        self.engine.start(&replica.id);
    }
}

impl Replica {
    /// As `docker kill`.
    pub(crate) fn kill(&mut self, engine: &FakeEngine) {
        self.kill_silently();
        engine.signal(&self.id, 9);
        engine.die(&self.id);
    }

    /// Ends its process, whatever that is doing, and tells nobody.
    pub(crate) fn kill_silently(&mut self) {
        self.process.signal("KILL");
        self.process.ended_within(PATIENCE);
    }
}

fn start(name: &str, addr: SocketAddr, args: &[&str]) -> Program {
    Program::spawn(&[&["echo", "--name", name, "--listen", &addr.to_string()], args].concat(), &[])
}
