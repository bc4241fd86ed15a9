//! Bytes both ways: who may speak first, who may end first, and what a broken side looks like to the other.

use std::time::Duration;

use divisi_model::{Moment, Readiness};
use divisi_testkit::client::Closed;
use divisi_testkit::replica::Replica;
use divisi_testkit::wait;

use crate::stage::{Stage, echo, greeting};
use crate::support::{settings, spec};

#[test]
fn a_server_may_speak_first_and_both_sides_end_for_themselves() {
    let replica = Replica::start(greeting).lenient();
    let stage = Stage::before(&[replica.addr()]);
    let mut client = stage.connect();
    assert_eq!(client.read_until("hello\r\n"), b"220 hello\r\n", "before the client has sent anything");
    client.send("one");
    assert_eq!(client.read_until("one"), b"one");
    client.send("two").finish();
    // The replica hears the end, and what it says after that still arrives.
    assert_eq!(client.read_to_close(), (b"twobye".to_vec(), Closed::Fin));
    wait::until("nothing is in flight", || stage.members[0].in_flight() == 0);
    let streams = stage.service.state().streams().read();
    assert_eq!((streams.endings, streams.received, streams.sent), ([1, 0, 0], 6, 11 + 6 + 3));
}

#[test]
fn a_server_may_end_first() {
    let replica = Replica::start(|conn| {
        conn.send("go on")?;
        conn.finish()?;
        let mut all = Vec::new();
        while let Ok(bytes) = conn.read_some() {
            if bytes.is_empty() {
                break;
            }
            all.extend(bytes);
        }
        assert_eq!(all, b"still here");
        Ok(())
    });
    let replica = replica.lenient();
    let stage = Stage::before(&[replica.addr()]);
    let mut client = stage.connect();
    assert_eq!(client.read_to_close(), (b"go on".to_vec(), Closed::Fin));
    client.send("still ").send("here").finish();
    wait::until("all has arrived", || replica.look(|record| record.raw == b"still here"));
    wait::until("nothing is in flight", || stage.members[0].in_flight() == 0);
    assert_eq!(stage.service.state().streams().read().endings, [1, 0, 0]);
}

#[test]
fn many_bytes_arrive_as_they_were_sent_both_ways_at_once() {
    const SIZE: usize = 8 * 1024 * 1024;
    let replica = Replica::start(echo).lenient();
    let stage = Stage::before(&[replica.addr()]);
    let mut client = stage.connect();
    let sent: Vec<u8> = (0..SIZE).map(|at| (at * 31 + at / 251) as u8).collect();
    let mut writer = client.writer();
    let bytes = sent.clone();
    let writing = std::thread::spawn(move || {
        use std::io::Write as _;
        writer.write_all(&bytes).expect("it takes all");
        writer.shutdown(std::net::Shutdown::Write).expect("open");
    });
    let (back, closed) = client.read_to_close();
    writing.join().expect("no panic");
    assert!(back == sent && closed == Closed::Fin, "{} of {SIZE} bytes came back", back.len());
}

#[test]
fn a_reset_of_one_side_is_one_for_the_other() {
    let replica = Replica::start(|conn| {
        if conn.read_some()? == b"reset me" {
            return conn.reset();
        }
        assert_eq!(conn.wait_closed()?, Closed::Reset);
        conn.send("never").map_or(Ok(()), |()| Ok(()))
    });
    let replica = replica.lenient();
    let stage = Stage::before(&[replica.addr()]);
    let mut client = stage.connect();
    client.send("reset me");
    assert_eq!(client.read_to_close(), (Vec::new(), Closed::Reset));
    let mut client = stage.connect();
    client.send("something else");
    wait::until("it has arrived", || replica.look(|record| record.raw.ends_with(b"something else")));
    client.reset();
    wait::until("both are over", || stage.service.state().streams().read().endings == [0, 2, 0]);
    wait::until("nothing is in flight", || stage.members[0].in_flight() == 0);
}

#[test]
fn a_connection_on_which_nothing_moves_ends() {
    let replica = Replica::start(echo).lenient();
    let mut settings = settings();
    settings.limits.stream_timeout = Duration::from_millis(400);
    let stage = Stage::with(settings, spec(), &[replica.addr()], None);
    let mut client = stage.connect();
    for _ in 0..4 {
        // Each of these is some time before the end; together they are longer.
        std::thread::sleep(Duration::from_millis(200));
        client.send("x");
        client.read_until("x");
    }
    assert_eq!(client.read_to_close(), (Vec::new(), Closed::Reset));
    wait::until("it is counted", || stage.service.state().streams().read().endings == [0, 1, 0]);
}

#[test]
fn a_replica_that_leaves_keeps_its_connections_until_its_time_is_over() {
    let (leaving, staying) = (Replica::start(echo).lenient(), Replica::start(greeting).lenient());
    let stage = Stage::before(&[leaving.addr()]);
    let mut client = stage.connect();
    client.send("one");
    client.read_until("one");
    let member = &stage.members[0];
    member.set_readiness(Readiness::Draining, Moment::now());
    member.set_cut(Some(Moment::now() + Duration::from_secs(3600)));
    stage.ready(&[stage.member(2, staying.addr())]);
    client.send("two");
    assert_eq!(client.read_until("two"), b"two", "it goes on while there is time");
    assert_eq!(stage.connect().read_until("hello\r\n"), b"220 hello\r\n", "whoever comes now goes elsewhere");
    member.set_cut(Some(Moment::now()));
    assert_eq!(client.read_to_close(), (Vec::new(), Closed::Reset));
    wait::until("nothing is in flight", || member.in_flight() == 0);
}
