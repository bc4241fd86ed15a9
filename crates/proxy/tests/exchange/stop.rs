//! The end of the program: nobody loses what was begun.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use divisi_testkit::client::{Client, Closed};
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait;

use crate::support::{GET, Proxy};

/// A replica that answers when it is told to.
fn waiting() -> (Replica, mpsc::Sender<()>) {
    let (go, told) = mpsc::channel::<()>();
    let told = Arc::new(Mutex::new(told));
    let replica = Replica::start(move |conn| {
        while conn.request()?.is_some() {
            let word = told.lock().map_err(|_| io::ErrorKind::Other)?.recv();
            word.map_err(|_| io::ErrorKind::BrokenPipe)?;
            conn.send(ok("finished"))?;
        }
        Ok(())
    });
    (replica, go)
}

/// Whether a connection made now stays open so long.
fn lasts(addr: SocketAddr, most: Duration) -> bool {
    Client::try_connect(addr).is_ok_and(|mut client| client.read_for(most).1.is_none())
}

/// A proxy that has begun to stop while a request is in flight at a replica that waits for a word.
struct Stopping {
    client: Client,
    addr: SocketAddr,
    go: mpsc::Sender<()>,
    stopped: thread::JoinHandle<bool>,
    _replica: Replica,
}

impl Stopping {
    fn begin() -> Self {
        let (replica, go) = waiting();
        let mut proxy = Proxy::before(&[&replica]);
        let addr = proxy.addr();
        let mut resting = proxy.connect();
        go.send(()).expect("the replica waits");
        resting.exchange(GET);
        let mut client = proxy.connect();
        client.send(GET);
        wait::until("the request is in flight", || replica.requests().len() == 2);
        let stopped = thread::spawn(move || proxy.stop(Duration::from_secs(5)));
        // That a connection which rests was closed shows that the stop has begun.
        resting.read_to_close();
        Self { client, addr, go, stopped, _replica: replica }
    }
}

#[test]
fn an_exchange_in_flight_finishes() {
    let mut stopping = Stopping::begin();
    stopping.go.send(()).expect("the replica waits");
    assert_eq!(stopping.client.response().text(), "finished");
    assert_eq!(stopping.client.read_to_close(), (Vec::new(), Closed::Fin));
    assert!(stopping.stopped.join().expect("it stops"), "everything had finished");
}

#[test]
fn a_response_that_begins_after_the_stop_says_that_the_connection_closes() {
    let mut stopping = Stopping::begin();
    stopping.go.send(()).expect("the replica waits");
    let head = stopping.client.response().head;
    assert_eq!(head.value("connection").as_deref(), Some("close"), "{head:?}");
}

#[test]
fn a_connection_that_comes_after_the_stop_holds_nothing_up() {
    let mut stopping = Stopping::begin();
    let silent = Client::try_connect(stopping.addr);
    assert!(!lasts(stopping.addr, Duration::from_secs(1)), "it is neither refused nor closed");
    stopping.go.send(()).expect("the replica waits");
    stopping.client.response();
    assert!(stopping.stopped.join().expect("it stops"), "it waited for a connection that asked for nothing");
    drop(silent);
}

#[test]
fn resting_connections_are_closed_at_once() {
    let replica = Replica::named("a");
    let mut proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.exchange(GET);
    let begun = Instant::now();
    assert!(proxy.stop(wait::PATIENCE));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(client.read_to_close(), (Vec::new(), Closed::Fin));
}

#[test]
fn what_does_not_finish_is_cut_at_the_deadline() {
    let (replica, _go) = waiting();
    let mut proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send(GET);
    wait::until("the request is in flight", || replica.requests().len() == 1);
    let begun = Instant::now();
    assert!(!proxy.stop(Duration::from_millis(200)), "something was cut");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(client.try_response().is_none());
}
