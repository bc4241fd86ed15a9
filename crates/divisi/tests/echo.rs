//! The demo replica, which must behave like the applications it stands for.

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use divisi_testkit::wait::until;
use support::Program;

fn echo(more: &[&str]) -> Program {
    Program::start(&[&["echo", "--listen", "127.0.0.1:0", "--name", "me"], more].concat())
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a head").1
}

#[test]
fn it_says_who_it_is_and_what_was_asked() {
    let answer = echo(&[]).ask(
        "POST /a/b?c=d HTTP/1.1\r\nHost: here\r\nX-Some: thing\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    );
    let body = body(&answer);
    for part in ["me\nPOST /a/b?c=d HTTP/1.1\n", "\nhost: here\n", "\nx-some: thing\n", "\nbody: 5 bytes\n"] {
        assert!(body.contains(part), "{part:?} in {body}");
    }
}

#[test]
fn it_answers_with_exactly_the_size_that_was_asked_for() {
    let answer = echo(&["--size", "128"]).ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(body(&answer).len(), 128);
}

#[test]
fn it_speaks_http_1_0() {
    let answer = echo(&[]).ask("GET / HTTP/1.0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    assert!(body(&answer).contains("GET / HTTP/1.0"), "{answer}");
}

#[test]
fn it_counts_a_body_in_chunks_to_its_end() {
    let chunks = "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let answer = echo(&[]).ask(&format!("{head}{chunks}"));
    assert!(body(&answer).contains("body: 11 bytes"), "{answer}");
}

#[test]
fn it_takes_its_time() {
    let echo = echo(&["--delay", "300ms"]);
    let asked = Instant::now();
    echo.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(asked.elapsed() >= Duration::from_millis(300));
    let started = Instant::now();
    Program::start(&["echo", "--listen", "127.0.0.1:0", "--startup-delay", "400ms"]);
    assert!(started.elapsed() >= Duration::from_millis(400));
}

#[test]
fn graceful_finishes_what_was_begun_and_takes_nothing_new() {
    let mut echo = echo(&["--delay", "1500ms"]);
    let mut idle = TcpStream::connect(&echo.addr).expect("it listens");
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    thread::sleep(Duration::from_millis(100));
    echo.terminate();
    until("it takes no connections", || TcpStream::connect(&echo.addr).is_err());
    let mut answer = String::new();
    idle.read_to_string(&mut answer).expect("an answer, then the end");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(echo.ended_within(Duration::from_secs(5)), Some(0), "{}", echo.log());
}

#[test]
fn graceful_answers_what_was_on_its_way() {
    let echo = echo(&[]);
    let mut idle = echo.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut some = [0; 4096];
    assert!(idle.read(&mut some).expect("an answer") > 0);
    echo.terminate();
    thread::sleep(Duration::from_millis(100));
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    assert!(idle.read(&mut some).expect("another answer") > 0);
}

#[test]
fn graceful_closes_idle_connections() {
    let mut echo = echo(&[]);
    let mut idle = echo.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut some = [0; 4096];
    assert!(idle.read(&mut some).expect("an answer") > 0);
    echo.terminate();
    assert_eq!(echo.ended_within(Duration::from_secs(5)), Some(0), "{}", echo.log());
    assert_eq!(idle.read(&mut some).expect("the end"), 0);
}

#[test]
fn exit_does_not_wait() {
    let mut echo = echo(&["--delay", "30s", "--on-term", "exit"]);
    let open = echo.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    thread::sleep(Duration::from_millis(100));
    echo.terminate();
    assert_eq!(echo.ended_within(Duration::from_secs(5)), Some(0), "{}", echo.log());
    drop(open);
}

#[test]
fn ignore_goes_on_as_if_nothing_was_said() {
    let mut echo = echo(&["--on-term", "ignore"]);
    for _ in 0..2 {
        echo.terminate();
        assert_eq!(echo.ended_within(Duration::from_millis(200)), None);
    }
    let answer = echo.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn a_body_comes_back_as_it_was() {
    let body = "ab\n".repeat(5000);
    let head =
        format!("POST /body?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = echo(&[]).ask(&format!("{head}{body}"));
    assert!(answer.starts_with("HTTP/1.1 200 ") && self::body(&answer) == body, "{answer}");
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[test]
fn its_faults_are_those_that_were_asked_for() {
    assert!(echo(&["--fault", "error"]).ask(REQUEST).starts_with("HTTP/1.1 500 "));
    let closes = echo(&["--fault", "close"]);
    let unanswered = (0..100).filter(|_| closes.ask(REQUEST).is_empty()).count();
    assert!((20..=80).contains(&unanswered), "{unanswered} of 100");
    let silent = echo(&["--fault", "silent"]);
    let mut asked = silent.send(REQUEST);
    asked.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    assert!(asked.read(&mut [0]).is_err(), "it said something, or closed the connection");
}
