//! Clients that ask for nothing for a while: what reads their frames is let go meanwhile, and they must not notice.

use std::time::{Duration, Instant};

use divisi_proxy::Gauges;
use divisi_testkit::http2::client::{Client, get_fields};
use divisi_testkit::http2::frame::{Frame, code, flag, kind, setting};
use divisi_testkit::http2::hpack::{Block, Indexing, block};
use divisi_testkit::replica::{Replica, Request, ok};
use divisi_testkit::wait;

use crate::support::{Proxy, allow_many_connections};

/// What a client says to begin a stream.
type Frames<'a> = &'a dyn Fn(u32) -> Vec<Frame>;

fn gauges(proxy: &Proxy) -> Gauges {
    proxy.running.as_ref().expect("running").gauges()
}

/// To be called within a second after the client's last word, for it may have rested before.
fn wait_until_rests(proxy: &Proxy) {
    wait_until_served(proxy);
    wait::until("the client's connection rests", || gauges(proxy).resting_connections() == 1);
}

fn wait_until_served(proxy: &Proxy) {
    wait::until("the client's connection is served", || gauges(proxy).resting_connections() == 0);
}

/// A replica whose answers are as long as their paths say.
fn replica() -> Replica {
    Replica::answering(|request: &Request| {
        let size = request.head.target().trim_start_matches('/').parse().unwrap_or(5);
        ok(vec![b'x'; size])
    })
}

/// A request with one field that goes into the table, and one that stands there.
fn remembered(stream: u32, name: &str, value: &str) -> Frame {
    let block = Block::new().raw(block(get_fields("/"))).literal(Indexing::Incremental, name, value);
    Frame::headers(stream, block).end_stream()
}

#[test]
fn a_client_that_has_rested_is_served_again() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    for round in 0..3 {
        assert_eq!(client.fetch("/").text(), "xxxxx", "round {round}");
        wait_until_rests(&proxy);
    }
    client.expect_alive();
    wait_until_rests(&proxy);
    assert_eq!(gauges(&proxy).connections(), 1);
    drop(client);
    wait::until("it is gone when its client is", || gauges(&proxy).connections() == 0);
}

/// RFC 7541 2.2: the table lasts as long as the connection.
#[test]
fn what_a_client_has_put_into_the_table_is_still_there() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    for number in 0..3u32 {
        let stream = client.fresh_stream();
        client.send(remembered(stream, &format!("x-{number}"), "kept"));
        client.expect_response(stream);
    }
    for round in 0..2 {
        wait_until_rests(&proxy);
        let stream = client.fresh_stream();
        // The newest first: 62 is x-2, 64 is x-0.
        let head = Block::new().raw(block(get_fields("/"))).indexed(62).indexed(64);
        let head = head.named_by(Indexing::Never, 63, "again");
        client.send(Frame::headers(stream, head).end_stream());
        client.expect_response(stream);
        let requests = replica.requests();
        let last = &requests.last().expect("a request").head;
        let seen = ["x-0", "x-1", "x-2"].map(|name| last.values(name).join(","));
        assert_eq!(seen, ["kept", "again", "kept"], "round {round}");
    }
}

/// What is in the table counts, and not what was: entries that have made room for others are gone (RFC 7541 4.4).
#[test]
fn a_table_that_has_overflowed_is_the_same_afterwards() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    // 300 bytes each are 13 in the table. Huffman codes make the bytes on the wire fewer than what they stand for. Each has the name of the
    // one before, which is gone at last.
    for number in 0..100 {
        let stream = client.fresh_stream();
        let value = format!("{number:02}{}", "0".repeat(262));
        let head = Block::new().raw(block(get_fields("/")));
        let head = match number {
            0 => head.huffman(Indexing::Incremental, "x-a", value),
            _ => head.named_by_huffman(Indexing::Incremental, 62, value),
        };
        client.send(Frame::headers(stream, head).end_stream());
        client.expect_response(stream);
    }
    wait_until_rests(&proxy);
    let stream = client.fresh_stream();
    client.send(Frame::headers(stream, Block::new().raw(block(get_fields("/"))).indexed(62 + 12)).end_stream());
    client.expect_response(stream);
    assert!(replica.requests().last().expect("a request").head.values("x-a")[0].starts_with("87"));
    let stream = client.fresh_stream();
    client.send(Frame::headers(stream, Block::new().raw(block(get_fields("/"))).indexed(62 + 13)).end_stream());
    client.expect_connection_error(&[code::COMPRESSION_ERROR, code::PROTOCOL_ERROR]);
}

