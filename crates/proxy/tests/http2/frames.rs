//! RFC 9113 section 4: HTTP frames.

use divisi_testkit::http2::client::{Client, get_fields, post_fields};
use divisi_testkit::http2::frame::{Frame, code, flag, kind};
use divisi_testkit::http2::hpack::block;

use crate::case::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("4.1", "a frame of an unknown type is ignored", |peer| {
        Client::open(peer).send(Frame::new(0x16, 0, 0, [0; 8])).expect_alive().expect_served();
    }),
    case("4.1", "a flag without a meaning is ignored", |peer| {
        Client::open(peer).send(Frame::new(kind::PING, 0x16, 0, [0; 8])).expect_alive();
    }),
    case("4.1", "the reserved bit is ignored", |peer| {
        Client::open(peer).send(Frame::new(kind::PING, 0, 0x8000_0000, [0; 8])).expect_alive();
    }),
    case("4.2", "a frame of 2^14 bytes is taken", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::data(stream, [b'x'; 16_384]).end_stream()).expect_response(stream);
    }),
    case("4.2", "DATA larger than SETTINGS_MAX_FRAME_SIZE is an error", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        let size = client.largest_frame() + 1;
        client.send(Frame::data(stream, vec![b'x'; size]).end_stream());
        client.expect_stream_error(stream, &[code::FRAME_SIZE_ERROR]);
    }),
    case("4.2", "HEADERS larger than that are an error of the connection", |peer| {
        let mut client = Client::open(peer);
        let long = "v".repeat(client.largest_frame());
        client.send(Frame::headers(1, block([&get_fields("/")[..], &[("x-long", &long)]].concat())).end_stream());
        client.expect_connection_error(&[code::FRAME_SIZE_ERROR]);
    }),
    case("4.3", "a header block that cannot be read is an error of the connection", |peer| {
        // A literal whose name would be 24 bytes long, of which none come.
        let mut client = Client::open(peer);
        client.send(Frame::headers(1, b"\x00\x18".to_vec()).end_stream());
        client.expect_connection_error(&[code::COMPRESSION_ERROR]);
    }),
    case("4.3", "no other frame may come within a header block", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::headers(1, block(get_fields("/"))).end_stream().without(flag::END_HEADERS));
        client.send(Frame::priority(1, 0, 255)).send(Frame::continuation(1, []).with(flag::END_HEADERS));
        client.expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
    case("4.3", "nor a frame of another stream", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::headers(1, block(post_fields("/"))).without(flag::END_HEADERS));
        client.send(Frame::headers(3, block(get_fields("/"))).end_stream());
        client.expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
    case("4.1", "what is cut off within a frame is no request", |peer| {
        let mut client = Client::open(peer);
        let frame = Frame::headers(1, block(get_fields("/"))).end_stream();
        client.send_raw(&frame.bytes()[..20]);
        client.close();
    }),
];
