//! RFC 9113 section 5: streams and multiplexing.

use std::net::SocketAddr;

use divisi_testkit::http2::client::{Client, get_fields, post_fields};
use divisi_testkit::http2::frame::{Frame, code, flag, kind, setting};
use divisi_testkit::http2::hpack::block;

use crate::case::{Case, case};

/// What a frame on a stream that is over may be called.
const OVER: &[u32] = &[code::STREAM_CLOSED, code::PROTOCOL_ERROR];

pub(crate) const CASES: &[Case] = &[
    case("5.1", "DATA for an idle stream is an error of the connection", |peer| {
        Client::open(peer).send(Frame::data(1, b"test").end_stream()).expect_connection_error(OVER);
    }),
    case("5.1", "RST_STREAM for an idle stream is one", |peer| {
        Client::open(peer).send(Frame::reset(1, code::CANCEL)).expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
    case("5.1", "WINDOW_UPDATE for an idle stream is one", |peer| {
        Client::open(peer).send(Frame::window_update(1, 100)).expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
    case("5.1", "CONTINUATION for an idle stream is one", |peer| {
        let frame = Frame::continuation(1, block(get_fields("/"))).with(flag::END_HEADERS);
        Client::open(peer).send(frame).expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
    case("5.1", "DATA after END_STREAM is an error", |peer| half_closed(peer, Frame::data(1, b"test").end_stream())),
    case("5.1", "HEADERS after END_STREAM are one", |peer| {
        half_closed(peer, Frame::headers(1, block([("x-late", "1")])).end_stream());
    }),
    case("5.1", "CONTINUATION after END_STREAM is one", |peer| {
        half_closed(peer, Frame::continuation(1, block([("x-late", "1")])).with(flag::END_HEADERS));
    }),
    // RFC 7540 wanted an error in these four; RFC 9113 5.1 lets frames on closed streams be discarded.
    case("5.1", "DATA after RST_STREAM is an error or nothing", |peer| {
        after_reset(peer, Frame::data(1, b"test").end_stream());
    }),
    case("5.1", "HEADERS after RST_STREAM are an error or nothing", |peer| {
        after_reset(peer, Frame::headers(1, block([("x-late", "1")])).end_stream());
    }),
    case("5.1", "DATA on a closed stream is an error or nothing", |peer| {
        after_response(peer, Frame::data(1, b"test").end_stream());
    }),
    case("5.1", "HEADERS on a closed stream are an error or nothing", |peer| {
        after_response(peer, Frame::headers(1, block(get_fields("/"))).end_stream());
    }),
    // Outside a header block it is an error of the connection whatever became of its stream (RFC 9113 6.10).
    case("5.1", "CONTINUATION after RST_STREAM is an error", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::headers(1, block(post_fields("/")))).send(Frame::reset(1, code::CANCEL));
        client.send(Frame::continuation(1, []).with(flag::END_HEADERS)).expect_connection_error(OVER);
    }),
    case("5.1", "CONTINUATION on a closed stream is an error", |peer| {
        let mut client = Client::open(peer);
        client.expect_served();
        client.send(Frame::continuation(1, []).with(flag::END_HEADERS)).expect_connection_error(OVER);
    }),
    case("5.1.1", "a stream of a client has an odd number", |peer| {
        let frame = Frame::headers(2, block(get_fields("/"))).end_stream();
        Client::open(peer).send(frame).expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
    case("5.1.1", "a stream has a larger number than those before it", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::headers(5, block(get_fields("/"))).end_stream()).expect_response(5);
        client.send(Frame::headers(3, block(get_fields("/"))).end_stream());
        client.expect_connection_error(OVER);
    }),
    case("5.1.2", "a stream above SETTINGS_MAX_CONCURRENT_STREAMS is refused", |peer| {
        let mut client = Client::open(peer);
        let limit = client.setting(setting::MAX_CONCURRENT_STREAMS).expect("a limit; without one memory has none");
        let streams: Vec<_> = (0..=limit).map(|_| client.post("/")).collect();
        let last = *streams.last().expect("a stream");
        client.expect_stream_error(last, &[code::REFUSED_STREAM, code::PROTOCOL_ERROR]);
    }),
    // RFC 7540 5.3.1 wanted an error; RFC 9113 5.3 has given priorities up, and a peer may still judge them.
    case("5.3.1", "HEADERS that depend on themselves are an error, or nothing", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::headers(1, block(get_fields("/"))).end_stream().prioritised(1, 255));
        let answer = client.response(1);
        assert!(answer.status() == 200 || answer.reset() == Some(code::PROTOCOL_ERROR) || client.goaway().is_some());
    }),
    case("5.3.1", "PRIORITY that depends on itself is an error, or nothing", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::priority(1, 1, 255));
        nothing_or_error(&mut client, 1, &[code::PROTOCOL_ERROR]);
    }),
    case("5.4.1", "an error of the connection is told by GOAWAY, and names the last stream", |peer| {
        let mut client = Client::open(peer);
        let stream = client.get("/");
        client.expect_response(stream);
        client.send(Frame::new(kind::PING, 0, 3, [0; 8]));
        let goaway = client.expect_goaway(&[code::PROTOCOL_ERROR]);
        assert_eq!(goaway.number(0), Some(stream));
    }),
    case("5.4.1", "and ends the connection", |peer| {
        Client::open(peer).send(Frame::new(kind::PING, 0, 3, [0; 8])).expect_closed();
    }),
    case("5.4.2", "no RST_STREAM answers a RST_STREAM", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::reset(stream, code::CANCEL)).expect_alive();
        assert!(client.so_far(stream).reset().is_none(), "{}", client.heard());
    }),
    case("5.5", "an unknown frame may come at any time", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::new(0xff, 0xff, stream, [0; 8])).send(Frame::data(stream, []).end_stream());
        client.expect_response(stream);
    }),
    case("5.5", "but not within a header block", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::headers(1, block(get_fields("/"))).end_stream().without(flag::END_HEADERS));
        client.send(Frame::new(0xff, 0, 0, [0; 8])).send(Frame::continuation(1, []).with(flag::END_HEADERS));
        client.expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
];

