//! One Compose project of one test. Dropping it takes it down.

#![allow(dead_code, reason = "each test program uses its part")]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;

use crate::caller::Caller;
use crate::engine::{Engine, PREFIX, TARGETS};

/// What the README shows; only the port is a free one.
pub(crate) const PLAIN: &str = "
services:
  echo:
    image: <echo>
  divisi:
    image: <divisi>
    ports: [\"127.0.0.1::8080\"]
    volumes: [\"/var/run/docker.sock:/var/run/docker.sock:ro\"]
";

/// A Compose project.
#[derive(Debug)]
pub(crate) struct Project<'a> {
    engine: &'a Engine,
    name: String,
    folder: TempDir,
}

impl<'a> Project<'a> {
    /// A project with that Compose file; nothing runs yet.
    pub(crate) fn new(engine: &'a Engine, file: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("{PREFIX}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().expect("a folder");
        let project = Self { engine, name, folder };
        project.write(file);
        project
    }

    /// From now on this is the Compose file. `<name>` stands for an image: `<divisi>`, `<echo>`, `<next>`.
    pub(crate) fn write(&self, file: &str) {
        let named = |text: String, target: &&str| text.replace(&format!("<{target}>"), &self.engine.image(target));
        let file = TARGETS.iter().fold(file.to_owned(), named);
        fs::write(self.folder.path().join("docker-compose.yml"), file).expect("a file");
    }

    /// What Compose calls it.
    pub(crate) fn name(&self) -> &str {
        &self.name
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
        self.engine.docker(&["inspect", "--format", format, container]).split_whitespace().map(str::to_owned).collect()
    }

    /// Where its Compose file is, and what that names as `./…`.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where divisi's port 8080 is published.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.published("8080")
    }

    /// Where that port of divisi is published.
    pub(crate) fn published(&self, port: &str) -> SocketAddr {
        self.compose(&["port", "divisi", port]).parse().expect("an address")
    }

    /// Where divisi listens inside, with nothing of Docker's between it and the client.
    pub(crate) fn inner_addr(&self) -> SocketAddr {
        let ip = self.addresses(&self.containers("divisi")[0]).remove(0);
        SocketAddr::new(ip.parse().expect("an address"), 8080)
    }

    /// A client that connects when divisi listens.
    pub(crate) fn connect(&self) -> Caller {
        Caller::to(self.addr())
    }
}

impl Drop for Project<'_> {
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
