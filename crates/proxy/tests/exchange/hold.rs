//! Requests that wait for a replica: who waits, for how long, and in which order they go out.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use divisi_model::spec::HoldLimits;
use divisi_model::{Card, Readiness, Spec};
use divisi_testkit::client::Client;
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait;

use crate::support::{GET, Nobody, Proxy, settings, spec};

/// A proxy before nobody, whose requests wait as `hold` says.
fn before_nobody(hold: HoldLimits) -> Proxy {
    Proxy::of(settings(), Spec { hold, ..spec() }, &[])
}

fn for_long() -> HoldLimits {
    HoldLimits { time: Duration::from_secs(60), ..HoldLimits::default() }
}

/// A request for `/n`.
fn get(number: usize) -> String {
    format!("GET /{number} HTTP/1.1\r\nHost: app.test\r\n\r\n")
}

/// Clients whose requests wait, in the order of their numbers.
fn waiting(proxy: &Proxy, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for number in 0..count {
        let mut client = proxy.connect();
        client.send(get(number));
        clients.push(client);
        wait::until("the request waits", || proxy.service.state().waiting() == number + 1);
    }
    clients
}

fn member(proxy: &Proxy, number: u32, replica: &Replica) -> Arc<divisi_model::Replica> {
    proxy.service.replica(Card::new(format!("web-{number}"), number), replica.addr(), Readiness::Ready)
}

#[test]
fn requests_that_wait_are_answered_by_the_first_replica_in_order() {
    // One at a time: of several under way at once, any may be the first to arrive.
    let proxy = Proxy::of(settings(), Spec { hold: for_long(), replica_limit: Some(1), ..spec() }, &[]);
    let clients = waiting(&proxy, 20);
    let replica = Replica::named("late");
    proxy.ready(&[member(&proxy, 1, &replica)]);
    for mut client in clients {
        assert_eq!(client.response().text(), "late");
    }
    let served: Vec<_> = replica.requests().iter().map(|request| request.head.target()).collect();
    let expected: Vec<_> = (0..20).map(|number| format!("/{number}")).collect();
    assert_eq!(served, expected);
    let totals = || proxy.running.as_ref().expect("running").totals();
    wait::until("all are recorded", || totals().requests == 20);
    assert_eq!((totals().held, totals().retries, totals().statuses[2]), (20, 0, 20));
}

#[test]
fn they_do_not_all_go_to_the_first_replica_at_once() {
    let most = Arc::new(Mutex::new((0, 0)));
    let seen = Arc::clone(&most);
    let replica = Replica::answering(move |_| {
        {
            let mut counts = seen.lock().expect("a lock");
            counts.0 += 1;
            counts.1 = counts.1.max(counts.0);
        }
        thread::sleep(Duration::from_millis(20));
        seen.lock().expect("a lock").0 -= 1;
        ok("")
    });
    let proxy = before_nobody(for_long());
    let clients = waiting(&proxy, 60);
    proxy.ready(&[member(&proxy, 1, &replica)]);
    for mut client in clients {
        assert_eq!(client.response().status(), 200);
    }
    let (_, at_once) = *most.lock().expect("a lock");
    assert!(at_once < 50, "{at_once} of 60 at once");
}

#[test]
fn a_small_body_waits_with_its_request() {
    let proxy = before_nobody(for_long());
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nhello");
    wait::until("the request waits", || proxy.service.state().waiting() == 1);
    client.send("world");
    let replica = Replica::answering(|request| ok(&request.body));
    proxy.ready(&[member(&proxy, 1, &replica)]);
    assert_eq!(client.response().text(), "helloworld");
}

#[test]
fn of_a_large_body_no_more_is_read_than_may_wait() {
    let proxy = before_nobody(for_long());
    let mut client = proxy.connect();
    let size = 64 * 1024 * 1024;
    client.send(format!("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {size}\r\n\r\n"));
    let mut writer = client.writer();
    writer.set_write_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    let sent = std::io::Write::write_all(&mut writer, &vec![b'x'; size]);
    assert!(sent.is_err(), "the client is held back, and nobody keeps 64 MiB");
    assert_eq!(proxy.service.state().waiting(), 1);
    // Its departure is noticed although its bytes were never read.
    client.reset();
    drop(writer);
    wait::until("its place is free", || proxy.service.state().waiting() == 0);
}

#[test]
fn a_client_that_leaves_frees_its_place_at_once() {
    let proxy = before_nobody(HoldLimits { requests: 1, ..for_long() });
    let clients = waiting(&proxy, 1);
    assert_eq!(proxy.fetch(GET).status(), 503);
    drop(clients);
    wait::until("the place is free", || proxy.service.state().waiting() == 0);
    assert_eq!(waiting(&proxy, 1).len(), 1);
}

#[test]
fn past_the_number_the_answer_names_the_bound() {
    let proxy = before_nobody(HoldLimits { requests: 3, ..for_long() });
    let _clients = waiting(&proxy, 3);
    let response = proxy.fetch(GET);
    assert_eq!(response.status(), 503);
    assert!(response.head.has("retry-after"));
    assert_eq!(
        response.text(),
        "divisi: 3 requests wait for a replica of service \"web\" already, as many as may (--hold-requests)\n"
    );
}