#[test]
fn the_windows_are_as_open_as_they_were() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    client.keep_windows();
    client.fetch("/60000");
    wait_until_rests(&proxy);
    // 5,535 bytes are left for all streams, and the client watches over that.
    let stream = client.get("/10000");
    client.wait_for("what the window lets through", |client| client.so_far(stream).body.len() == 5_535);
    wait_until_served(&proxy);
    client.listen(Duration::from_millis(50));
    assert_eq!(client.so_far(stream).body.len(), 5_535);
    client.send(Frame::window_update(0, 100_000));
    assert_eq!(client.expect_response(stream).body.len(), 10_000);
    wait_until_rests(&proxy);
    // 95,535 are left.
    assert_eq!(client.fetch("/60000").body.len(), 60_000);
    wait_until_rests(&proxy);
    let stream = client.get("/60000");
    client.wait_for("what the window lets through", |client| client.so_far(stream).body.len() == 35_535);
    client.send(Frame::window_update(0, 100_000));
    assert_eq!(client.expect_response(stream).body.len(), 60_000);
}

#[test]
fn a_small_window_of_each_stream_is_kept_to() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open_with(proxy.addr(), &[(setting::INITIAL_WINDOW_SIZE, 10)]);
    client.fetch("/9");
    client.keep_windows();
    wait_until_rests(&proxy);
    let stream = client.get("/20");
    client.wait_for("what the window lets through", |client| client.so_far(stream).body.len() == 10);
    client.listen(Duration::from_millis(50));
    assert_eq!(client.so_far(stream).body.len(), 10);
    client.send(Frame::window_update(stream, 10));
    assert_eq!(client.expect_response(stream).body.len(), 20);
    wait_until_rests(&proxy);
    client.send(Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 30)]));
    client.wait_for("the acknowledgement", |client| client.acknowledged() == 2);
    wait_until_rests(&proxy);
    assert_eq!(client.fetch("/30").body.len(), 30);
}

/// What a client has uploaded does not keep it from uploading as much again.
#[test]
fn a_client_may_send_as_much_as_it_could() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    client.wait_for("a wide window", |client| client.outbound_window(0) > 1_000_000);
    let full = client.outbound_window(0);
    for round in 0..3 {
        let stream = client.post("/");
        client.send_body(stream, &[b'y'; 300_000]);
        client.expect_response(stream);
        wait_until_rests(&proxy);
        client.expect_alive();
        client.wait_for("the window to be as wide as before", |client| client.outbound_window(0) == full);
        assert!(client.goaway().is_none(), "round {round}");
        wait_until_rests(&proxy);
    }
}

/// RFC 9113 5.1: frames may come for a stream that is over, and its number is never used again.
#[test]
fn the_streams_before_are_over_and_not_forgotten() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    (0..3).for_each(|_| drop(client.fetch("/")));
    wait_until_rests(&proxy);
    client.send_all(&[Frame::window_update(1, 5), Frame::reset(3, code::CANCEL), Frame::window_update(5, 5)]);
    client.send(Frame::priority(3, 0, 5));
    client.expect_alive();
    client.expect_served();
    wait_until_rests(&proxy);
    client.send(Frame::headers(3, block(get_fields("/"))).end_stream());
    client.expect_connection_error(&[code::PROTOCOL_ERROR, code::STREAM_CLOSED]);
}

#[test]
fn what_a_client_says_after_its_rest_may_come_in_pieces() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    client.fetch("/");
    wait_until_rests(&proxy);
    let stream = client.fresh_stream();
    let frame = Frame::headers(stream, block(get_fields("/7"))).end_stream().bytes();
    client.send_raw(&frame[..4]);
    wait_until_served(&proxy);
    client.send_raw(&frame[4..20]);
    // Half a frame is nothing to rest upon.
    client.listen(Duration::from_millis(1_500));
    assert_eq!(gauges(&proxy).resting_connections(), 0);
    client.send_raw(&frame[20..]);
    assert_eq!(client.expect_response(stream).body.len(), 7);
}

