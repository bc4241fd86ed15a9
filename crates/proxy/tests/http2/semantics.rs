//! RFC 9113 section 8: HTTP semantics in HTTP/2. What a replica sees of it is tried in `downgrade`.

use std::net::SocketAddr;

use divisi_testkit::http2::client::{Client, get_fields, post_fields};
use divisi_testkit::http2::frame::{Frame, code, flag, kind};
use divisi_testkit::http2::hpack::block;

use crate::case::{Case, case};

const GET: [(&str, &str); 4] = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "app.test")];

pub(crate) const CASES: &[Case] = &[
    case("8.1", "trailers end their stream", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::data(stream, b"test")).send(Frame::headers(stream, block([("x-test", "ok")])));
        client.expect_malformed(stream);
    }),
    case("8.2.1", "names are in lower case", |peer| malformed(peer, &[("X-Test", "ok")])),
    case("8.2.2", "there is no Connection", |peer| malformed(peer, &[("connection", "keep-alive")])),
    case("8.2.2", "there is no Keep-Alive", |peer| malformed(peer, &[("keep-alive", "5")])),
    case("8.2.2", "there is no Proxy-Connection", |peer| malformed(peer, &[("proxy-connection", "keep-alive")])),
    case("8.2.2", "there is no Transfer-Encoding", |peer| malformed(peer, &[("transfer-encoding", "chunked")])),
    case("8.2.2", "there is no Upgrade", |peer| malformed(peer, &[("upgrade", "websocket")])),
    case("8.2.2", "TE says trailers, if anything", |peer| malformed(peer, &[("te", "trailers, deflate")])),
    case("8.2.2", "TE may say trailers", |peer| {
        let mut client = Client::open(peer);
        let stream = client.request([&GET[..], &[("te", "trailers")]].concat());
        client.expect_response(stream);
    }),
    case("8.3", "an unknown pseudo-field is none", |peer| malformed(peer, &[(":test", "ok")])),
    case("8.3", "a request has no pseudo-field of an answer", |peer| malformed(peer, &[(":status", "200")])),
    case("8.3", "trailers have no pseudo-field", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::data(stream, b"test"));
        client.send(Frame::headers(stream, block([(":method", "GET")])).end_stream()).expect_malformed(stream);
    }),
    case("8.3", "pseudo-fields come first", |peer| {
        refused(peer, &[GET[0], GET[1], ("x-test", "ok"), GET[2], GET[3]]);
    }),
    case("8.3.1", ":path is not empty", |peer| refused(peer, &[GET[0], GET[1], (":path", ""), GET[3]])),
    case("8.3.1", ":method is there", |peer| refused(peer, &GET[1..])),
    case("8.3.1", ":scheme is there", |peer| refused(peer, &[GET[0], GET[2], GET[3]])),
    case("8.3.1", ":path is there", |peer| refused(peer, &[GET[0], GET[1], GET[3]])),
    case("8.3.1", ":method is there once", |peer| refused(peer, &[GET[0], GET[0], GET[1], GET[2], GET[3]])),
    case("8.3.1", ":scheme is there once", |peer| refused(peer, &[GET[0], GET[1], GET[1], GET[2], GET[3]])),
    case("8.3.1", ":path is there once", |peer| refused(peer, &[GET[0], GET[1], GET[2], GET[2], GET[3]])),
    case("8.3.1", ":authority is there once", |peer| refused(peer, &[GET[0], GET[1], GET[2], GET[3], GET[3]])),
    case("8.1.1", "a body is as long as Content-Length says", |peer| {
        let mut client = Client::open(peer);
        let stream = client.begin([&post_fields("/")[..], &[("content-length", "1")]].concat());
        client.send(Frame::data(stream, b"test").end_stream()).expect_malformed(stream);
    }),
    case("8.1.1", "a body of several frames, too", |peer| {
        let mut client = Client::open(peer);
        let stream = client.begin([&post_fields("/")[..], &[("content-length", "1")]].concat());
        client.send(Frame::data(stream, b"test")).send(Frame::data(stream, b"test").end_stream());
        client.expect_malformed(stream);
    }),
    case("8.4", "a client cannot push", |peer| {
        let promise = [&2_u32.to_be_bytes()[..], &block(get_fields("/"))].concat();
        let mut client = Client::open(peer);
        client.send(Frame::headers(1, block(get_fields("/"))).end_stream());
        client.send(Frame::new(kind::PUSH_PROMISE, flag::END_HEADERS, 1, promise));
        client.expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
    case("8.1.1", "a malformed request ends itself and not its connection", |peer| {
        let mut client = Client::open(peer);
        let stream = client.request([&GET[..], &[("connection", "close")]].concat());
        client.expect_malformed(stream);
        client.expect_alive().expect_served();
    }),
];

fn malformed(peer: SocketAddr, more: &[(&str, &str)]) {
    refused(peer, &[&GET[..], more].concat());
}

fn refused(peer: SocketAddr, fields: &[(&str, &str)]) {
    let mut client = Client::open(peer);
    let stream = client.request(fields.iter().copied());
    client.expect_malformed(stream);
}