#[test]
fn past_the_time_the_answer_names_the_bound() {
    let proxy = before_nobody(HoldLimits { time: Duration::from_millis(300), ..HoldLimits::default() });
    let begun = Instant::now();
    let mut client = proxy.connect();
    let response = client.exchange(GET);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(response.status(), 503);
    assert!(response.head.has("retry-after"));
    assert!(response.text().contains("within 300ms (--hold)"), "{}", response.text());
    assert_eq!(client.exchange(GET).status(), 503, "the connection goes on");
}

#[test]
fn without_a_hold_nobody_waits() {
    let proxy = before_nobody(HoldLimits { time: Duration::ZERO, ..HoldLimits::default() });
    let begun = Instant::now();
    assert_eq!(proxy.fetch(GET).status(), 503);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_service_that_is_forgotten_holds_nobody() {
    let proxy = before_nobody(for_long());
    let forgotten = proxy.service.with_forgotten(true);
    proxy.published.publish(divisi_model::Snapshot::of(Arc::new(forgotten)));
    let response = proxy.fetch(GET);
    assert_eq!(response.status(), 503);
    assert!(response.text().contains("no container"), "{}", response.text());
}

#[test]
fn who_waits_for_a_service_that_is_replaced_waits_for_the_other() {
    let proxy = before_nobody(for_long());
    let mut clients = waiting(&proxy, 1);
    let other = divisi_model::Service::new("other", Spec { hold: for_long(), ..spec() });
    proxy.published.publish(divisi_model::Snapshot::of(other.clone().into()));
    wait::until("it waits in the other line", || other.state().waiting() == 1);
    let replica = Replica::named("other");
    let member = other.replica(Card::new("other-1", 1), replica.addr(), Readiness::Ready);
    proxy.published.publish(divisi_model::Snapshot::of(other.with_replicas(vec![member], 1).into()));
    assert_eq!(clients.remove(0).response().text(), "other");
}

#[test]
fn who_waits_for_a_service_that_is_no_longer_known_is_told() {
    let proxy = before_nobody(for_long());
    let mut clients = waiting(&proxy, 1);
    proxy.published.publish(divisi_model::Snapshot::unrouted("two services have a port"));
    let response = clients.remove(0).response();
    assert_eq!(response.status(), 503);
    assert!(response.text().contains("two services"), "{}", response.text());
}

#[test]
fn a_replica_that_cannot_be_reached_for_a_moment_costs_no_request() {
    let nobody = Nobody::new();
    let proxy = Proxy::of(settings(), Spec { hold: for_long(), ..spec() }, &[nobody.addr()]);
    let mut client = proxy.connect();
    client.send(GET);
    wait::until("it was tried", || proxy.members[0].health() != divisi_model::Health::Up);
    let replica = Replica::named("successor");
    proxy.ready(&[member(&proxy, 2, &replica)]);
    assert_eq!(client.response().text(), "successor");
}

#[test]
fn behind_a_limit_requests_wait_for_their_turn() {
    let replica = Replica::answering(|_| {
        thread::sleep(Duration::from_millis(10));
        ok("")
    });
    let limited = Spec { replica_limit: Some(2), hold: for_long(), ..spec() };
    let proxy = Proxy::of(settings(), limited, &[replica.addr()]);
    let over = proxy.members[0].clone();
    let (addr, clients) = (proxy.addr(), 12);
    let most = thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(move || {
                    let mut client = Client::connect(addr);
                    (0..10).all(|_| client.exchange(GET).status() == 200)
                })
            })
            .collect();
        let mut most = 0;
        while clients.iter().any(|client| !client.is_finished()) {
            most = most.max(replica.open());
            thread::yield_now();
        }
        assert!(clients.into_iter().all(|client| client.join().expect("a client ends")));
        most
    });
    assert!(most <= 2, "{most} connections to a replica that takes two requests");
    // The last answer arrives a moment before its exchange has ended.
    wait::until("nothing is left", || (over.in_flight(), proxy.service.state().waiting()) == (0, 0));
}

#[test]
fn a_service_with_too_many_requests_says_so() {
    let limited = Spec { service_limit: Some(1), hold: for_long(), ..spec() };
    let proxy = Proxy::of(settings(), limited, &[]);
    let _clients = waiting(&proxy, 1);
    let response = proxy.fetch(GET);
    assert_eq!(response.status(), 503);
    assert!(response.text().contains("--limit-service"), "{}", response.text());
}

#[test]
fn who_waits_when_the_program_ends_is_told() {
    let mut proxy = before_nobody(for_long());
    let mut clients = waiting(&proxy, 1);
    assert!(proxy.stop(Duration::from_secs(1)), "nothing is left");
    let response = clients.remove(0).response();
    assert_eq!(response.status(), 503);
    assert_eq!(response.head.value("connection").as_deref(), Some("close"));
    assert!(response.text().contains("is being stopped"), "{}", response.text());
}

#[test]
fn who_waits_when_the_program_begins_to_stop_may_still_be_served() {
    let mut proxy = before_nobody(for_long());
    let mut clients = waiting(&proxy, 1);
    let replica = Replica::named("late");
    let member = member(&proxy, 1, &replica);
    let running = proxy.running.take().expect("running");
    let stopped = thread::spawn(move || running.stop(Duration::from_secs(20)));
    wait::until("it stops", || Client::try_connect(proxy.addr()).is_err());
    proxy.ready(&[member]);
    assert_eq!(clients.remove(0).response().text(), "late");
    assert!(stopped.join().expect("it stops"), "nothing is left");
}