#[test]
fn who_cannot_be_told_again_is_served_all_the_same() {
    let resize = Block::new().table_size(1000).raw(block(get_fields("/")));
    let plain = block(get_fields("/"));
    let (first, second) = plain.split_at(3);
    let cases: [(&str, Frames<'_>); 3] = [
        ("another size of the table", &|stream| vec![Frame::headers(stream, resize.clone()).end_stream()]),
        ("a head in two frames", &|stream| {
            let begin = Frame::headers(stream, first).without(flag::END_HEADERS).end_stream();
            vec![begin, Frame::continuation(stream, second).with(flag::END_HEADERS)]
        }),
        ("a table of another size, for what we say", &|stream| {
            let setting = Frame::settings(&[(setting::HEADER_TABLE_SIZE, 0)]);
            vec![setting, Frame::headers(stream, plain.clone()).end_stream()]
        }),
    ];
    for (name, frames) in cases {
        let replica = replica();
        let proxy = Proxy::before(&[&replica]);
        let mut client = Client::open(proxy.addr());
        let stream = client.fresh_stream();
        client.send_all(&frames(stream));
        client.expect_response(stream);
        client.listen(Duration::from_millis(1_300));
        assert_eq!(gauges(&proxy).resting_connections(), 0, "{name}");
        client.expect_served();
    }
}

/// RFC 9113 6.8: a client is told before its connection is closed.
#[test]
fn a_connection_rests_no_longer_than_it_may() {
    let replica = replica();
    let proxy = Proxy::limited(|limits| limits.idle_timeout = Duration::from_secs(3), &[&replica]);
    let mut client = Client::open(proxy.addr());
    client.fetch("/");
    let asked = Instant::now();
    wait_until_rests(&proxy);
    client.expect_goaway(&[code::NO_ERROR]);
    assert!(asked.elapsed() >= Duration::from_secs(3), "{:?}", asked.elapsed());
    client.expect_closed();
    wait::until("it is not counted any more", || gauges(&proxy).connections() == 0);
}

#[test]
fn who_rests_is_told_when_the_program_stops() {
    let replica = replica();
    let mut proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    client.fetch("/");
    wait_until_rests(&proxy);
    let running = proxy.running.take().expect("it runs");
    let stopped = std::thread::spawn(move || running.stop(wait::PATIENCE));
    client.expect_goaway(&[code::NO_ERROR]);
    client.expect_closed();
    assert!(stopped.join().expect("no panic"), "stopped in time");
}

/// They are told some at a time, since that takes memory, and all of them are.
#[test]
fn hundreds_who_rest_are_told_when_the_program_stops() {
    const CLIENTS: usize = 600;
    allow_many_connections();
    let replica = replica();
    let mut proxy = Proxy::before(&[&replica]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::open(proxy.addr())).collect();
    clients.iter_mut().for_each(|client| drop(client.fetch("/")));
    wait::until("all rest", || gauges(&proxy).resting_connections() == CLIENTS);
    let running = proxy.running.take().expect("it runs");
    let stopped = std::thread::spawn(move || running.stop(wait::PATIENCE));
    for client in &mut clients {
        client.expect_goaway(&[code::NO_ERROR]);
    }
    drop(clients);
    assert!(stopped.join().expect("no panic"), "stopped in time");
}

#[test]
fn hundreds_rest_and_are_served_again_at_once() {
    const CLIENTS: usize = 300;
    allow_many_connections();
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::open(proxy.addr())).collect();
    clients.iter_mut().for_each(|client| drop(client.fetch("/")));
    wait::until("all rest", || gauges(&proxy).resting_connections() == CLIENTS);
    let streams: Vec<_> = clients.iter_mut().map(|client| client.get("/77")).collect();
    for (client, stream) in clients.iter_mut().zip(streams) {
        assert_eq!(client.expect_response(stream).body.len(), 77);
    }
    drop(clients);
    wait::until("all are gone", || gauges(&proxy).connections() == 0);
}

/// What was open stays open: only what rests is let go.
#[test]
fn a_stream_that_is_open_keeps_its_connection_from_resting() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    client.fetch("/");
    let stream = client.post("/3");
    client.send(Frame::data(stream, *b"begun"));
    client.listen(Duration::from_millis(1_500));
    assert_eq!(gauges(&proxy).resting_connections(), 0);
    client.send(Frame::new(kind::DATA, flag::END_STREAM, stream, *b"done"));
    assert_eq!(client.expect_response(stream).body.len(), 3);
    wait_until_rests(&proxy);
}

