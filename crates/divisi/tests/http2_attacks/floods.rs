//! Very many frames, each of which is allowed.

use divisi_testkit::http2::client::{Client, get_fields, post_fields};
use divisi_testkit::http2::frame::{Frame, code, flag, kind, setting};
use divisi_testkit::http2::hpack::block;

use crate::stage::{Bound, Outcome, Stage, calmed, ended, flood, flood_deaf};

const MANY: usize = 100_000;

/// CVE-2023-44487: a request costs a replica something, and its reset the client nothing.
#[test]
fn rapid_reset() {
    let stage = Stage::new(&[]);
    for path in ["/", "/wait"] {
        stage.replica.forget();
        let outcome = stage.attack(&format!("rapid reset of {path}"), Bound::Usual, |addr| {
            let mut client = Client::open(addr);
            let get = block(get_fields(path));
            let sent = flood(&mut client, MANY, |number| {
                let stream = odd(number);
                let request = Frame::headers(stream, get.clone()).end_stream();
                [request.bytes(), Frame::reset(stream, code::CANCEL).bytes()].concat()
            });
            calmed(&mut client, sent)
        });
        assert!(outcome.sent > 0);
    }
}

/// CVE-2025-8671: as before, but the server is made to do the resetting.
#[test]
fn made_you_reset() {
    type Then = fn(u32) -> Vec<Frame>;
    let ways: [(&str, Then); 5] = [
        ("a window opened by nothing", |stream| vec![Frame::window_update(stream, 0)]),
        ("a window opened too far", |stream| vec![Frame::window_update(stream, 0x7fff_ffff)]),
        ("a body longer than it says", |stream| vec![Frame::data(stream, "too long").end_stream()]),
        ("trailers that do not end", |stream| vec![Frame::headers(stream, block([("x-a", "1")]))]),
        ("a dependency on itself", |stream| vec![Frame::priority(stream, stream, 1)]),
    ];
    for (way, then) in ways {
        let stage = Stage::new(&[]);
        stage.attack(&format!("made you reset: {way}"), Bound::Usual, |addr| {
            let mut client = Client::open(addr);
            let post = block([&post_fields("/wait")[..], &[("content-length", "1")]].concat());
            let sent = flood(&mut client, 20_000, |number| {
                let stream = odd(number);
                let frames = [vec![Frame::headers(stream, post.clone())], then(stream)].concat();
                frames.iter().flat_map(Frame::bytes).collect()
            });
            let outcome = ended(&mut client, sent);
            // Whatever it was told: it could not go on, or was refused stream by stream.
            let refused = client.endings().count();
            assert!(client.closed().is_some() || refused > 0, "{outcome:?}");
            Outcome { told: format!("{}, {refused} streams ended", outcome.told), ..outcome }
        });
    }
}

/// CVE-2024-27316.
#[test]
fn continuation() {
    for (what, piece) in [("empty", 0), ("of a byte", 1), ("of 1 KiB", 1024), ("of 16 KiB", 16_384)] {
        let stage = Stage::new(&[]);
        stage.attack(&format!("CONTINUATION {what}"), Bound::Usual, |addr| {
            let mut client = Client::open(addr);
            client.send(Frame::headers(1, block(get_fields("/"))).without(flag::END_HEADERS));
            // One field that never ends.
            client.send(Frame::continuation(1, [0x00, 0x01, b'x', 0x7f, 0xff, 0xff, 0xff, 0x7f]));
            let frame = Frame::continuation(1, vec![b'v'; piece]).bytes();
            let sent = flood(&mut client, (64 << 20) / (piece + 9).max(640), |_| frame.clone());
            let outcome = ended(&mut client, sent);
            assert!(client.closed().is_some(), "it goes on for ever: {outcome:?}");
            outcome
        });
    }
}

#[test]
fn continuation_of_many_small_fields() {
    Stage::new(&[]).attack("CONTINUATION with many fields", Bound::Usual, |addr| {
        let mut client = Client::open(addr);
        client.send(Frame::headers(1, block(get_fields("/"))).without(flag::END_HEADERS));
        let sent =
            flood(&mut client, MANY, |number| Frame::continuation(1, block([(format!("x-{number}"), "v")])).bytes());
        let outcome = ended(&mut client, sent);
        assert!(client.closed().is_some(), "it goes on for ever: {outcome:?}");
        outcome
    });
}

#[test]
fn settings() {
    let frame =
        Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 65_535), (setting::MAX_CONCURRENT_STREAMS, 7)]).bytes();
    both_ways("SETTINGS", MANY, move |_| frame.clone());
}

#[test]
fn ping() {
    both_ways("PING", MANY, |number| Frame::ping((number as u64).to_be_bytes()).bytes());
}

#[test]
fn window_update() {
    both_ways("WINDOW_UPDATE", 2 * MANY, |_| Frame::window_update(0, 1).bytes());
}

#[test]
fn priority() {
    both_ways("PRIORITY", MANY, |number| Frame::priority(odd(number), 0, 7).bytes());
}

#[test]
fn unknown_frames() {
    both_ways("unknown frames", MANY, |_| Frame::new(0x77, 0, 0, [0; 8]).bytes());
}

#[test]
fn empty_data() {
    on_a_post("empty DATA", |stream| Frame::data(stream, []));
}

/// RFC 9113 6.1: padding counts against windows, so it cannot go on for ever.
#[test]
fn data_that_is_all_padding() {
    on_a_post("padded DATA", |stream| Frame::data(stream, []).padded(0));
}

#[test]
fn data_of_one_byte() {
    on_a_post("DATA of a byte", |stream| Frame::data(stream, "x"));
}

#[test]
fn empty_headers() {
    both_ways("empty HEADERS", MANY, |number| Frame::headers(odd(number), []).end_stream().bytes());
}

#[test]
fn resets_of_streams_that_are_closed() {
    Stage::new(&[]).attack("RST_STREAM of a closed stream", Bound::Usual, |addr| {
        let mut client = Client::open(addr);
        client.expect_served();
        let sent = flood(&mut client, MANY, |_| Frame::reset(1, code::CANCEL).bytes());
        calmed(&mut client, sent)
    });
}

/// By one who hears the answers, and by one who does not.
fn both_ways(name: &str, count: usize, mut piece: impl FnMut(usize) -> Vec<u8>) {
    let stage = Stage::new(&[]);
    for is_deaf in [false, true] {
        stage.attack(&format!("{name}{}", if is_deaf { ", not listening" } else { "" }), Bound::Usual, |addr| {
            let mut client = Client::open(addr);
            let sent = match is_deaf {
                true => flood_deaf(&mut client, count, &mut piece),
                false => flood(&mut client, count, &mut piece),
            };
            calmed(&mut client, sent)
        });
    }
}

fn on_a_post(name: &str, frame: fn(u32) -> Frame) {
    Stage::new(&[]).attack(name, Bound::Usual, |addr| {
        let mut client = Client::open(addr);
        let stream = client.post("/");
        let sent = flood(&mut client, MANY, |_| frame(stream).bytes());
        let outcome = ended(&mut client, sent);
        // A body of small pieces is a body, as long as it has any.
        let said = client.goaway().and_then(Frame::code);
        assert!(said.is_none_or(|said| said == code::ENHANCE_YOUR_CALM), "{outcome:?}");
        assert!(client.closed().is_some() || frame(stream).payload == *b"x", "{outcome:?}");
        assert_eq!(frame(stream).kind, kind::DATA);
        outcome
    });
}

/// The stream of the request with that number.
pub(crate) fn odd(number: usize) -> u32 {
    u32::try_from(2 * number + 1).expect("fewer than 2^30 requests")
}
