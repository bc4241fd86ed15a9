//! A replica that leaves: what goes on at it goes on until its time is over.

use std::time::Duration;

use divisi_model::{Moment, Readiness};
use divisi_testkit::client::Client;
use divisi_testkit::conn::Conn;
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait;

use crate::support::{GET, Proxy};

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// Upgrades and sends back what comes.
fn echoing(conn: &mut Conn) -> std::io::Result<()> {
    if conn.head()?.is_some() {
        conn.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")?;
        loop {
            let bytes = conn.read_some()?;
            if bytes.is_empty() {
                return Ok(());
            }
            conn.send(bytes)?;
        }
    }
    Ok(())
}

fn tunnel(proxy: &Proxy) -> Client {
    let mut client = proxy.connect();
    client.send(UPGRADE);
    assert_eq!(client.head().expect("a head").status(), 101);
    client.send("one");
    assert_eq!(client.read_until("one"), b"one");
    client
}

#[test]
fn a_tunnel_lives_until_its_replicas_time_is_over() {
    let replica = Replica::start(echoing).lenient();
    let proxy = Proxy::before(&[&replica]);
    let mut client = tunnel(&proxy);
    let member = &proxy.members[0];
    member.set_readiness(Readiness::Draining, Moment::now());
    member.set_cut(Some(Moment::now() + Duration::from_secs(3600)));
    client.send("two");
    assert_eq!(client.read_until("two"), b"two", "it goes on while there is time");
    member.set_cut(Some(Moment::now()));
    client.read_to_close();
    wait::until("nothing is in flight", || member.in_flight() == 0);
}

#[test]
fn a_request_that_is_not_answered_in_that_time_goes_elsewhere() {
    let leaving = Replica::start(|conn| conn.request().and_then(|_| conn.wait_closed()).map(drop));
    let staying = Replica::answering(|_| ok("staying"));
    let proxy = Proxy::before(&[&leaving, &staying]);
    let mut client = proxy.connect();
    client.send(GET);
    wait::until("it arrived", || leaving.requests().len() == 1);
    proxy.members[0].set_readiness(Readiness::Draining, Moment::now());
    proxy.members[0].set_cut(Some(Moment::now()));
    assert_eq!(client.response().text(), "staying");
}

#[test]
fn a_post_that_is_not_answered_in_that_time_is_told_why() {
    let leaving = Replica::start(|conn| conn.request().and_then(|_| conn.wait_closed()).map(drop));
    let proxy = Proxy::before(&[&leaving]);
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
    wait::until("it arrived", || leaving.requests().len() == 1);
    proxy.members[0].set_readiness(Readiness::Draining, Moment::now());
    proxy.members[0].set_cut(Some(Moment::now()));
    let response = client.response();
    assert_eq!(response.status(), 503);
    assert!(response.text().contains("--drain"), "{}", response.text());
}
