//! RFC 9113 section 7: error codes.

use divisi_testkit::http2::client::Client;
use divisi_testkit::http2::frame::Frame;

use crate::case::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("7", "GOAWAY with an unknown code has no special meaning", |peer| {
        let mut client = Client::open(peer);
        let stream = client.get("/");
        client.send(Frame::goaway(0, 0xff)).expect_response(stream);
    }),
    case("7", "RST_STREAM with an unknown code ends its stream and nothing else", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::reset(stream, 0xff)).expect_alive().expect_served();
    }),
];
