//! RFC 9113 section 3: starting HTTP/2.

use divisi_testkit::http2::client::Client;
use divisi_testkit::http2::frame::{Frame, PREFACE, code, kind};

use crate::case::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("3.4", "the first frame of a server is SETTINGS", |peer| {
        let mut client = Client::connect(peer);
        client.send_raw(PREFACE).send(Frame::settings(&[]));
        client.wait_for("the first frame", |client| !client.heard().is_empty());
        assert!(client.heard().starts_with("SETTINGS flags 0x0 "), "{}", client.heard());
    }),
    // The first bytes decide between HTTP/1.1 and HTTP/2 on a listener of both: they may be answered as HTTP/1.1.
    case("3.4", "a preface that is none is refused", |peer| {
        for preface in [
            "PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r",
            "INVALID CONNECTION PREFACE\r\n\r\n",
        ] {
            let mut client = divisi_testkit::client::Client::connect(peer);
            client.send(preface);
            let (said, _) = client.read_to_close();
            assert!(!said.starts_with(b"HTTP/1.1 2"), "{preface:?} was answered");
        }
    }),
    case("3.4", "the preface may come byte by byte", |peer| {
        let mut client = Client::connect(peer);
        for byte in PREFACE {
            client.send_raw([*byte]);
        }
        client.send(Frame::settings(&[])).expect_served();
    }),
    case("3.4", "the preface and a request may come in one piece", |peer| {
        let mut client = Client::connect(peer);
        let request = divisi_testkit::http2::hpack::block(divisi_testkit::http2::client::get_fields("/"));
        let frames = [Frame::settings(&[]), Frame::headers(1, request).end_stream()];
        client.send_raw([PREFACE, &frames[0].bytes(), &frames[1].bytes()].concat());
        client.expect_response(1);
    }),
    case("3.4", "the first frame of a client is SETTINGS, and nothing else", |peer| {
        let mut client = Client::connect(peer);
        client.send_raw(PREFACE).send(Frame::new(kind::PING, 0, 0, [0; 8]));
        client.expect_connection_error(&[code::PROTOCOL_ERROR]);
    }),
];
