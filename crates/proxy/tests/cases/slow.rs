//! Cases that are judged by time: a client or a replica that takes too long must not hold anything for ever.
//!
//! The limits are short here, and so are the steps: what the cases do in minutes is done in a second or two.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use divisi_testkit::client::Client;
use divisi_testkit::conn::Conn;
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait;

use crate::answer::finals;
use crate::case::{Case, ReadRate, Repeat, Step, all, expand};
use crate::support::{GET, Proxy};
use divisi_proxy::Limits;

/// Every limit of these proxies.
const LIMIT: Duration = Duration::from_secs(1);
/// When a limit must have struck, on a busy machine too.
const LATEST: Duration = Duration::from_secs(8);
/// The steps of the cases are made for limits of a minute.
const FASTER: u64 = 20;

#[test]
fn every_slow_case_is_ended_by_a_limit() {
    let cases: Vec<_> = all().into_iter().filter(Case::is_slow).collect();
    let wrong: Vec<String> = thread::scope(|scope| {
        let runs: Vec<_> = cases.iter().map(|case| (case, scope.spawn(|| run(case)))).collect();
        let wrong = runs.into_iter().filter_map(|(case, run)| {
            let fault = run.join().unwrap_or_else(|_| Err("its run panicked".to_owned())).err()?;
            Some(format!("{} {} {}: {fault} ({})", case.id, case.level, case.name, case.why))
        });
        wrong.collect()
    });
    assert!(wrong.is_empty(), "{} cases went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn run(case: &Case) -> Result<(), String> {
    let origin = Replica::start(serve).lenient();
    // Whoever leaves must be noticed at once, not by a limit.
    let limit = if case.expect == "cancel" { LATEST * 2 } else { LIMIT };
    let shorten = |limits: &mut Limits| {
        limits.head_timeout = limit;
        limits.idle_timeout = limit;
        limits.client_timeout = limit;
        limits.response_timeout = limit;
    };
    let proxy = Proxy::limited(shorten, &[&origin]);
    match case.expect.as_str() {
        "timeout" => time_out(case, &proxy, &origin),
        "cancel" => cancel(case, &proxy, &origin),
        "response-504" => give_up_on_the_replica(case, &proxy, &origin),
        other => panic!("nobody judges {other}"),
    }?;
    wait::within(LATEST, || proxy.members[0].in_flight() == 0).then_some(()).ok_or("a lease is still held")?;
    let clean = proxy.fetch(GET);
    if clean.status() == 200 { Ok(()) } else { Err(format!("clean request after: {}", clean.status())) }
}

/// An origin that answers by path: at once, never, or with more than buffers hold.
fn serve(conn: &mut Conn) -> io::Result<()> {
    while let Some(request) = conn.request()? {
        match request.head.target().as_str() {
            "/big" => {
                let piece = [b'x'; 64 * 1024];
                conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", piece.len() * 2048))?;
                for _ in 0..2048 {
                    conn.send(piece)?;
                }
            }
            "/slow" | "/r" => {
                conn.wait_closed()?;
                return Ok(());
            }
            _ => conn.send(ok("OK"))?,
        }
    }
    Ok(())
}

/// The proxy ends the connection by itself, with one of the statuses where it has something to answer.
fn time_out(case: &Case, proxy: &Proxy, origin: &Replica) -> Result<(), String> {
    let mut client = Client::with_small_window(proxy.addr());
    let begun = Instant::now();
    let (out, ended) = play(&mut client, &case.steps, &|| origin.open() == 0);
    if !ended {
        return Err(format!("not ended after {:?}", begun.elapsed()));
    }
    let answered = finals(&out, false).first().map(|answer| answer.status);
    match (&case.status, answered) {
        (Some(allowed), Some(status)) if !allowed.contains(&status) => {
            Err(format!("status {status} not in {allowed:?}"))
        }
        (Some(_), _) if !origin.requests().is_empty() => Err("origin saw a complete request".to_owned()),
        _ => Ok(()),
    }
}

/// Does the steps of a case until the proxy ends it, and says whether it did. Whoever hardly reads does not see the end
/// of its connection: there `given_up` tells it from the replica's side.
fn play(client: &mut Client, steps: &[Step], given_up: &dyn Fn() -> bool) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    for step in steps {
        let ended = match step {
            Step::Send(text) => {
                client.send(expand(text));
                false
            }
            Step::WaitMs(_) => listen(client, &mut out, LATEST),
            Step::Repeat(repeat) => trickle(client, repeat, &mut out),
            Step::ReadRate(rate) => sip(client, rate, given_up),
            Step::Close(_) => false,
        };
        if ended {
            return (out, true);
        }
    }
    (out, false)
}

/// Sends the same again and again, faster than any limit on a single read.
fn trickle(client: &mut Client, repeat: &Repeat, out: &mut Vec<u8>) -> bool {
    let pause = Duration::from_millis(repeat.every_ms / FASTER);
    (0..repeat.times).any(|_| {
        // The proxy may have closed; the next read says so.
        let _ = client.try_send(expand(&repeat.send));
        listen(client, out, pause)
    })
}

/// Takes a response a few bytes at a time until the proxy gives up.
fn sip(client: &mut Client, rate: &ReadRate, given_up: &dyn Fn() -> bool) -> bool {
    let pause = Duration::from_millis(rate.every_ms / FASTER);
    let end = Instant::now() + Duration::from_millis(rate.for_ms / FASTER).max(LATEST);
    let (first, _) = client.read_at_most(rate.bytes, LATEST);
    while !first.is_empty() && Instant::now() < end {
        client.read_at_most(rate.bytes, pause);
        thread::sleep(pause);
        if given_up() {
            return true;
        }
    }
    false
}

/// Takes what comes within `limit`; whether the connection ended.
fn listen(client: &mut Client, out: &mut Vec<u8>, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        let (bytes, closed) = client.read_for(left);
        out.extend(bytes);
        if closed.is_some() {
            return true;
        }
    }
    false
}

/// The client leaves: the replica's connection is closed, and it is not asked again.
fn cancel(case: &Case, proxy: &Proxy, origin: &Replica) -> Result<(), String> {
    let mut client = proxy.connect();
    client.send(expand(&case.raw));
    wait::until("the request is on its way", || origin.requests().len() == 1);
    drop(client);
    if !wait::within(LATEST, || origin.open() == 0) {
        return Err("the replica's connection stays open".to_owned());
    }
    let requests = origin.requests().len();
    if requests == 1 { Ok(()) } else { Err(format!("sent {requests} times")) }
}

/// A replica that never answers: 504, and its connection is closed.
fn give_up_on_the_replica(case: &Case, proxy: &Proxy, origin: &Replica) -> Result<(), String> {
    let response = proxy.fetch(expand(&case.raw));
    if response.status() != 504 {
        return Err(format!("status {}", response.status()));
    }
    wait::within(LATEST, || origin.open() == 0)
        .then_some(())
        .ok_or_else(|| "the replica's connection stays open".to_owned())
}