/// On a stream whose answer cannot end, since its window is closed.
fn half_closed(peer: SocketAddr, frame: Frame) {
    let mut client = Client::open_with(peer, &[(setting::INITIAL_WINDOW_SIZE, 0)]);
    client.send_all(&[Frame::headers(1, block(get_fields("/"))).end_stream(), frame]);
    client.expect_stream_error(1, OVER);
}

fn after_reset(peer: SocketAddr, frame: Frame) {
    let mut client = Client::open(peer);
    client.send_all(&[Frame::headers(1, block(post_fields("/"))), Frame::reset(1, code::CANCEL), frame]);
    nothing_or_error(&mut client, 1, OVER);
}

fn after_response(peer: SocketAddr, frame: Frame) {
    let mut client = Client::open(peer);
    client.expect_served();
    client.send(frame);
    nothing_or_error(&mut client, 1, OVER);
}

/// An error with one of these codes, or a connection that goes on and says nothing of that stream.
pub(crate) fn nothing_or_error(client: &mut Client, stream: u32, codes: &[u32]) {
    let before = client.so_far(stream);
    let ping = [0x55; 8];
    client.send(Frame::ping(ping));
    let heard = client.try_wait_for(divisi_testkit::wait::PATIENCE, |client| {
        client.goaway().is_some() || client.reset_of(stream).is_some() || client.heard().contains("PING flags 0x1")
    });
    let said = client.reset_of(stream).or_else(|| client.goaway().and_then(Frame::code));
    match said {
        Some(said) => assert!(codes.contains(&said), "{}", client.heard()),
        None => assert!(heard.is_err() || client.so_far(stream) == before, "{heard:?}: {}", client.heard()),
    }
}
