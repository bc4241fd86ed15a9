//! Connections and streams that do not go on.

use std::time::{Duration, Instant};

use divisi_testkit::http2::client::{Client, get_fields};
use divisi_testkit::http2::frame::{Frame, PREFACE, setting};
use divisi_testkit::http2::hpack::block;

use crate::floods::odd;
use crate::stage::{Bound, MEDIUM, Outcome, Stage, ended, flood};

/// Connections that say no more than they must.
const CONNECTIONS: usize = 500;

/// A hundred streams that stall hold what waits to be sent, half a megabyte for all of them, and for each what was read behind it: 16 KiB
/// where all are asked for at once.
const STALLED: Bound = Bound::Asked(5 << 20);

/// A hundred large answers that nobody takes.
#[test]
fn answers_that_nobody_reads() {
    for window in [0, 65_535, 0x7fff_ffff] {
        Stage::new(&[]).attack(&format!("slow read with windows of {window}"), STALLED, |addr| {
            let mut client = Client::open_with(addr, &[(setting::INITIAL_WINDOW_SIZE, window)]);
            client.keep_windows();
            let get = block(get_fields("/large"));
            let sent = flood_unheard(&mut client, &get);
            std::thread::sleep(Duration::from_secs(3));
            Outcome { sent, told: "not asked".to_owned() }
        });
    }
}

/// The window of the connection is wide open, too, and still nobody reads.
#[test]
fn answers_that_nobody_reads_with_open_windows() {
    Stage::new(&[]).attack("slow read with open windows", STALLED, |addr| {
        let mut client = Client::open_with(addr, &[(setting::INITIAL_WINDOW_SIZE, 0x7fff_ffff)]);
        client.keep_windows().small_buffer().send(Frame::window_update(0, 0x7000_0000));
        let sent = flood_unheard(&mut client, &block(get_fields("/large")));
        std::thread::sleep(Duration::from_secs(3));
        Outcome { sent, told: "not asked".to_owned() }
    });
}

/// Who reads late gets everything all the same: streams that wait for the others' bytes to go are woken.
#[test]
fn answers_that_are_read_late() {
    Stage::new(&[]).attack("answers that are read late", STALLED, |addr| {
        let mut client = Client::open_with(addr, &[(setting::INITIAL_WINDOW_SIZE, 0x7fff_ffff)]);
        client.keep_windows().send(Frame::window_update(0, 0x7000_0000));
        let sent = flood_unheard(&mut client, &block(get_fields("/medium")));
        std::thread::sleep(Duration::from_secs(1));
        for number in 0..100 {
            assert_eq!(client.expect_response(odd(number)).body.len(), MEDIUM);
        }
        Outcome { sent, told: "all of it".to_owned() }
    });
}

/// Streams that stall take nothing from another one of their connection.
#[test]
fn one_stream_beside_many_that_stall() {
    Stage::new(&[]).attack("one stream beside many that stall", STALLED, |addr| {
        let mut client = Client::open_with(addr, &[(setting::INITIAL_WINDOW_SIZE, 0)]);
        let sent = flood_unheard(&mut client, &block(get_fields("/large")));
        client.listen(Duration::from_secs(1));
        let last = odd(100);
        client.send(Frame::headers(last, block(get_fields("/"))).end_stream()).send(Frame::window_update(last, 100));
        assert_eq!(client.expect_response(last).status(), 200);
        Outcome { sent, told: "served".to_owned() }
    });
}

/// A stream whose window stays closed is given up in time, whatever else its connection says.
#[test]
fn a_stalled_stream_is_given_up() {
    let stage = Stage::new(&["--client-timeout", "1s"]);
    stage.attack("stalled streams", Bound::Held(2 << 20), |addr| {
        let mut client = Client::open_with(addr, &[(setting::INITIAL_WINDOW_SIZE, 0)]);
        let sent =
            flood(&mut client, 50, |number| Frame::headers(odd(number), block(get_fields("/"))).end_stream().bytes());
        let begun = Instant::now();
        while client.endings().count() < 50 && client.closed().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(10), "streams that stall are kept for ever");
            client.send(Frame::ping([7; 8])).send(Frame::window_update(0, 1));
            client.listen(Duration::from_millis(200));
        }
        Outcome { sent, told: format!("{} streams given up after {:?}", client.endings().count(), begun.elapsed()) }
    });
}

/// The same with a byte of window now and then, for some seconds. Each byte is progress, but not enough of it.
#[test]
fn a_stream_that_is_taken_drop_by_drop() {
    let stage = Stage::new(&["--client-timeout", "1s"]);
    stage.attack("streams taken drop by drop", STALLED, |addr| {
        let mut client = Client::open_with(addr, &[(setting::INITIAL_WINDOW_SIZE, 0)]);
        client.keep_windows();
        let get = block(get_fields("/large"));
        let sent = flood(&mut client, 50, |number| Frame::headers(odd(number), get.clone()).end_stream().bytes());
        for _ in 0..10 {
            for number in 0..50 {
                client.send(Frame::window_update(odd(number), 1));
            }
            client.listen(Duration::from_millis(400));
        }
        let given_up = client.endings().count();
        assert_eq!(given_up, 50, "a byte now and then holds streams for ever");
        Outcome { sent, told: format!("{given_up} of 50 streams given up, GOAWAY {:?}", client.goaway()) }
    });
}

#[test]
fn connections_that_rest() {
    let stage = Stage::new(&["--head-timeout", "2s"]);
    type Say = fn(&mut Client);
    let ways: [(&str, Say); 4] = [
        ("nothing", |_| {}),
        ("half a preface", |client| {
            client.keep_silent().send_raw(&PREFACE[..20]);
        }),
        ("a preface", |client| {
            client.keep_silent().send_raw(PREFACE);
        }),
        ("a preface and settings", |client| {
            client.send_raw(PREFACE).send(Frame::settings(&[]));
        }),
    ];
    for (what, say) in ways {
        stage.attack(
            &format!("{CONNECTIONS} connections that say {what}"),
            Bound::Asked(CONNECTIONS as u64 * (20 << 10)),
            |addr| {
                let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| Client::connect(addr)).collect();
                clients.iter_mut().for_each(say);
                let begun = Instant::now();
                let is_open = |client: &mut Client| client.listen(Duration::from_millis(1)).closed().is_none();
                while clients.iter_mut().any(is_open) {
                    assert!(begun.elapsed() < Duration::from_secs(20), "they are kept for ever");
                }
                let sent = (CONNECTIONS * PREFACE.len()) as u64;
                Outcome { sent, told: format!("all closed after {:.1?}", begun.elapsed()) }
            },
        );
    }
}

/// A head that does not end holds its connection no longer than a head may take.
#[test]
fn a_head_that_does_not_end() {
    use divisi_testkit::http2::frame::flag;
    Stage::new(&["--head-timeout", "2s"]).attack("a head that does not end", Bound::Usual, |addr| {
        let mut client = Client::open(addr);
        client.send(Frame::headers(1, block(get_fields("/"))).without(flag::END_HEADERS));
        let begun = Instant::now();
        while client.closed().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(15), "it is kept for ever");
            client.send(Frame::continuation(1, [])).listen(Duration::from_millis(500));
        }
        ended(&mut client, 1000)
    });
}

fn flood_unheard(client: &mut Client, get: &[u8]) -> u64 {
    crate::stage::flood_deaf(client, 100, |number| Frame::headers(odd(number), get).end_stream().bytes())
}
