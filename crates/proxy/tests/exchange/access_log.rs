//! The access log: a line for each exchange, whatever became of it, and no request that waits for its line.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use divisi_model::spec::HoldLimits;
use divisi_model::{Card, Readiness, Spec};
use divisi_proxy::{AccessLog, Format};
use divisi_testkit::client::Client;
use divisi_testkit::conn::Conn;
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait;
use serde_json::Value;

use crate::support::{GET, Nobody, Proxy, settings, spec};

/// A sink that a test can read, and can hold back.
#[derive(Clone, Default)]
struct Sink(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    text: Vec<u8>,
    blocked: bool,
    fails: bool,
}

impl Sink {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.0.lock().expect("a lock"));
        self.0.1.notify_all();
    }

    fn lines(&self) -> Vec<String> {
        let state = self.0.0.lock().expect("a lock");
        String::from_utf8(state.text.clone()).expect("text").lines().map(str::to_owned).collect()
    }

    /// The one line that there is.
    fn line(&self) -> String {
        wait::until("the line is written", || !self.lines().is_empty());
        let lines = self.lines();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        lines[0].clone()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.line()).expect("JSON")
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.0.lock().expect("a lock");
        while state.blocked {
            state = self.0.1.wait(state).expect("a lock");
        }
        if state.fails {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        state.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logging(format: Format, spec: Spec, replicas: &[&Replica]) -> (Proxy, Sink) {
    let sink = Sink::default();
    let addrs: Vec<_> = replicas.iter().map(|replica| replica.addr()).collect();
    (Proxy::logging(settings(), spec, &addrs, Some(AccessLog::new(format, sink.clone()))), sink)
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// `key=value` behind the combined format.
fn value(line: &str, key: &str) -> String {
    let (_, rest) = line.split_once(&format!(" {key}=")).unwrap_or_else(|| panic!("no {key} in {line}"));
    rest.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn a_line_begins_as_everybodys_and_goes_on_as_ours() {
    let replica = Replica::named("hello");
    let (proxy, sink) = logging(Format::Combined, spec(), &[&replica]);
    let request = "GET /a?b HTTP/1.1\r\nHost: app.test\r\nReferer: http://x/\r\nUser-Agent: curl/8\r\n\r\n";
    let length = proxy.fetch(request).head.bytes().len() + 4 + 5;
    let line = sink.line();
    let pattern = r#"(?-u)^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /a\?b HTTP/1\.1" 200 5 "http://x/" "curl/8" service=web replica=web-1 number=1 attempts=1 held=- connect=0\.\d{6} first_byte=0\.\d{6} total=0\.\d{6} in=(\d+) out=(\d+)$"#;
    let found = regex::Regex::new(pattern).expect("an expression").captures(&line).unwrap_or_else(|| panic!("{line}"));
    assert_eq!(found[1], request.len().to_string());
    assert_eq!(found[2], length.to_string());
}

#[test]
fn the_same_as_an_object() {
    let replica = Replica::answering(|request| ok(&request.body));
    let (proxy, sink) = logging(Format::Json, spec(), &[&replica]);
    let mut client = proxy.connect();
    let request = "POST /%C3%A9 HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello";
    client.exchange(request);
    let line = sink.json();
    let time = line["time"].as_str().expect("text");
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    for (key, expected) in [
        ("client", "127.0.0.1".into()),
        ("method", "POST".into()),
        ("target", "/%C3%A9".into()),
        ("host", "app.test".into()),
        ("version", "HTTP/1.1".into()),
        ("referer", Value::Null),
        ("user_agent", Value::Null),
        ("status", 200.into()),
        ("bytes", 5.into()),
        ("project", Value::Null),
        ("service", "web".into()),
        ("replica", "web-1".into()),
        ("replica_number", 1.into()),
        ("attempts", 1.into()),
        ("held", Value::Null),
        ("in", request.len().into()),
        ("reason", Value::Null),
    ] {
        assert_eq!(line[key], expected, "{key} of {line}");
    }
    assert!(seconds(&line["connect"]) <= seconds(&line["first_byte"]));
    assert!(seconds(&line["first_byte"]) <= seconds(&line["total"]));
    client.exchange(GET);
    wait::until("the second line is written", || sink.lines().len() == 2);
    assert!(sink.lines()[1].contains("\"connect\":null"), "a connection that there was already");
}

#[test]
fn a_held_request_says_how_long() {
    let hold = HoldLimits { time: Duration::from_secs(60), ..HoldLimits::default() };
    let (proxy, sink) = logging(Format::Json, Spec { hold, ..spec() }, &[]);
    let mut client = proxy.connect();
    client.send(GET);
    wait::until("the request waits", || proxy.service.state().waiting() == 1);
    let replica = Replica::named("late");
    proxy.ready(&[proxy.service.replica(Card::new("web-7", 7), replica.addr(), Readiness::Ready)]);
    client.response();
    let line = sink.json();
    assert_eq!((&line["replica"], &line["replica_number"]), (&"web-7".into(), &7.into()));
    assert!(seconds(&line["held"]) > 0.0 && seconds(&line["held"]) <= seconds(&line["total"]), "{line}");
    let counts = proxy.service.state().counts();
    assert_eq!((counts.held, counts.retries), (1, 0));
    assert!(counts.held_time > Duration::ZERO);
}

#[test]
fn a_retried_request_says_how_often_and_who_had_it_in_the_end() {
    let (bad, good) = (Replica::start(|conn: &mut Conn| conn.request().map(drop)), Replica::named("good"));
    let (proxy, sink) = logging(Format::Combined, spec(), &[&bad, &good]);
    assert_eq!(proxy.fetch(GET).text(), "good");
    let line = sink.line();
    assert_eq!((value(&line, "attempts"), value(&line, "replica")), ("2".to_owned(), "web-2".to_owned()));
    let meters = || [&proxy.members[0], &proxy.members[1]].map(|member| member.meter().read()[2]);
    assert_eq!((meters(), proxy.service.state().counts().retries), ([0, 1], 1));
    assert_eq!(proxy.service.state().durations().read().0.iter().sum::<u64>(), 1);
}

#[test]
fn an_answer_of_our_own_says_why() {
    let nobody = Nobody::new();
    let sink = Sink::default();
    let log = AccessLog::new(Format::Combined, sink.clone());
    let proxy = Proxy::logging(settings(), spec(), &[nobody.addr()], Some(log));
    assert_eq!(proxy.fetch(GET).status(), 503);
    let line = sink.line();
    assert!(line.contains("\" 503 "), "{line}");
    assert!(line.contains(" service=web replica=- number=- attempts="), "{line}");
    assert!(line.contains(" reason=\"service \\\"web\\\" has one replica"), "{line}");
    assert_eq!(proxy.service.state().meter().read()[5], 1, "no replica answered");
}

#[test]
fn a_failure_counts_for_the_replica_that_had_it_last() {
    let bad = Replica::start(|conn: &mut Conn| conn.request().map(drop));
    let (proxy, sink) = logging(Format::Json, spec(), &[&bad]);
    assert_eq!(proxy.fetch("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").status(), 502);
    let line = sink.json();
    assert_eq!((&line["replica"], &line["status"]), (&"web-1".into(), &502.into()));
    assert!(line["reason"].as_str().expect("text").contains("without a response"), "{line}");
    assert_eq!((proxy.members[0].meter().read()[5], proxy.service.state().meter().read()[5]), (1, 0));
}

#[test]
fn nobody_can_forge_a_line() {
    let replica = Replica::named("");
    for format in [Format::Combined, Format::Json] {
        let (proxy, sink) = logging(format, spec(), &[&replica]);
        let mut request = b"GET /\"x HTTP/1.1\r\nHost: a\r\nUser-Agent: \"a\\\t\xff\xc3\xa9\r\nReferer: ".to_vec();
        request.extend(vec![b'"'; 3000]);
        proxy.fetch([&request[..], b"\r\n\r\n"].concat());
        let line = sink.line();
        assert!(line.len() < 3000, "{} bytes", line.len());
        if format == Format::Json {
            let line = sink.json();
            assert_eq!(line["user_agent"], "\"a\\\t\\xff\u{e9}");
            assert_eq!(line["referer"].as_str().expect("text").len(), 515, "cut, and three dots");
        } else {
            assert!(line.contains(r#""GET /\"x HTTP/1.1""#), "{line}");
            assert!(line.contains(r#""\"a\\\x09\xff\xc3\xa9" service="#), "{line}");
        }
    }
}

#[test]
fn what_is_no_request_is_logged_as_it_came() {
    let (proxy, sink) = logging(Format::Combined, spec(), &[]);
    proxy.fetch("GET /\x01\" HTTP/1.1\r\nHost: a\r\n\r\n");
    let line = sink.line();
    assert!(line.contains("] \"GET /\\x01\\\" HTTP/1.1\" 400 "), "{line}");
    assert!(line.contains(" service=- replica=- number=- attempts=0 "), "{line}");
}

#[test]
fn head_has_no_body_and_a_client_that_leaves_no_status() {
    let replica = Replica::named("hello");
    let (proxy, sink) = logging(Format::Combined, spec(), &[&replica]);
    let mut client = proxy.connect();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").response_to_head();
    assert!(sink.line().contains("\"HEAD / HTTP/1.1\" 200 - "), "{}", sink.line());

    let silent = Replica::start(|conn: &mut Conn| {
        conn.request()?;
        conn.wait_closed().map(drop)
    });
    let (proxy, sink) = logging(Format::Combined, spec(), &[&silent]);
    let mut client = proxy.connect();
    client.send(GET);
    wait::until("the replica has it", || silent.requests().len() == 1);
    drop(client);
    let line = sink.line();
    assert!(line.contains("\" 000 - ") && line.ends_with(" reason=\"the client left\""), "{line}");
}

#[test]
fn a_tunnel_is_logged_when_it_ends() {
    let replica = Replica::start(|conn: &mut Conn| {
        conn.head()?;
        conn.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")?;
        while !conn.read_some()?.is_empty() {
            conn.send("12345678")?;
        }
        Ok(())
    });
    let (proxy, sink) = logging(Format::Json, spec(), &[&replica]);
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
    let mut client = proxy.connect();
    let head = client.send(request).head().expect("a head").bytes().len() + 4;
    client.send("abc").read_until("12345678");
    assert_eq!(sink.lines(), Vec::<String>::new());
    client.finish();
    client.read_to_close();
    let line = sink.json();
    assert_eq!((&line["status"], &line["bytes"]), (&101.into(), &8.into()), "{line}");
    assert_eq!((&line["in"], &line["out"]), (&(request.len() + 3).into(), &(head + 8).into()), "{line}");
}

#[test]
fn a_sink_that_takes_nothing_costs_lines_and_no_request() {
    let replica = Replica::named("hello");
    let (mut proxy, sink) = logging(Format::Json, spec(), &[&replica]);
    sink.change(|state| state.blocked = true);
    let gauges = proxy.running.as_ref().expect("running").gauges();
    let mut client = proxy.connect();
    let mut sent = 0;
    while gauges.dropped_lines() == 0 {
        assert_eq!(client.exchange(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(2000))).status(), 200);
        sent += 1;
        assert!(sent < 5000, "more lines than the pages have room for");
    }
    for _ in 0..10 {
        assert_eq!(client.exchange(GET).status(), 200);
    }
    sent += 10;
    sink.change(|state| state.blocked = false);
    drop(client);
    proxy.stop(Duration::from_secs(20));
    let lost = usize::try_from(gauges.dropped_lines()).expect("few");
    assert_eq!(sink.lines().len() + lost, sent, "each is written or counted");
    assert!(sink.lines().iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "none is half written");
}

#[test]
fn a_sink_that_stays_blocked_does_not_keep_the_program() {
    let replica = Replica::named("hello");
    let (mut proxy, sink) = logging(Format::Json, spec(), &[&replica]);
    sink.change(|state| state.blocked = true);
    assert_eq!(proxy.fetch(GET).status(), 200);
    assert!(proxy.stop(Duration::from_secs(20)));
    // The writer ends with the test, and not before it.
    sink.change(|state| state.blocked = false);
}

#[test]
fn a_sink_that_is_broken_costs_lines_and_no_request() {
    let replica = Replica::named("hello");
    let (mut proxy, sink) = logging(Format::Combined, spec(), &[&replica]);
    sink.change(|state| state.fails = true);
    let gauges = proxy.running.as_ref().expect("running").gauges();
    let mut client = proxy.connect();
    assert_eq!(client.exchange(GET).status(), 200);
    wait::until("the line is lost", || gauges.dropped_lines() == 1);
    sink.change(|state| state.fails = false);
    assert_eq!(client.exchange(GET).status(), 200);
    drop(client);
    proxy.stop(Duration::from_secs(20));
    assert_eq!((sink.lines().len(), gauges.dropped_lines()), (1, 1));
}

#[test]
fn nothing_is_lost_at_the_end() {
    let replica = Replica::named("hello");
    let (mut proxy, sink) = logging(Format::Combined, spec(), &[&replica]);
    let mut clients: Vec<_> = (0..20).map(|_| Client::connect(proxy.addr())).collect();
    clients.iter_mut().for_each(|client| drop(client.exchange(GET)));
    proxy.stop(Duration::from_secs(20));
    assert_eq!(sink.lines().len(), 20);
}

#[test]
fn gauges_say_what_goes_on() {
    let replica = Replica::named("hello");
    let proxy = Proxy::before(&[&replica]);
    let gauges = proxy.running.as_ref().expect("running").gauges();
    let mut client = proxy.connect();
    let response = client.exchange(GET);
    wait::until("the connection to the replica rests", || gauges.idle_connections() == 1);
    let totals = gauges.totals();
    assert_eq!((gauges.connections(), totals.requests, totals.opened), (1, 1, 1));
    assert_eq!(totals.received, GET.len() as u64);
    assert_eq!(totals.sent, (response.head.bytes().len() + 4 + 5) as u64);
    client.exchange(GET);
    wait::until("the second request is counted", || gauges.totals().requests == 2);
    let totals = gauges.totals();
    assert_eq!(totals.opened, 1, "the second request has used the same connection");
    drop(proxy);
    assert_eq!(gauges.totals(), totals, "they outlive the proxy");
}
