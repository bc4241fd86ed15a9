//! Redis behind labels, in the clear and inside TLS by name, and `redis-cli` before it.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use divisi_testkit::wait;
use tempfile::TempDir;

use crate::server::{Nobody, Server, program, text};
use crate::stage::{Stage, free_port};

/// A Redis with nothing in it.
struct Redis {
    nobody: Nobody,
    program: PathBuf,
    folder: TempDir,
}

impl Redis {
    fn new() -> Option<Self> {
        program("redis-cli", "redis-tools")?;
        let program = program("redis-server", "redis-server")?;
        let nobody = Nobody::new();
        Some(Self { nobody, program, folder: nobody.folder() })
    }

    fn start(&self, stage: &Stage, port: u16, more: &[&str]) -> Server {
        let mut command = self.nobody.command(&self.program, self.folder.path());
        let (ip, port) = (stage.ip.to_string(), port.to_string());
        command.args(["--bind", &ip, "--save", "", "--protected-mode", "no", "--daemonize", "no"]);
        command.args(if more.is_empty() { ["--port", &port] } else { ["--tls-port", &port] }).args(more);
        Server::start(command)
    }
}

fn cli(port: u16, more: &[&str], said: &[&str]) -> String {
    let port = port.to_string();
    let mut command = Command::new("redis-cli");
    command.args(["-h", "127.0.0.1", "-p", &port]).args(more).args(said).stdin(Stdio::null());
    text(&command.output().expect("it runs")).trim().to_owned()
}

#[test]
fn redis_answers_at_the_port_of_its_label_until_no_label_asks_for_it() {
    let Some(redis) = Redis::new() else { return };
    let stage = Stage::new(&[]);
    let (port, inside) = (free_port(), free_port());
    let _server = redis.start(&stage, inside, &[]);
    let old = stage.engine.run(stage.container("cache", 1, inside).label(&format!("divisi.tcp.{port}"), "true"));
    stage.wait_open(port);
    assert_eq!(cli(port, &[], &["set", "a", "1"]), "OK");
    assert_eq!(cli(port, &[], &["incr", "a"]), "2");
    // The same service, deployed anew without the label.
    stage.engine.signal(&old, 15);
    stage.engine.die(&old);
    stage.engine.destroy(&old);
    stage.engine.run(stage.container("cache", 1, inside).created(1_800_000_000));
    stage.wait_closed(port);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens there any more");
}

#[test]
fn a_router_of_traefik_leads_to_it_at_the_port_of_its_entry_point() {
    let Some(redis) = Redis::new() else { return };
    let (port, inside) = (free_port(), free_port());
    let stage = Stage::new(&[("DIVISI_ENTRYPOINTS", &format!("redis={port}"))]);
    let _server = redis.start(&stage, inside, &[]);
    let container = stage
        .container("cache", 1, inside)
        .label("traefik.enable", "true")
        .label("traefik.tcp.routers.cache.rule", "HostSNI(`*`)")
        .label("traefik.tcp.routers.cache.entrypoints", "redis")
        .label("traefik.tcp.services.cache.loadbalancer.server.port", &inside.to_string());
    stage.engine.run(container);
    stage.wait_open(port);
    assert_eq!(cli(port, &[], &["ping"]), "PONG");
}

#[test]
fn names_inside_tls_lead_to_their_own_redis_and_http_is_served_at_the_same_port() {
    let (Some(one), Some(two), Some(openssl)) = (Redis::new(), Redis::new(), program("openssl", "openssl")) else {
        return;
    };
    let stage = Stage::new(&[]);
    // The port at which divisi serves HTTP: what begins with TLS and asks for one of the names is passed on.
    let port: u16 = stage.divisi.addr.rsplit(':').next().expect("a port").parse().expect("a number");
    let mut servers = Vec::new();
    for (redis, name) in [(&one, "one.test"), (&two, "two.test")] {
        let made = redis
            .nobody
            .command(&openssl, redis.folder.path())
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-keyout", "key.pem", "-out", "cert.pem", "-subj", &format!("/CN={name}")])
            .args(["-addext", &format!("subjectAltName=DNS:{name}")])
            .stderr(Stdio::piped())
            .output()
            .expect("it runs");
        assert!(made.status.success(), "{}", text(&made));
        redis.nobody.give(&redis.folder.path().join("key.pem"));
        let inside = free_port();
        let tls =
            ["--port", "0", "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-auth-clients", "no"];
        servers.push(redis.start(&stage, inside, &[&tls[..], &["--tls-ca-cert-file", "cert.pem"]].concat()));
        let container = stage.container(&name.replace(".test", ""), 1, inside);
        stage
            .engine
            .run(container.label(&format!("divisi.tcp.{port}.sni"), name).label(&format!("divisi.tcp.{port}"), "true"));
    }
    let certificate = |redis: &Redis| redis.folder.path().join("cert.pem").to_str().expect("text").to_owned();
    let ask = |redis: &Redis, name: &str, said: &[&str]| {
        cli(port, &["--tls", "--sni", name, "--cacert", &certificate(redis)], said)
    };
    wait::until("both are there", || {
        ask(&one, "one.test", &["ping"]) == "PONG" && ask(&two, "two.test", &["ping"]) == "PONG"
    });
    assert_eq!(ask(&one, "one.test", &["set", "who", "one"]), "OK");
    assert_eq!(ask(&two, "two.test", &["get", "who"]), "", "that is another one");
    assert!(
        ask(&two, "one.test", &["ping"]).contains("certificate verify failed"),
        "the certificate is the replica's own"
    );
    assert!(!ask(&one, "three.test", &["ping"]).contains("PONG"), "nobody has that name");
    let answer = stage.divisi.ask("GET / HTTP/1.1\r\nHost: nowhere.test\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("divisi: "), "HTTP as ever: {answer}");
    assert!(stage.ps().contains("shared"), "{}", stage.ps());
}
