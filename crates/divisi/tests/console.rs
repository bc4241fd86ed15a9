//! The console and the commands that ask it, as a user has them.

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use divisi_testkit::wait::until;
use support::{Ended, Program, run};

const ANY: &str = "127.0.0.1:0";
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// A replica, and a divisi with a console before it and another one that is not there.
fn stage() -> (Program, Program, String) {
    let echo = Program::start(&["echo", "--listen", ANY]);
    let replicas = format!("{},127.0.0.1:9", echo.addr);
    let divisi =
        Program::start(&["serve", "--listen", ANY, "--console", ANY, "--service", "web", "--replica", &replicas]);
    let console = divisi.console();
    (echo, divisi, console)
}

fn ask(console: &str, words: &[&str]) -> Ended {
    run(&[words, &["--console", console]].concat(), &[])
}

#[test]
fn ps_shows_who_is_there_and_who_gets_nothing() {
    let (echo, divisi, console) = stage();
    assert!(divisi.ask(REQUEST).starts_with("HTTP/1.1 200 "));
    // Nobody learns that a replica refuses before a request went there.
    until("the one that is not there is found out", || {
        divisi.ask(REQUEST);
        ask(&console, &["ps"]).stdout.contains("it refused a connection")
    });
    let shown = ask(&console, &["ps"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    let lines: Vec<_> = shown.stdout.lines().collect();
    assert!(lines[0].starts_with("SERVICE   REPLICA   STATE"), "{}", shown.stdout);
    assert!(
        lines.iter().any(|line| line.starts_with("web       web-") && line.contains(" ready ")),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains(" down "), "{}", shown.stdout);
    let json = ask(&console, &["ps", "--json"]).stdout;
    assert!(json.contains(&format!("\"address\":\"{}\"", echo.addr)) && json.ends_with("}\n"), "{json}");
}

#[test]
fn explain_tells_where_a_request_goes() {
    let (_echo, _divisi, console) = stage();
    let told =
        ask(&console, &["explain", "http://shop.test/cart?id=1", "-X", "POST", "-H", "X-A: b", "--client", "10.0.0.1"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(
        told.stdout.starts_with("request POST http://shop.test/cart?id=1 from 10.0.0.1, with x-a\n"),
        "{}",
        told.stdout
    );
    assert!(told.stdout.contains("goes to web: ") && told.stdout.contains("POST /cart?id=1"), "{}", told.stdout);
    let told = ask(&console, &["explain", "tcp://db.test:5432", "--client", "10.0.0.1"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    let said = "connection to port 5432 inside TLS for db.test from 10.0.0.1\nno label asks for port 5432\n";
    assert!(told.stdout.starts_with(said), "{}", told.stdout);
    let json = ask(&console, &["explain", "shop.test/", "--json"]);
    assert!(json.code == Some(0) && json.stdout.starts_with("{\"kind\":\"request\""), "{json:?}");
}

#[test]
fn what_cannot_be_explained_is_said_and_has_its_code() {
    let (_echo, _divisi, console) = stage();
    for (words, code, said) in [
        (&["explain", "web-7"][..], 1, "no container \"web-7\" is known"),
        (&["explain", "http://"], 2, "not a URL"),
        (&["explain", "tcp://db.test"], 2, "it has no port"),
        (&["explain", "tcp://db.test:5432", "-X", "POST"], 2, "no parameter \"method\" of a connection"),
        (&["explain", "a/", "--client", "me"], 2, "not the address of a client"),
        (&["explain"], 2, "required"),
        (&["ps", "--colour"], 2, "unexpected argument"),
    ] {
        let ended = ask(&console, words);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{words:?}: {ended:?}");
        assert!(ended.stderr.contains(said), "{words:?}: {}", ended.stderr);
    }
}

#[test]
fn health_says_whether_it_serves() {
    let (_echo, _divisi, console) = stage();
    let well = ask(&console, &["health"]);
    assert_eq!((well.code, well.stdout.as_str()), (Some(0), "ready\n"), "{well:?}");
    // An engine that is not there: nothing is known.
    let args = ["serve", "--listen", ANY, "--console", ANY, "--docker-host", "unix:///nowhere/docker.sock"];
    let unheard = Program::start(&args);
    let waits = ask(&unheard.console(), &["health"]);
    assert_eq!(waits.code, Some(1), "{waits:?}");
    assert!(waits.stdout.starts_with("waiting: the Docker Engine has not been reached yet"), "{waits:?}");
}

#[test]
fn the_certificate_of_the_local_authority_is_printed_and_kept() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().to_str().expect("a path");
    let start = || {
        let tls = ["--listen-tls", ANY, "--data", folder, "--replica", "127.0.0.1:9"];
        Program::start(&[&["serve", "--listen", ANY, "--console", ANY], &tls[..]].concat())
    };
    let first = start();
    let console = first.console();
    until("there is an authority", || ask(&console, &["ca"]).code == Some(0));
    let printed = ask(&console, &["ca"]);
    assert!(printed.stdout.starts_with("-----BEGIN CERTIFICATE-----") && !printed.stdout.contains("PRIVATE"));
    assert!(
        printed.stderr.contains("update-ca-certificates") && printed.stderr.contains("curl --cacert"),
        "{printed:?}"
    );
    until("localhost has a certificate", || ask(&console, &["ps"]).stdout.contains("the local authority"));
    drop(first);
    let second = start();
    let console = second.console();
    until("there is an authority", || ask(&console, &["ca"]).code == Some(0));
    assert_eq!(ask(&console, &["ca"]).stdout, printed.stdout);
}

#[test]
fn without_a_local_authority_nothing_is_printed() {
    let args = ["serve", "--listen", ANY, "--console", ANY, "--local-authority=false", "--replica", "127.0.0.1:9"];
    let divisi = Program::start(&args);
    let ended = ask(&divisi.console(), &["ca"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.stderr.contains("there is no local authority"), "{}", ended.stderr);
}

#[test]
fn without_a_console_the_commands_say_what_to_do() {
    let free = TcpListener::bind(ANY).and_then(|listener| listener.local_addr()).expect("a port").to_string();
    for words in [&["ps"][..], &["explain", "web"], &["health"], &["ca"], &["ps", "--watch"]] {
        let ended = ask(&free, words);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{words:?}: {ended:?}");
        let said = format!("cannot reach the console of divisi at {free}: ");
        assert!(ended.stderr.contains(&said) && ended.stderr.contains("docker-compose exec"), "{}", ended.stderr);
    }
    let echo = Program::start(&["echo", "--listen", ANY]);
    let stranger = ask(&echo.addr, &["ps"]);
    assert!(stranger.code == Some(1) && stranger.stderr.contains("is no console"), "{stranger:?}");
}

#[test]
fn a_console_that_cannot_listen_keeps_nobody_from_being_served() {
    let taken = TcpListener::bind(ANY).expect("a port");
    let addr = taken.local_addr().expect("bound").to_string();
    let echo = Program::start(&["echo", "--listen", ANY]);
    let divisi = Program::start(&["serve", "--listen", ANY, "--console", &addr, "--replica", &echo.addr]);
    assert!(divisi.ask(REQUEST).starts_with("HTTP/1.1 200 "));
    let log = divisi.log();
    assert!(log.contains(&format!("no console: cannot listen at {addr}")) && log.contains("--console"), "{log}");
    let nonsense = run(&["serve", "--console", "9180", "--replica", &echo.addr], &[]);
    assert_eq!(nonsense.code, Some(2), "{nonsense:?}");
}

#[test]
fn the_numbers_of_the_requests_are_there() {
    let (_echo, mut divisi, console) = stage();
    for _ in 0..3 {
        divisi.ask(REQUEST);
    }
    let metrics = || {
        let answer = divisi_testkit::client::fetch(
            console.parse().expect("an address"),
            "GET /metrics HTTP/1.1\r\nHost: divisi\r\n\r\n",
        );
        answer.text()
    };
    until("three were counted", || metrics().contains("divisi_responses_total{code=\"2xx\"} 3"));
    assert!(metrics().contains("divisi_client_connections "), "{}", metrics());
    divisi.terminate();
    assert_eq!(divisi.ended_within(Duration::from_secs(5)), Some(0), "{}", divisi.log());
}

/// `divisi ps --watch`, killed with the test.
struct Watch(Child);

impl Watch {
    fn start(console: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_divisi"));
        let child = command.args(["ps", "--watch", "--console", console]).stdout(Stdio::piped()).spawn();
        Self(child.expect("the program runs"))
    }

    fn ended(&mut self) -> Option<i32> {
        let mut code = None;
        until("it ends", || {
            code = self.0.try_wait().expect("a child");
            code.is_some()
        });
        code.and_then(|status| status.code())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn watch_shows_it_again_until_somebody_ends_it() {
    let (_echo, _divisi, console) = stage();
    let mut watch = Watch::start(&console);
    let mut lines = BufReader::new(watch.0.stdout.take().expect("piped")).lines().map_while(Result::ok);
    for _ in 0..2 {
        assert!(lines.any(|line| line.starts_with("SERVICE")), "a block");
    }
    let interrupted = Command::new("/bin/sh").args(["-c", &format!("kill -INT {}", watch.0.id())]).status();
    assert!(interrupted.expect("a shell").success());
    assert_eq!(watch.ended(), Some(0));
    assert!(!lines.any(|line| line.contains('\u{1b}')), "no escapes where there is no terminal");
}

#[test]
fn watch_ends_when_nobody_reads_any_more() {
    let (_echo, _divisi, console) = stage();
    let mut watch = Watch::start(&console);
    let mut stdout = watch.0.stdout.take().expect("piped");
    stdout.read_exact(&mut [0; 16]).expect("a block");
    drop(stdout);
    assert_eq!(watch.ended(), Some(0));
}