/// What fills the table in few bytes is told again in as many heads as it takes.
#[test]
fn what_was_put_into_the_table_bit_by_bit_is_told_so_again() {
    let replica = replica();
    let proxy = Proxy::limited(|limits| limits.head_size = 1024, &[&replica]);
    let mut client = Client::open(proxy.addr());
    // `accept` by its number in the static table.
    let head = |value: &str| Block::new().raw(block(get_fields("/"))).named_by(Indexing::Incremental, 19, value);
    for number in 0..250u32 {
        let stream = client.fresh_stream();
        client.send(Frame::headers(stream, head(&(number % 10).to_string())).end_stream());
        client.expect_response(stream);
    }
    wait_until_rests(&proxy);
    let stream = client.fresh_stream();
    client.send(Frame::headers(stream, Block::new().raw(block(get_fields("/"))).indexed(62)).end_stream());
    client.expect_response(stream);
    assert_eq!(replica.requests().last().expect("a request").head.values("accept"), ["9"]);
}

/// A few bytes stand for many where names are those of other entries (RFC 7541 6.2.1).
#[test]
fn a_long_name_that_was_used_often_does_no_harm() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    let name = "n".repeat(2_000);
    let stream = client.fresh_stream();
    let head = Block::new().raw(block(get_fields("/"))).literal(Indexing::Incremental, name, "");
    client.send(Frame::headers(stream, head).end_stream());
    client.expect_response(stream);
    for _ in 0..40 {
        let stream = client.fresh_stream();
        let head = (0..10)
            .fold(Block::new().raw(block(get_fields("/"))), |head, _| head.named_by(Indexing::Incremental, 62, ""));
        client.send(Frame::headers(stream, head).end_stream());
        client.expect_response(stream);
    }
    wait_until_rests(&proxy);
    client.expect_served();
}

/// RFC 9113 5.1: what was sent before a reset was seen is ignored for some time.
#[test]
fn streams_that_were_reset_a_moment_ago_are_not_forgotten() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    client.fetch("/");
    wait_until_rests(&proxy);
    client.expect_alive();
    client.listen(Duration::from_millis(900));
    // No requests, for they have two methods: nothing is begun, and so the connection is at rest all the time.
    let stream = client.begin([(":method", "POST"), (":method", "POST")]);
    let other = client.request([(":method", "POST"), (":method", "POST")]);
    client.wait_for("resets", |client| client.reset_of(stream).is_some() && client.reset_of(other).is_some());
    client.listen(Duration::from_millis(400));
    client.send(Frame::headers(stream, block([("x-sum", "1")])).end_stream());
    client.expect_alive();
    client.expect_served();
}

/// RFC 9113 6.8: the last stream that was served is said when the connection ends.
#[test]
fn the_last_stream_is_said_at_the_end() {
    let replica = replica();
    let proxy = Proxy::limited(|limits| limits.idle_timeout = Duration::from_secs(3), &[&replica]);
    let mut client = Client::open(proxy.addr());
    (0..3).for_each(|_| drop(client.fetch("/")));
    wait_until_rests(&proxy);
    client.expect_closed();
    assert_eq!(client.goaway().and_then(|frame| frame.number(0)), Some(5), "{}", client.heard());
}

#[test]
fn the_window_may_be_shut_or_as_wide_as_it_gets() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    client.keep_windows();
    client.fetch("/65535");
    for _ in 0..2 {
        wait_until_rests(&proxy);
        client.expect_alive();
    }
    wait_until_rests(&proxy);
    let stream = client.get("/7");
    client.wait_for("a head", |client| !client.so_far(stream).fields.is_empty());
    client.listen(Duration::from_millis(50));
    assert_eq!(client.so_far(stream).body.len(), 0);
    client.send(Frame::window_update(0, 0x7fff_ffff));
    assert_eq!(client.expect_response(stream).body.len(), 7);
    wait_until_rests(&proxy);
    client.send(Frame::window_update(0, 7));
    client.expect_alive();
    wait_until_rests(&proxy);
    client.send(Frame::window_update(0, 1));
    client.expect_connection_error(&[code::FLOW_CONTROL_ERROR]);
}

