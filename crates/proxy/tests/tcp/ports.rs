//! Ports come and go with snapshots.

use std::net::TcpListener;
use std::time::Duration;

use divisi_model::Spec;
use divisi_model::route::{Door, Rule};
use divisi_model::tcp::Standing;
use divisi_testkit::client::{Client, Closed};
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait;

use crate::stage::{Stage, any, echo, free_port, greeting, route};
use crate::support::{settings, spec};

#[test]
fn a_port_opens_and_closes_with_its_route_and_what_goes_on_there_has_its_time() {
    let replica = Replica::start(echo).lenient();
    let mut settings = settings();
    settings.workers = 2;
    let spec = Spec { drain: Duration::from_millis(600), ..spec() };
    let stage = Stage::with(settings, spec, &[replica.addr()], None);
    let (first, second) = (stage.port, free_port());
    let mut old = stage.connect();
    old.send("one");
    old.read_until("one");
    stage.publish(&stage.members, vec![route(second, any(), Door::Plain, 0)]);
    stage.wait_for(second, &Standing::Open);
    let mut new = Client::connect(([127, 0, 0, 1], second).into());
    new.send("new");
    new.read_until("new");
    stage.wait_for(first, &Standing::Closed);
    assert!(Client::try_connect(stage.addr()).is_err(), "nobody listens there any more");
    old.send("two");
    assert_eq!(old.read_until("two"), b"two", "it goes on");
    assert_eq!(old.read_to_close(), (Vec::new(), Closed::Reset), "until its time is over");
    new.send("still");
    assert_eq!(new.read_until("still"), b"still");
    // It can be had again.
    stage.ready(&stage.members);
    stage.wait_open();
    stage.connect().send("x").read_until("x");
}

#[test]
fn a_port_that_another_program_has_is_told_and_tried_again() {
    let replica = Replica::start(greeting).lenient();
    let stage = Stage::before(&[replica.addr()]);
    let port = free_port();
    let other = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    let both = || vec![route(stage.port, any(), Door::Plain, 0), route(port, any(), Door::Plain, 0)];
    stage.publish(&stage.members, both());
    let failed = || match stage.proxy.published.listening().of(port) {
        Standing::Failed(why) => why.contains("another program"),
        _ => false,
    };
    wait::until("it is told", failed);
    assert_eq!(stage.connect().read_until("hello\r\n"), b"220 hello\r\n", "the others are served");
    drop(other);
    stage.wait_for(port, &Standing::Open);
    assert_eq!(Client::connect(([127, 0, 0, 1], port).into()).read_until("hello\r\n"), b"220 hello\r\n");
    // One that cannot be had and is not wanted any more is forgotten.
    let third = free_port();
    let _other = TcpListener::bind(("127.0.0.1", third)).expect("a free port");
    stage.publish(&stage.members, vec![route(third, any(), Door::Plain, 0)]);
    wait::until("it is told", || matches!(stage.proxy.published.listening().of(third), Standing::Failed(_)));
    stage.publish(&stage.members, Vec::new());
    stage.wait_for(third, &Standing::Closed);
}

#[test]
fn a_port_of_http_stays_one() {
    let replica = Replica::answering(|_| ok("http"));
    let tcp = Replica::start(greeting).lenient();
    let stage = Stage::before(&[tcp.addr()]);
    let own = stage.proxy.addr().port();
    stage.publish(&stage.members, vec![route(own, any(), Door::Plain, 0)]);
    wait::until(
        "it is told",
        || matches!(stage.proxy.published.listening().of(own), Standing::Failed(why) if why.contains("another port")),
    );
    assert_eq!(stage.proxy.fetch("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status(), 404, "HTTP as ever");
    let secure = Rule::host("db.example.com").expect("a name");
    stage.publish(&stage.members, vec![route(own, secure, Door::Secure, 0)]);
    stage.wait_for(own, &Standing::Shared);
    drop(replica);
}

#[test]
fn whoever_comes_from_elsewhere_has_no_route() {
    let replica = Replica::start(greeting).lenient();
    let stage = Stage::before(&[replica.addr()]);
    let far = Rule::client_ip("10.0.0.0/8").expect("a network");
    stage.publish(&stage.members, vec![route(stage.port, far, Door::Plain, 0)]);
    wait::until("it is refused", || stage.connect().read_to_close().0.is_empty());
    wait::until("it is counted", || stage.proxy.published.listening().refused() > 0);
    let near = Rule::client_ip("127.0.0.0/8").expect("a network");
    stage.publish(&stage.members, vec![route(stage.port, near, Door::Plain, 0)]);
    wait::until("it is served", || !stage.connect().read_for(Duration::from_millis(200)).0.is_empty());
}

#[test]
fn a_stop_waits_for_connections_until_its_deadline() {
    let replica = Replica::start(echo).lenient();
    let mut stage = Stage::before(&[replica.addr()]);
    let mut client = stage.connect();
    client.send("one");
    client.read_until("one");
    let addr = stage.addr();
    let talk = std::thread::spawn(move || {
        wait::until("the port is closed", || Client::try_connect(addr).is_err());
        client.send("two");
        let two = client.read_until("two");
        client.finish();
        (two, client.read_to_close())
    });
    assert!(stage.proxy.stop(Duration::from_secs(20)), "all have finished");
    assert_eq!(talk.join().expect("no panic"), (b"two".to_vec(), (Vec::new(), Closed::Fin)));
    let mut stage = Stage::before(&[replica.addr()]);
    let mut client = stage.connect();
    client.send("one");
    client.read_until("one");
    assert!(!stage.proxy.stop(Duration::from_millis(200)), "this one has not");
    client.read_to_close();
}
