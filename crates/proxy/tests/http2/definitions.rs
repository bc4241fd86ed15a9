//! RFC 9113 section 6: frame definitions.

use std::net::SocketAddr;

use divisi_testkit::http2::client::{Client, get_fields, post_fields};
use divisi_testkit::http2::frame::{Frame, code, flag, kind, setting};
use divisi_testkit::http2::hpack::block;

use crate::case::{Case, case};

const LARGEST_WINDOW: u32 = 0x7fff_ffff;

pub(crate) const CASES: &[Case] = &[
    case("6.1", "DATA belongs to a stream", |peer| broken(peer, Frame::data(0, b"test"), code::PROTOCOL_ERROR)),
    case("6.1", "DATA belongs to a stream that is open", |peer| {
        let mut client = Client::open_with(peer, &[(setting::INITIAL_WINDOW_SIZE, 0)]);
        let stream = client.get("/");
        client.send(Frame::data(stream, b"test")).expect_stream_error(stream, &[code::STREAM_CLOSED]);
    }),
    case("6.1", "padding is not longer than its DATA", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::new(kind::DATA, flag::PADDED | flag::END_STREAM, stream, b"\x05test".to_vec()));
        client.expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
    case("6.1", "padding may be all there is", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::data(stream, []).padded(200).end_stream()).expect_response(stream);
    }),
    case("6.2", "HEADERS without END_HEADERS are followed by CONTINUATION", |peer| {
        within_block(peer, Frame::priority(1, 0, 255));
    }),
    case("6.2", "and by no HEADERS of another stream", |peer| {
        within_block(peer, Frame::headers(3, block(get_fields("/"))).end_stream());
    }),
    case("6.2", "HEADERS belong to a stream", |peer| {
        broken(peer, Frame::headers(0, block(get_fields("/"))).end_stream(), code::PROTOCOL_ERROR);
    }),
    case("6.2", "padding is not longer than its HEADERS", |peer| {
        let mut headers = Frame::headers(1, block(get_fields("/"))).end_stream().padded(0);
        headers.payload[0] = u8::try_from(headers.payload.len()).expect("a short block");
        broken(peer, headers, code::PROTOCOL_ERROR);
    }),
    case("6.2", "a priority that is cut off is an error", |peer| {
        let frame = Frame::new(kind::HEADERS, flag::PRIORITY | flag::END_HEADERS | flag::END_STREAM, 1, [0; 3]);
        let mut client = Client::open(peer);
        client.send(frame).expect_connection_error(&[code::FRAME_SIZE_ERROR, code::PROTOCOL_ERROR]);
    }),
    case("6.3", "PRIORITY belongs to a stream", |peer| broken(peer, Frame::priority(0, 1, 255), code::PROTOCOL_ERROR)),
    case("6.3", "PRIORITY has five bytes", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::new(kind::PRIORITY, 0, stream, [0; 4]));
        client.expect_stream_error(stream, &[code::FRAME_SIZE_ERROR]);
    }),
    case("6.4", "RST_STREAM belongs to a stream", |peer| {
        broken(peer, Frame::reset(0, code::CANCEL), code::PROTOCOL_ERROR);
    }),
    case("6.4", "RST_STREAM belongs to a stream that was opened", |peer| {
        broken(peer, Frame::reset(1, code::CANCEL), code::PROTOCOL_ERROR);
    }),
    case("6.4", "RST_STREAM has four bytes", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::new(kind::RST_STREAM, 0, stream, [0; 3]));
        client.expect_connection_error(&[code::FRAME_SIZE_ERROR]);
    }),
    case("6.5", "SETTINGS that acknowledge are empty", |peer| {
        broken(peer, Frame::settings(&[(3, 100)]).with(flag::ACK), code::FRAME_SIZE_ERROR);
    }),
    case("6.5", "SETTINGS belong to the connection", |peer| {
        let mut settings = Frame::settings(&[(3, 100)]);
        settings.stream = 1;
        broken(peer, settings, code::PROTOCOL_ERROR);
    }),
    case("6.5", "SETTINGS have six bytes each", |peer| {
        broken(peer, Frame::new(kind::SETTINGS, 0, 0, [0; 3]), code::FRAME_SIZE_ERROR);
    }),
    case("6.5.2", "ENABLE_PUSH is 0 or 1", |peer| wrong(peer, setting::ENABLE_PUSH, 2, code::PROTOCOL_ERROR)),
    case("6.5.2", "INITIAL_WINDOW_SIZE has 31 bits", |peer| {
        wrong(peer, setting::INITIAL_WINDOW_SIZE, 0x8000_0000, code::FLOW_CONTROL_ERROR);
    }),
    case("6.5.2", "MAX_FRAME_SIZE is 2^14 at least", |peer| {
        wrong(peer, setting::MAX_FRAME_SIZE, 16_383, code::PROTOCOL_ERROR);
    }),
    case("6.5.2", "MAX_FRAME_SIZE is 2^24-1 at most", |peer| {
        wrong(peer, setting::MAX_FRAME_SIZE, 16_777_216, code::PROTOCOL_ERROR);
    }),
    case("6.5.2", "a setting without a meaning is ignored", |peer| {
        Client::open(peer).send(Frame::settings(&[(0xff, 1)])).expect_alive().expect_served();
    }),
    case("6.5.3", "of two values of one setting the last one counts", |peer| {
        let twice = [(setting::INITIAL_WINDOW_SIZE, 100), (setting::INITIAL_WINDOW_SIZE, 1)];
        first_piece(Client::open_with(peer, &twice));
    }),
    case("6.5.3", "each SETTINGS is acknowledged", |peer| {
        let mut client = Client::open(peer);
        let before = client.acknowledged();
        client.send(Frame::settings(&[])).send(Frame::settings(&[(3, 7)]));
        client.wait_for("two acknowledgements", |client| client.acknowledged() == before + 2);
    }),
    // RFC 9113 8.4: a client cannot push.
    case("6.6", "PUSH_PROMISE of a client is an error", |peer| {
        let promise = [&2_u32.to_be_bytes()[..], &block(get_fields("/"))].concat();
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::new(kind::PUSH_PROMISE, flag::END_HEADERS, stream, promise));
        client.expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
    case("6.7", "PING is answered", |peer| {
        Client::open(peer).expect_alive();
    }),
    case("6.7", "an answer to a PING is not", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::new(kind::PING, flag::ACK, 0, *b"unasked!")).expect_alive();
        assert_eq!(client.heard().matches("PING").count(), 1, "{}", client.heard());
    }),
    case("6.7", "PING belongs to the connection", |peer| {
        broken(peer, Frame::new(kind::PING, 0, 1, [0; 8]), code::PROTOCOL_ERROR);
    }),
    case("6.7", "PING has eight bytes", |peer| {
        broken(peer, Frame::new(kind::PING, 0, 0, [0; 6]), code::FRAME_SIZE_ERROR);
    }),
    case("6.8", "GOAWAY belongs to the connection", |peer| {
        let mut goaway = Frame::goaway(0, code::NO_ERROR);
        goaway.stream = 1;
        broken(peer, goaway, code::PROTOCOL_ERROR);
    }),
    case("6.9", "a window of the connection is not opened by nothing", |peer| {
        broken(peer, Frame::window_update(0, 0), code::PROTOCOL_ERROR);
    }),
    case("6.9", "nor is one of a stream", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::window_update(stream, 0)).expect_stream_error(stream, &[code::PROTOCOL_ERROR]);
    }),
    case("6.9", "WINDOW_UPDATE has four bytes", |peer| {
        broken(peer, Frame::new(kind::WINDOW_UPDATE, 0, 0, [0; 3]), code::FRAME_SIZE_ERROR);
    }),
    case("6.9.1", "DATA is not longer than its window", |peer| {
        first_piece(Client::open_with(peer, &[(setting::INITIAL_WINDOW_SIZE, 1)]));
    }),
    case("6.9.1", "the window of a connection has 31 bits", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::window_update(0, LARGEST_WINDOW)).send(Frame::window_update(0, LARGEST_WINDOW));
        client.expect_connection_error(&[code::FLOW_CONTROL_ERROR]);
    }),
    case("6.9.1", "the window of a stream has 31 bits", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::window_update(stream, LARGEST_WINDOW)).send(Frame::window_update(stream, LARGEST_WINDOW));
        client.expect_stream_error(stream, &[code::FLOW_CONTROL_ERROR]);
    }),
    case("6.9.2", "a new INITIAL_WINDOW_SIZE opens the windows of streams that are there", |peer| {
        let mut client = Client::open_with(peer, &[(setting::INITIAL_WINDOW_SIZE, 0)]);
        client.keep_windows();
        let stream = client.get("/");
        client.wait_for("an answer", |client| client.so_far(stream).status() == 200);
        assert!(client.expect_alive().so_far(stream).body.is_empty());
        client.send(Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 1)]));
        client.wait_for("a byte", |client| client.so_far(stream).body.len() == 1);
    }),
    case("6.9.2", "a window may be less than nothing", |peer| {
        let mut client = Client::open_with(peer, &[(setting::INITIAL_WINDOW_SIZE, 3)]);
        client.keep_windows();
        let stream = client.get("/");
        client.wait_for("three bytes", |client| client.so_far(stream).body.len() == 3);
        client.send(Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 2)])).send(Frame::window_update(stream, 2));
        client.wait_for("one more", |client| client.so_far(stream).body.len() == 4);
        assert_eq!(client.expect_alive().so_far(stream).body.len(), 4);
    }),
    case("6.9.2", "a change of INITIAL_WINDOW_SIZE does not open a window beyond 31 bits", |peer| {
        let mut client = Client::open_with(peer, &[(setting::INITIAL_WINDOW_SIZE, 0)]);
        let stream = client.get("/big");
        client.send(Frame::window_update(stream, LARGEST_WINDOW)).expect_alive();
        client.send(Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, LARGEST_WINDOW)]));
        client.expect_stream_error(stream, &[code::FLOW_CONTROL_ERROR]);
    }),
    case("6.9.2", "the window of the connection counts, too", |peer| {
        let mut client = Client::open_with(peer, &[(setting::INITIAL_WINDOW_SIZE, 1 << 20)]);
        client.keep_windows();
        let stream = client.get("/big");
        client.wait_for("what the window holds", |client| client.so_far(stream).body.len() == 65_535);
        assert_eq!(client.expect_alive().so_far(stream).body.len(), 65_535);
        client.send(Frame::window_update(0, 1 << 20)).expect_response(stream);
    }),
    case("6.10", "CONTINUATION may follow CONTINUATION", |peer| {
        let mut client = Client::open(peer);
        let fields = get_fields("/");
        let (one, other) = (fields[..2].to_vec(), fields[2..].to_vec());
        client.send(Frame::headers(1, block(one)).end_stream().without(flag::END_HEADERS));
        client.send(Frame::continuation(1, block(other))).send(Frame::continuation(1, []).with(flag::END_HEADERS));
        client.expect_response(1);
    }),
    case("6.10", "and nothing else within a header block", |peer| within_block(peer, Frame::data(1, b"test"))),
    case("6.10", "CONTINUATION belongs to a stream", |peer| {
        within_block(peer, Frame::continuation(0, []).with(flag::END_HEADERS));
    }),
    case("6.10", "CONTINUATION does not follow a whole header block", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::continuation(stream, []).with(flag::END_HEADERS));
        client.expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
    case("6.10", "nor the CONTINUATION that ended one", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::headers(1, block(post_fields("/"))).without(flag::END_HEADERS));
        client.send(Frame::continuation(1, []).with(flag::END_HEADERS));
        client.send(Frame::continuation(1, []).with(flag::END_HEADERS));
        client.expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
    case("6.10", "nor DATA", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::data(stream, b"test")).send(Frame::continuation(stream, []).with(flag::END_HEADERS));
        client.expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
];

fn broken(peer: SocketAddr, frame: Frame, code: u32) {
    Client::open(peer).send(frame).expect_connection_error(&[code]);
}

fn wrong(peer: SocketAddr, setting: u16, value: u32, code: u32) {
    broken(peer, Frame::settings(&[(setting, value)]), code);
}

fn within_block(peer: SocketAddr, frame: Frame) {
    let mut client = Client::open(peer);
    client.send(Frame::headers(1, block(get_fields("/"))).without(flag::END_HEADERS)).send(frame);
    client.expect_connection_error(&[code::PROTOCOL_ERROR]);
}

/// A window of one byte gets one byte, and what opens it later gets the rest.
fn first_piece(mut client: Client) {
    client.keep_windows();
    let stream = client.get("/");
    client.wait_for("a byte", |client| client.so_far(stream).body.len() == 1);
    assert_eq!(client.expect_alive().so_far(stream).body.len(), 1);
    client.send(Frame::window_update(stream, 1000));
    assert!(client.expect_response(stream).body.len() > 1);
}