/// RFC 9113 5.1.1: there is a last number, and no stream after it.
#[test]
fn the_last_stream_of_all_is_served_and_rested_upon() {
    const LAST: u32 = 0x7fff_ffff;
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    for stream in [LAST - 2, LAST] {
        client.send(Frame::headers(stream, block(get_fields("/"))).end_stream());
        client.expect_response(stream);
        wait_until_rests(&proxy);
        client.expect_alive();
        wait_until_rests(&proxy);
    }
    client.send(Frame::window_update(LAST, 1)).expect_alive();
}

/// RFC 9113 6.1: padding counts like what is padded.
#[test]
fn padded_uploads_leave_the_window_as_wide_as_it_was() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    client.wait_for("a wide window", |client| client.outbound_window(0) > 1_000_000);
    let full = client.outbound_window(0);
    for round in 0..2 {
        let stream = client.post("/");
        client.send_all(&vec![Frame::data(stream, [b'y'; 10]).padded(255); 200]);
        client.send(Frame::data(stream, []).end_stream());
        client.expect_response(stream);
        // Given up, with data that nobody reads behind it.
        let stream = client.post("/");
        client.send(Frame::data(stream, [b'y'; 10]).padded(255)).send(Frame::reset(stream, code::CANCEL));
        client.send_all(&vec![Frame::data(stream, [b'y'; 10]).padded(255); 3]);
        wait_until_rests(&proxy);
        client.expect_alive();
        client.wait_for("the window to be as wide as before", |client| client.outbound_window(0) == full);
        assert!(client.goaway().is_none(), "round {round}");
        wait_until_rests(&proxy);
    }
}

#[test]
fn who_rests_may_leave_in_any_way() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    for bytes in [&b""[..], &b"\0\0\x08"[..]] {
        let mut client = Client::open(proxy.addr());
        client.fetch("/");
        wait_until_rests(&proxy);
        client.send_raw(bytes);
        client.close();
        wait::until("it is gone", || gauges(&proxy).connections() == 0);
    }
    let mut client = Client::open(proxy.addr());
    client.fetch("/");
    wait_until_rests(&proxy);
    client.send(Frame::goaway(0, code::NO_ERROR));
    client.expect_closed();
    wait::until("it is gone", || gauges(&proxy).connections() == 0);
}

/// RFC 7541 4.2: whoever is told that the table of its heads is smaller says so in its next head, be that after a rest.
#[test]
fn the_table_of_our_heads_is_as_small_as_the_client_wants_it() {
    let replica = Replica::answering(|request: &Request| {
        let value = request.head.target().trim_start_matches('/').repeat(20);
        let answer = String::from_utf8(ok("")).expect("text").replacen("\r\n", &format!("\r\nX-Value: {value}\r\n"), 1);
        answer.into_bytes()
    });
    let proxy = Proxy::before(&[&replica]);
    for size in [0, 60, 100, 4_096, 65_536] {
        let mut client = Client::open_with(proxy.addr(), &[(setting::HEADER_TABLE_SIZE, size)]);
        // Nothing was said in a head yet when it rests for the first time.
        let stream = client.get("/0");
        client.send(Frame::reset(stream, code::CANCEL));
        for round in 0..2 {
            wait_until_rests(&proxy);
            for path in ["/1", "/2", "/1", "/2", "/3", "/1"] {
                let value = client.fetch(path).value("x-value");
                assert_eq!(value, Some(path[1..].repeat(20)), "a table of {size}, round {round}");
            }
        }
        client.close();
        wait::until("it is gone", || gauges(&proxy).connections() == 0);
    }
}

#[test]
fn half_a_frame_keeps_nobody_from_resting_later() {
    let replica = replica();
    let proxy = Proxy::before(&[&replica]);
    let mut client = Client::open(proxy.addr());
    client.fetch("/");
    wait_until_rests(&proxy);
    let frame = Frame::ping(*b"in parts").bytes();
    client.send_raw(&frame[..4]);
    wait_until_served(&proxy);
    client.listen(Duration::from_millis(1_500));
    client.send_raw(&frame[4..]);
    wait_until_rests(&proxy);
    client.expect_served();
}
