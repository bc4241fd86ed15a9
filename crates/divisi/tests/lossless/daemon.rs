//! The Docker daemon goes away and comes back. It is one of the test's own, which keeps containers running without it.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use divisi_testkit::load::Load;
use tempfile::TempDir;

use crate::alone;
use crate::caller::{Caller, until};
use crate::engine::{Engine, engine};
use crate::project::Project;
use crate::support::Program;
use crate::verdict::assert_failed_only_if_acted_on;

const AWAY: Duration = Duration::from_secs(20);
const REPLICAS: usize = 5;
const ECHO: &str = "
services:
  echo:
    image: <echo>
    restart: always
";

/// A daemon beside the machine's own, with everything of its own. Nothing it runs survives it.
struct Daemon {
    folder: TempDir,
    engine: Engine,
    process: Option<Child>,
}

impl Daemon {
    fn new(engine: &Engine) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine.at(&folder.path().join("docker.sock"));
        let mut daemon = Self { folder, engine, process: None };
        daemon.start();
        daemon.engine.build();
        daemon
    }

    /// Comes when it answers.
    fn start(&mut self) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        // Without one of its own it would read the machine's, and refuse to be told otherwise.
        fs::write(path("daemon.json"), "{}").expect("a file");
        let log = fs::File::options().create(true).append(true).open(path("log")).expect("a log");
        let process = Command::new("dockerd")
            .args(["--config-file", &path("daemon.json"), "--pidfile", &path("pid")])
            .args(["--data-root", &path("data"), "--exec-root", &path("exec")])
            .args(["--host", &format!("unix://{}", path("docker.sock")), "--live-restore"])
            // It leaves the machine's network as the other daemon has made it: replicas are asked from this machine only.
            .args(["--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"])
            .args(["--default-address-pool", "base=10.213.0.0/16,size=24"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.process = Some(process.expect("dockerd is installed beside docker"));
        until("a second daemon answers, for which this must be root", || self.engine.answers());
    }

    /// Ends it in order, and returns when it has.
    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            send("TERM", &process.id().to_string());
            process.wait().expect("a child");
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.process.is_none() {
            // Where that panics there is nothing more to be done.
            self.start();
        }
        let containers = self.engine.try_docker(&["ps", "--all", "--quiet"]).stdout;
        for id in String::from_utf8_lossy(&containers).lines() {
            self.engine.try_docker(&["rm", "--force", id]);
        }
        self.engine.try_docker(&["network", "prune", "--force"]);
        self.stop();
        // A daemon that would let containers live on leaves its folder mounted on itself, and so it could not be removed.
        let _ = Command::new("umount").arg(self.folder.path().join("data")).status();
    }
}

fn send(signal: &str, process: &str) {
    let sent = Command::new("kill").args(["-s", signal, process]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{signal} for {process}");
}

#[test]
#[ignore = "takes minutes: cargo test -p divisi --test lossless -- --ignored --nocapture"]
fn the_daemon_can_go_away() {
    let Some(engine) = engine() else { return };
    let _alone = alone();
    let mut daemon = Daemon::new(engine);
    let other = engine.at(&daemon.folder.path().join("docker.sock"));
    let project = Project::new(&other, ECHO);
    project.scale(REPLICAS);
    let host = format!("unix://{}", daemon.folder.path().join("docker.sock").display());
    let args = ["--listen", "127.0.0.1:0", "--docker-host", &host, "--service", "echo", "--project", project.name()];
    let divisi = Program::start(&args);
    let addr: SocketAddr = divisi.addr.parse().expect("an address");
    Caller::to(addr).wait_for_replicas(REPLICAS);
    let victim = project.containers("echo").remove(0);
    let pid = other.docker(&["inspect", "--format", "{{.State.Pid}}", &victim]);

    let load = Load::start(addr);
    load.go_on_for(500);
    daemon.stop();
    let away = Instant::now();
    thread::sleep(AWAY / 2);
    send("KILL", &pid);
    thread::sleep(AWAY.saturating_sub(away.elapsed()));
    daemon.start();
    let back = Instant::now();
    until("divisi has found the daemon", || divisi.log().contains("is there again"));
    // The daemon has started it again, as its policy says.
    let mut caller = Caller::to(addr);
    until("the replica that ended meanwhile is back", || caller.names(1).iter().any(|name| victim.starts_with(name)));
    let seen = back.elapsed();
    load.go_on_for(500);
    let report = load.stop();
    assert_failed_only_if_acted_on("no daemon for 20 s, one replica killed meanwhile", &report);
    println!("   seen {seen:.2?} after the daemon's return");
    assert!(seen < Duration::from_secs(1), "{seen:?}\n{}", divisi.log());
}
