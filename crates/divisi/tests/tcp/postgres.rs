//! PostgreSQL behind a label, and `psql` before it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;

use divisi_testkit::wait;
use tempfile::TempDir;

use crate::server::{Nobody, Server, program, text};
use crate::stage::{Stage, free_port};

/// A database with nothing in it.
struct Database {
    nobody: Nobody,
    postgres: PathBuf,
    folder: TempDir,
}

impl Database {
    fn new() -> Option<Self> {
        let (initdb, postgres) = (program("initdb", "postgresql")?, program("postgres", "postgresql")?);
        program("psql", "postgresql-client")?;
        // What stands first in the path may be somebody's own beginning of one.
        let beside = postgres.with_file_name("initdb");
        let initdb = if beside.is_file() { beside } else { initdb };
        let nobody = Nobody::new();
        let folder = nobody.folder();
        let mut command = nobody.command(&initdb, folder.path());
        command.args(["-D", "data", "-A", "trust", "-U", "divisi", "--no-sync", "-E", "UTF8", "--locale=C"]);
        let made = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("it runs");
        assert!(made.status.success(), "{}", text(&made));
        Some(Self { nobody, postgres, folder })
    }

    fn start(&self, stage: &Stage, port: u16) -> Server {
        let mut command = self.nobody.command(&self.postgres, self.folder.path());
        let (ip, port) = (stage.ip.to_string(), port.to_string());
        command.args(["-D", "data", "-h", &ip, "-p", &port, "-k", "", "-c", "fsync=off", "-c", "max_connections=40"]);
        Server::start(command)
    }

    /// The same, once it answers: it accepts connections some moments before.
    fn start_ready(&self, stage: &Stage, port: u16) -> Server {
        let server = self.start(stage, port);
        let (ip, port) = (stage.ip.to_string(), port.to_string());
        wait::until("the database answers", || {
            let mut asked = Command::new("pg_isready");
            asked.args(["-q", "-h", &ip, "-p", &port]).status().is_ok_and(|status| status.success())
        });
        server
    }
}

fn psql(port: u16, query: &str) -> Output {
    let to = format!("host=127.0.0.1 port={port} user=divisi dbname=postgres sslmode=disable connect_timeout=30");
    Command::new("psql").args([&to, "-XAt", "-c", query]).stdin(Stdio::null()).output().expect("it runs")
}

/// What it answers; the test fails where it does not.
fn answer(port: u16, query: &str) -> String {
    let output = psql(port, query);
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[test]
fn a_psql_that_comes_before_its_database_is_held_and_answered() {
    let Some(database) = Database::new() else { return };
    let stage = Stage::new(&[]);
    let (port, inside) = (free_port(), free_port());
    let container = stage.container("db", 1, inside).label(&format!("divisi.tcp.{port}"), &inside.to_string());
    let id = stage.engine.run(container.healthcheck("starting"));
    stage.wait_open(port);
    assert!(TcpStream::connect((stage.ip, inside)).is_err(), "the database does not run yet");
    let early = thread::spawn(move || answer(port, "select 6 * 7"));
    wait::until("it waits", || stage.ps().contains("1 request waits for a replica of shop/db"));
    let _server = database.start_ready(&stage, inside);
    stage.engine.health(&id, "healthy");
    assert_eq!(early.join().expect("an answer"), "42");
    // From then on it is a database like any other.
    let made = answer(port, "create table t as select generate_series(1, 1000); select count(*) from t");
    assert!(made.ends_with("1000"), "{made}");
    let large = answer(port, "select repeat('x', 3000000)");
    assert_eq!(large.len(), 3_000_000);
    let ps = stage.ps();
    assert!(ps.contains(&format!("{port} ")) && ps.contains("open") && ps.contains("shop/db"), "{ps}");
    assert!(!ps.contains("NO REQUESTS"), "{ps}");
    wait::until("all are counted", || {
        stage.metrics().lines().any(|line| {
            line.starts_with("divisi_tcp_connections_total{")
                && line.contains("ending=\"complete\"")
                && line.ends_with(" 3")
        })
    });
}

#[test]
fn a_session_goes_on_while_its_container_stops_and_the_next_goes_to_the_new_one() {
    let (Some(old), Some(new)) = (Database::new(), Database::new()) else { return };
    let stage = Stage::new(&[]);
    let (port, first, second) = (free_port(), free_port(), free_port());
    let db = |number, inside: u16| {
        stage.container("db", number, inside).label(&format!("divisi.tcp.{port}"), &inside.to_string())
    };
    let mut server = old.start_ready(&stage, first);
    let id = stage.engine.run(db(1, first));
    stage.wait_open(port);
    assert_eq!(answer(port, "show port"), first.to_string());
    let to = format!("host=127.0.0.1 port={port} user=divisi dbname=postgres sslmode=disable");
    let mut session = Command::new("psql");
    session.args([&to, "-XAtq"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut session = session.spawn().expect("it runs");
    let mut input = session.stdin.take().expect("piped");
    let mut lines = BufReader::new(session.stdout.take().expect("piped")).lines();
    let mut say = |query: &str| {
        writeln!(input, "{query};").expect("it reads");
        lines.next().expect("an answer").expect("text")
    };
    assert_eq!(say("show port"), first.to_string());
    // The stop begins: its signal is told, and the container takes its time.
    stage.engine.signal(&id, 15);
    let _second = new.start_ready(&stage, second);
    stage.engine.run(db(2, second));
    wait::until("who comes now goes to the new one", || answer(port, "show port") == second.to_string());
    assert_eq!(say("show port"), first.to_string(), "the session is where it was");
    server.stop("INT");
    stage.engine.die(&id);
    drop((input, lines));
    session.wait().expect("it ends");
    assert_eq!(answer(port, "select 1"), "1");
}

#[test]
fn what_is_refused_is_told_in_the_access_log() {
    let stage = Stage::new(&[("DIVISI_ACCESS_LOG", "json"), ("DIVISI_HOLD", "200ms")]);
    let port = free_port();
    stage.engine.run(stage.container("db", 1, 1).label(&format!("divisi.tcp.{port}"), "1"));
    stage.wait_open(port);
    let client = divisi_testkit::client::Client::connect(([127, 0, 0, 1], port).into()).read_to_close();
    assert!(client.0.is_empty());
    let line = stage.divisi.output_of(1);
    assert!(line.contains(&format!("\"target\":\"TCP {port}\"")) && line.contains("(--hold)"), "{line}");
}
