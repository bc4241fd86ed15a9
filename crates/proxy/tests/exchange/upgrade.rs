//! 101 and the tunnel after it.

use std::io;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use divisi_testkit::client::{Client, Closed};
use divisi_testkit::conn::Conn;
use divisi_testkit::pattern::Pattern;
use divisi_testkit::replica::Replica;
use divisi_testkit::wait;

use crate::support::{GET, Proxy};

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// Switches, then runs `tunnel`.
fn switching(tunnel: impl Fn(&mut Conn) -> io::Result<()> + Send + Sync + 'static) -> Replica {
    Replica::start(move |conn| {
        let Some(head) = conn.head()? else { return Ok(()) };
        conn.note(head);
        conn.send(SWITCH)?;
        tunnel(conn)
    })
}

fn echo(conn: &mut Conn) -> io::Result<()> {
    loop {
        let bytes = conn.read_some()?;
        if bytes.is_empty() {
            return conn.send("bye");
        }
        conn.send(bytes)?;
    }
}

fn upgraded(proxy: &Proxy) -> Client {
    let mut client = proxy.connect();
    let head = client.send(ASK).head().expect("a response");
    assert_eq!(head.status(), 101);
    assert_eq!(head.value("upgrade").as_deref(), Some("websocket"));
    assert_eq!(head.value("connection").map(|value| value.to_ascii_lowercase()).as_deref(), Some("upgrade"));
    client
}

#[test]
fn bytes_go_both_ways_after_the_switch() {
    let replica = switching(echo);
    let proxy = Proxy::before(&[&replica]);
    let mut client = upgraded(&proxy);
    for message in ["one", "two", "three"] {
        client.send(message).read_until(message);
    }
    let head = &replica.requests()[0].head;
    assert_eq!(head.value("upgrade").as_deref(), Some("websocket"));
    assert_eq!(head.value("connection").map(|value| value.to_ascii_lowercase()).as_deref(), Some("upgrade"));
    assert!(head.has("sec-websocket-key"));
    assert_eq!(proxy.members[0].in_flight(), 1, "a tunnel is in flight until it ends");
    drop(client);
    wait::until("the lease is given back", || proxy.members[0].in_flight() == 0);
}

#[test]
fn a_client_that_has_said_everything_still_hears() {
    let replica = switching(echo);
    let proxy = Proxy::before(&[&replica]);
    let mut client = upgraded(&proxy);
    client.send("last").read_until("last");
    client.finish();
    assert_eq!(client.read_to_close(), (b"bye".to_vec(), Closed::Fin));
}

#[test]
fn a_replica_that_has_said_everything_still_hears() {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let replica = switching(move |conn| {
        conn.finish()?;
        let heard = conn.read_some()?;
        tell.lock().map_err(|_| io::ErrorKind::Other)?.send(heard).map_err(|_| io::ErrorKind::BrokenPipe.into())
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = upgraded(&proxy);
    assert_eq!(client.read_to_close(), (Vec::new(), Closed::Fin));
    client.send("still here");
    assert_eq!(told.recv_timeout(wait::PATIENCE).expect("the replica hears"), b"still here");
}

#[test]
fn a_reset_on_either_side_ends_both() {
    let replica = switching(|conn| conn.wait_closed().map(drop));
    let proxy = Proxy::before(&[&replica]);
    upgraded(&proxy).reset();
    wait::until("the replica's side has ended", || replica.open() == 0);

    let replica = switching(|conn| {
        conn.read_some()?;
        conn.reset()
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = upgraded(&proxy);
    client.send("x").read_to_close();
}

#[test]
fn what_the_client_sends_early_waits_for_the_switch() {
    let early = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&early);
    let replica = Replica::start(move |conn| {
        conn.head()?;
        let bytes = conn.read_for(Duration::from_millis(150))?;
        seen.lock().map_err(|_| io::ErrorKind::Other)?.extend(bytes);
        conn.send(SWITCH)?;
        echo(conn)
    });
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    client.send([ASK, "early"].concat());
    assert_eq!(client.head().expect("a response").status(), 101);
    client.read_until("early");
    assert_eq!(*early.lock().expect("the replica does not panic"), b"", "before the replica agreed");
}

#[test]
fn what_the_replica_sends_with_the_switch_is_not_lost() {
    let replica = Replica::start(|conn| {
        conn.head()?;
        conn.send([SWITCH, "hello"].concat())?;
        conn.wait_closed().map(drop)
    });
    let proxy = Proxy::before(&[&replica]);
    upgraded(&proxy).read_until("hello");
}

#[test]
fn a_refused_upgrade_is_an_ordinary_exchange() {
    let replica = Replica::named("no");
    let proxy = Proxy::before(&[&replica]);
    let mut client = proxy.connect();
    assert_eq!(client.exchange(ASK).text(), "no");
    assert_eq!(client.exchange(GET).text(), "no");
}

#[test]
fn a_switch_nobody_asked_for_is_an_error() {
    let replica = Replica::answering(|_| SWITCH.into());
    let proxy = Proxy::before(&[&replica]);
    assert_eq!(proxy.fetch(GET).status(), 502);
}

#[test]
fn megabytes_pass_both_ways_unchanged() {
    const LENGTH: usize = 4_000_000;
    let replica = switching(echo);
    let proxy = Proxy::before(&[&replica]);
    let mut client = upgraded(&proxy);
    let pattern = Pattern::new(11);
    let mut writer = client.writer();
    let bytes = pattern.take(LENGTH);
    let writing = thread::spawn(move || io::Write::write_all(&mut writer, &bytes));
    let mut got = 0;
    while got < LENGTH {
        let (bytes, closed) = client.read_for(wait::PATIENCE);
        assert!(pattern.matches(got, &bytes) && closed.is_none(), "at {got}: {closed:?}");
        got += bytes.len();
    }
    writing.join().expect("the writer ends").expect("everything was taken");
}
