//! Attempts beyond the first: which failures allow one, and what a failure says about the replica.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use divisi_model::spec::{EjectionRules, RetryLimits};
use divisi_model::{Card, Health, Moment, Readiness, Spec};
use divisi_testkit::client::Client;
use divisi_testkit::conn::Conn;
use divisi_testkit::pattern::Pattern;
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait;

use crate::support::{GET, Nobody, Proxy, settings, spec};

/// Takes a whole request and hangs up.
fn hangs_up(conn: &mut Conn) -> io::Result<()> {
    conn.request().map(drop)
}

/// What a request of that method and body gets before a replica that hangs up and one that echoes.
fn fare(method: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let (bad, good) = (Replica::start(hangs_up), Replica::answering(|request| ok(&request.body)));
    let proxy = Proxy::before(&[&bad, &good]);
    let mut request =
        format!("{method} / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    request.extend_from_slice(body);
    let response = proxy.fetch(request);
    assert_eq!(bad.requests().len(), 1, "the bad one came first");
    (response.status(), response.body)
}

#[test]
fn a_body_that_was_sent_is_sent_again_where_repeating_is_safe() {
    for size in [1, 5000, 60_000] {
        let body = Pattern::new(7).take(size);
        assert_eq!(fare("PUT", &body), (200, body), "{size} bytes");
    }
}

#[test]
fn a_body_that_is_too_large_to_keep_is_sent_once() {
    assert_eq!(fare("PUT", &Pattern::new(7).take(200_000)).0, 502);
}

#[test]
fn a_post_that_may_have_been_acted_upon_is_sent_once() {
    assert_eq!(fare("POST", b"order").0, 502);
}

#[test]
fn chunks_and_trailers_are_sent_again_as_well() {
    let (bad, good) = (Replica::start(hangs_up), Replica::answering(|request| ok(&request.body)));
    let proxy = Proxy::before(&[&bad, &good]);
    let response = proxy.fetch(
        "PUT / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
    assert_eq!(response.text(), "hello world");
    assert_eq!(good.requests()[0].trailers, b"X-Sum: 1\r\n");
}

#[test]
fn a_reply_that_takes_too_long_is_sought_elsewhere_once() {
    let silent = || Replica::start(|conn| conn.request().and_then(|_| conn.wait_closed()).map(drop));
    let (one, other, good) = (silent(), silent(), Replica::named("good"));
    let mut quick = settings();
    quick.limits.response_timeout = Duration::from_millis(100);
    let proxy = Proxy::with(quick.clone(), &[&one, &good]);
    assert_eq!(proxy.fetch(GET).text(), "good");
    let proxy = Proxy::with(quick, &[&one, &other, &good]);
    assert_eq!(proxy.fetch(GET).status(), 504, "two such waits are enough");
}

/// Clients that have sent a GET.
fn sending(proxy: &Proxy, count: usize) -> Vec<Client> {
    let send = |_| {
        let mut client = proxy.connect();
        client.send(GET);
        client
    };
    (0..count).map(send).collect()
}

#[test]
fn the_budget_bounds_attempts() {
    let crowd = 30;
    let bad = Replica::start(|conn| conn.request().and_then(|_| conn.wait_closed()).map(drop));
    let good = Replica::named("good");
    let spec = Spec {
        retry: RetryLimits { percent: 0, per_second: 1 },
        ejection: EjectionRules { failures: 0, ..EjectionRules::default() },
        ..spec()
    };
    let proxy = Proxy::of(settings(), spec, &[bad.addr()]);
    let clients = sending(&proxy, crowd);
    wait::until("all are there", || bad.requests().len() == crowd);
    proxy.ready(&[
        Arc::clone(&proxy.members[0]),
        proxy.service.replica(Card::new("web-2", 2), good.addr(), Readiness::Ready),
    ]);
    // All fail at once: those beyond the budget look for a while whether they may go on after all.
    bad.close_all();
    let statuses: Vec<_> = clients.into_iter().map(|mut client| client.response().status()).collect();
    let again = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(statuses.iter().filter(|status| **status == 502).count(), crowd - again, "{statuses:?}");
    // One attempt each, since the second one succeeds: a request that fails once more asks the budget once more.
    assert_eq!((good.requests().len(), bad.requests().len()), (again, crowd));
    assert!((10..=20).contains(&again), "{again} retries, one per second over ten seconds allowed");
}

#[test]
fn one_retry_costs_one_of_the_budget_though_that_fails_too() {
    let (one, other) = (Replica::start(hangs_up), Replica::start(hangs_up));
    let spec = Spec {
        retry: RetryLimits { percent: 0, per_second: 1 },
        ejection: EjectionRules { failures: 0, ..EjectionRules::default() },
        ..spec()
    };
    let proxy = Proxy::of(settings(), spec, &[one.addr(), other.addr()]);
    for _ in 0..4 {
        assert_eq!(proxy.fetch(GET).status(), 502);
    }
    // A second attempt each, and nobody is there for a third.
    assert_eq!((one.requests().len(), other.requests().len()), (4, 4));
    let left: Vec<_> = std::iter::from_fn(|| proxy.service.retry(Moment::now())).collect();
    assert_eq!(left.len(), 10 - 4, "one per second over ten seconds are allowed");
}

#[test]
fn the_requests_of_a_replica_that_has_left_cost_no_budget() {
    let crowd = 40;
    let bad = Replica::start(|conn| conn.request().and_then(|_| conn.wait_closed()).map(drop));
    let good = Replica::named("good");
    let retry = RetryLimits { percent: 0, per_second: 1 };
    let proxy = Proxy::of(settings(), Spec { retry, ..spec() }, &[bad.addr()]);
    let clients = sending(&proxy, crowd);
    wait::until("all are there", || bad.requests().len() == crowd);
    proxy.ready(&[proxy.service.replica(Card::new("web-2", 2), good.addr(), Readiness::Ready)]);
    bad.close_all();
    // The engine says so only later.
    wait::until("some are over the budget", || good.requests().len() >= 10);
    proxy.members[0].set_readiness(Readiness::Gone, Moment::now());
    for mut client in clients {
        assert_eq!(client.response().text(), "good");
    }
}

#[test]
fn a_replica_that_refuses_is_out_at_once() {
    let (nobody, replica) = (Nobody::new(), Replica::named("a"));
    let proxy = Proxy::at(settings(), &[nobody.addr(), replica.addr()]);
    for _ in 0..10 {
        assert_eq!(proxy.fetch(GET).text(), "a");
    }
    assert_eq!(proxy.members[0].health(), Health::Down);
    assert_eq!(proxy.running.as_ref().expect("running").totals().retries, 1);
}

#[test]
fn a_replica_that_fails_five_times_is_out() {
    let bad = Replica::answering(|_| b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_vec());
    let good = Replica::named("good");
    let proxy = Proxy::before(&[&bad, &good]);
    let statuses: Vec<_> = (0..40).map(|_| proxy.fetch(GET).status()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 500).count(), 5);
    assert_eq!(proxy.members[0].health(), Health::Ejected);
    assert_eq!(proxy.published.alarm().take().len(), 1, "somebody is to look after it");
}

#[test]
fn what_the_client_does_is_not_the_replicas_fault() {
    let replica = Replica::start(|conn| conn.request().and_then(|_| conn.wait_closed()).map(drop));
    let proxy = Proxy::before(&[&replica]);
    for count in 1..10 {
        let mut client = proxy.connect();
        client.send(GET);
        wait::until("it arrived", || replica.requests().len() == count);
        client.reset();
    }
    assert_eq!(proxy.members[0].health(), Health::Up);
}
