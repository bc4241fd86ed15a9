//! One Compose project of one test, and a client before it. Dropping it takes it down.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use divisi_testkit::client::{Client, Ending, Response};
use tempfile::TempDir;

use crate::engine::{Engine, PREFIX, docker};

/// How long Docker may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const GET: &str = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A Compose project.
#[derive(Debug)]
pub(crate) struct Project {
    engine: &'static Engine,
    name: String,
    folder: TempDir,
}

impl Project {
    /// A project with that Compose file, in which `<divisi>` and `<echo>` stand for the images; nothing runs yet.
    pub(crate) fn new(engine: &'static Engine, file: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("{PREFIX}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().expect("a folder");
        let file = file.replace("<divisi>", &engine.image("divisi")).replace("<echo>", &engine.image("echo"));
        fs::write(folder.path().join("docker-compose.yml"), file).expect("a file");
        Self { engine, name, folder }
    }

    /// Runs Compose and returns what it says.
    pub(crate) fn compose(&self, args: &[&str]) -> String {
        let output = self.engine.compose(self.folder.path(), &self.name, args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "compose {args:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// `up -d` with so many replicas of `echo`.
    pub(crate) fn scale(&self, count: usize) {
        self.compose(&["up", "-d", "--scale", &format!("echo={count}")]);
    }

    /// The containers of a service.
    pub(crate) fn containers(&self, service: &str) -> Vec<String> {
        self.compose(&["ps", "-q", service]).lines().map(str::to_owned).collect()
    }

    /// The addresses of a container, one per network.
    pub(crate) fn addresses(&self, container: &str) -> Vec<String> {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
        docker(&["inspect", "--format", format, container]).split_whitespace().map(str::to_owned).collect()
    }

    /// Where divisi's port 8080 is published.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.compose(&["port", "divisi", "8080"]).parse().expect("an address")
    }

    /// A client that connects when divisi listens.
    pub(crate) fn connect(&self) -> Caller {
        Caller::to(self.addr())
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if thread::panicking() {
            let logs = self.engine.compose(self.folder.path(), &self.name, &["logs", "--no-color", "--tail", "30"]);
            println!("{}", String::from_utf8_lossy(&logs.stdout));
        }
        // What fails here is swept by the next run.
        let down = ["down", "--volumes", "--remove-orphans", "--timeout", "0"];
        self.engine.compose(self.folder.path(), &self.name, &down);
    }
}

/// A client with one connection, which it makes anew where Docker's own proxy was there before ours.
#[derive(Debug)]
pub(crate) struct Caller {
    addr: SocketAddr,
    client: Option<Client>,
}

impl Caller {
    /// A client of `addr`.
    pub(crate) fn to(addr: SocketAddr) -> Self {
        let mut caller = Self { addr, client: None };
        until("divisi answers", || caller.try_get().is_some());
        caller
    }

    /// One GET; `None` where the connection ended instead.
    pub(crate) fn try_get(&mut self) -> Option<Response> {
        if self.client.is_none() {
            self.client = Client::try_connect(self.addr).ok();
        }
        let client = self.client.as_mut()?;
        let response = if client.try_send(GET).is_ok() { client.try_response() } else { None };
        if response.as_ref().is_none_or(|response| response.ending != Ending::Complete) {
            self.client = None;
        }
        response
    }

    /// One GET.
    pub(crate) fn get(&mut self) -> Response {
        self.try_get().expect("a response, and not the end of the connection")
    }

    /// The names of the replicas that answer `count` requests. Every answer must be a 200.
    pub(crate) fn names(&mut self, count: usize) -> BTreeSet<String> {
        let name = |_| {
            let response = self.get();
            assert_eq!(response.status(), 200, "{}", response.text());
            name_in(&response)
        };
        (0..count).map(name).collect()
    }

    /// Waits for the first answer of a replica.
    pub(crate) fn wait_for_a_replica(&mut self) {
        until("a replica answers", || self.get().status() == 200);
    }

    /// Waits until so many replicas answer.
    pub(crate) fn wait_for_replicas(&mut self, count: usize) {
        let mut names = BTreeSet::new();
        until("every replica answers", || {
            let response = self.get();
            if response.status() == 200 {
                names.insert(name_in(&response));
            }
            names.len() >= count
        });
    }
}

/// The replica's own name, which it says first.
pub(crate) fn name_in(response: &Response) -> String {
    response.text().lines().next().unwrap_or_default().to_owned()
}

/// Waits until `condition` is true, as long as Docker may take.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
