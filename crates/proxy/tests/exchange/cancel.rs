//! Clients that leave, and clients that hardly read.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use divisi_testkit::client::Client;
use divisi_testkit::conn::Conn;
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait;

use crate::support::{GET, Proxy};

/// Waits for the end of the connection after the request.
fn silent(conn: &mut Conn) -> io::Result<()> {
    conn.request()?;
    conn.wait_closed().map(drop)
}

fn assert_released(proxy: &Proxy, replica: &Replica) {
    wait::until("the replica's connection is closed", || replica.open() == 0);
    wait::until("the lease is given back", || proxy.members[0].in_flight() == 0);
}

#[test]
fn a_client_that_leaves_before_the_response_takes_the_replicas_connection_with_it() {
    let replica = Replica::start(silent);
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send(GET);
    wait::until("the request has arrived", || replica.requests().len() == 1);
    drop(client);
    assert_released(&proxy, &replica);
    assert_eq!(replica.accepted(), 1, "nobody tries again for a client that is gone");
}

#[test]
fn a_client_that_resets_is_gone_too() {
    let replica = Replica::start(silent);
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send(GET);
    wait::until("the request has arrived", || replica.requests().len() == 1);
    client.reset();
    assert_released(&proxy, &replica);
}

#[test]
fn a_client_that_leaves_in_its_upload_leaves_an_incomplete_request() {
    let replica = Replica::start(silent);
    let proxy = Proxy::before(&[&replica]);
    for head in ["Content-Length: 1000\r\n\r\nsome", "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n"] {
        let mut client = proxy.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: app.test\r\n{head}"));
        wait::until("some of the body has arrived", || {
            replica.look(|record| record.raw.windows(4).any(|window| window == b"some"))
        });
        drop(client);
        assert_released(&proxy, &replica);
        assert_eq!(replica.forget().requests.len(), 0, "it must not look complete");
    }
}

#[test]
fn a_client_that_leaves_in_its_response_takes_the_replicas_connection_with_it() {
    let replica = Replica::start(|conn| {
        conn.request()?;
        conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            conn.send_chunk([b'x'; 1000])?;
            thread::sleep(Duration::from_millis(1));
        }
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send(GET).read_until("xxxx");
    drop(client);
    assert_released(&proxy, &replica);
}

#[test]
fn a_client_that_only_ends_its_own_direction_gets_its_response() {
    let replica = Replica::start(|conn| {
        conn.request()?;
        thread::sleep(Duration::from_millis(50));
        conn.send(ok("late"))
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send(GET).finish();
    // Half-closing says "no more requests" and not "I am gone", but no server has to keep the two apart (RFC 9112 9.6).
    if let Some(response) = client.try_response() {
        assert_eq!(response.text(), "late");
    }
}

#[test]
fn a_client_that_does_not_read_stalls_the_replica_and_not_our_memory() {
    const LENGTH: usize = 512 * 1024 * 1024;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let replica = Replica::start(move |conn| {
        conn.request()?;
        conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"))?;
        let piece = [b'x'; 64 * 1024];
        while count.fetch_add(piece.len(), Ordering::Relaxed) < LENGTH {
            conn.send(piece)?;
        }
        Ok(())
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::with_small_window(proxy.addr());
    client.send(GET);
    assert_eq!(client.head().expect("a head").status(), 200);
    let mut last = 0;
    wait::until("the replica's writes stall", || {
        thread::sleep(Duration::from_millis(300));
        std::mem::replace(&mut last, sent.load(Ordering::Relaxed)) == sent.load(Ordering::Relaxed)
    });
    // What the kernel buffers on both connections, and little of ours.
    assert!(last < 32 * 1024 * 1024, "{last} bytes were taken from the replica");
}

#[test]
fn a_replica_that_does_not_read_stalls_the_client_and_not_our_memory() {
    let replica = Replica::start(|conn| {
        conn.head()?;
        thread::sleep(wait::PATIENCE);
        Ok(())
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send(format!("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n", 512 * 1024 * 1024));
    let mut writer = client.writer();
    writer.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout can be set");
    let piece = [b'x'; 64 * 1024];
    let taken = (0..8192).take_while(|_| io::Write::write_all(&mut writer, &piece).is_ok()).count() * piece.len();
    assert!(taken < 32 * 1024 * 1024, "{taken} bytes were taken from the client");
}
