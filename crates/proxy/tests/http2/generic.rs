//! What a client does every day, in every spelling that the frames and HPACK have for it.

use divisi_testkit::http2::client::{Client, get_fields, post_fields};
use divisi_testkit::http2::frame::{Frame, code};
use divisi_testkit::http2::hpack::{Block, Indexing, block};

use crate::case::{Case, case};

const MESSAGE: &[u8] = b"some text to send";

pub(crate) const CASES: &[Case] = &[
    case("3.4", "a connection begins with the preface and settings of both sides", |peer| {
        Client::open(peer).expect_served();
    }),
    case("5.1", "PRIORITY may come for an idle stream", |peer| {
        Client::open(peer).send(Frame::priority(1, 0, 255)).expect_served();
    }),
    case("5.1", "WINDOW_UPDATE may come for a half-closed stream", |peer| {
        let mut client = Client::open(peer);
        let stream = client.get("/");
        client.send(Frame::window_update(stream, 1)).expect_response(stream);
    }),
    case("5.1", "PRIORITY may come for a half-closed stream", |peer| {
        let mut client = Client::open(peer);
        let stream = client.get("/");
        client.send(Frame::priority(stream, 0, 255)).expect_response(stream);
    }),
    case("5.1", "RST_STREAM may come for a half-closed stream", |peer| {
        let mut client = Client::open(peer);
        let stream = client.get("/");
        client.send(Frame::reset(stream, code::CANCEL)).expect_alive();
    }),
    case("5.1", "PRIORITY may come for a closed stream", |peer| {
        let mut client = Client::open(peer);
        let stream = client.get("/");
        client.expect_response(stream);
        client.send(Frame::priority(stream, 0, 255)).expect_alive();
    }),
    case("6.1", "a request may have one frame of DATA", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::data(stream, MESSAGE).end_stream()).expect_response(stream);
    }),
    case("6.1", "a request may have many frames of DATA", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::data(stream, MESSAGE)).send(Frame::data(stream, MESSAGE).end_stream());
        client.expect_response(stream);
    }),
    case("6.1", "DATA may be padded", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::data(stream, MESSAGE).padded(255));
        client.send(Frame::data(stream, MESSAGE).padded(0).end_stream());
        client.expect_response(stream);
    }),
    case("6.2", "a request may be one frame of HEADERS", |peer| {
        let mut client = Client::open(peer);
        let stream = client.get("/");
        client.expect_response(stream);
    }),
    case("6.2", "HEADERS may be padded", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::headers(1, block(get_fields("/"))).end_stream().padded(255)).expect_response(1);
    }),
    case("6.2", "HEADERS may have a priority", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::headers(1, block(get_fields("/"))).end_stream().prioritised(0, 255)).expect_response(1);
    }),
    case("6.2", "HEADERS may have both", |peer| {
        let mut client = Client::open(peer);
        let headers = Frame::headers(1, block(get_fields("/"))).end_stream().prioritised(0, 255).padded(7);
        client.send(headers).expect_response(1);
    }),
    case("6.3", "PRIORITY may have any weight", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::priority(1, 0, 0)).send(Frame::priority(1, 0, 255)).expect_served();
    }),
    case("6.3", "PRIORITY may name another stream, exclusively or not", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::priority(3, 1, 255)).send(Frame::priority(5, 0x8000_0001, 255)).expect_served();
    }),
    case("6.3", "PRIORITY for an idle stream does not close those below it", |peer| {
        let mut client = Client::open(peer);
        client.send(Frame::priority(5, 0, 255)).send(Frame::headers(3, block(get_fields("/"))).end_stream());
        client.expect_response(3);
    }),
    case("6.4", "RST_STREAM ends a stream and nothing else", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::reset(stream, code::CANCEL)).expect_served();
    }),
    case("6.5", "SETTINGS are acknowledged", |peer| {
        Client::open_with(peer, &[(0x3, 100)]).expect_served();
    }),
    case("6.7", "PING is answered with what was in it", |peer| {
        Client::open(peer).expect_alive();
    }),
    case("6.8", "GOAWAY of a client does not end what it has begun", |peer| {
        let mut client = Client::open(peer);
        let stream = client.get("/");
        client.send(Frame::goaway(0, code::NO_ERROR)).expect_response(stream);
    }),
    case("6.9", "WINDOW_UPDATE may come for the connection", |peer| {
        Client::open(peer).send(Frame::window_update(0, 1)).expect_served();
    }),
    case("6.9", "WINDOW_UPDATE may come for a stream", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::window_update(stream, 1)).send(Frame::data(stream, []).end_stream());
        client.expect_response(stream);
    }),
    case("6.10", "a header block may have one CONTINUATION", |peer| continued(peer, 2)),
    case("6.10", "a header block may have several", |peer| continued(peer, 5)),
    case("8.1", "GET is answered", |peer| {
        assert!(!Client::open(peer).fetch("/").body.is_empty());
    }),
    case("8.1", "HEAD is answered without a body", |peer| {
        let mut client = Client::open(peer);
        let stream = client.request([&[(":method", "HEAD")], &get_fields("/")[1..]].concat());
        assert!(client.expect_response(stream).body.is_empty());
    }),
    case("8.1", "POST is answered", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send_body(stream, &[b'x'; 100_000]).expect_response(stream);
    }),
    case("8.1", "POST with trailers is answered", |peer| {
        let mut client = Client::open(peer);
        let stream = client.post("/");
        client.send(Frame::data(stream, MESSAGE)).send(Frame::headers(stream, block([("x-sum", "42")])).end_stream());
        client.expect_response(stream);
    }),
    case("8.1", "the body of an answer is as long as it says, however large", |peer| {
        let answer = Client::open(peer).fetch("/big");
        assert_eq!((answer.status(), answer.body.len()), (200, 1 << 20));
    }),
    case("8.1", "requests on one connection are answered at once and none with another's answer", |peer| {
        let mut client = Client::open(peer);
        let streams: Vec<_> = (0..20).map(|n| (n, client.get(if n % 4 == 0 { "/big" } else { "/" }))).collect();
        for (n, stream) in streams {
            assert_eq!(client.expect_response(stream).body.len() == 1 << 20, n % 4 == 0, "{n}");
        }
    }),
    case("7541 6.1", "a field may be an index", |peer| spelled(peer, |block| block.indexed(16))),
    case("7541 6.2.1", "a field may be named by an index and join the table", |peer| {
        spelled(peer, |block| block.named_by(Indexing::Incremental, 58, "me"));
    }),
    case("7541 6.2.1", "so by Huffman's code", |peer| {
        spelled(peer, |block| block.named_by_huffman(Indexing::Incremental, 58, "me"));
    }),
    case("7541 6.2.1", "a field with a name of its own may join the table", |peer| {
        spelled(peer, |block| block.literal(Indexing::Incremental, "x-test", "me").indexed(62));
    }),
    case("7541 6.2.1", "so by Huffman's code, with a name of its own", |peer| {
        spelled(peer, |block| block.huffman(Indexing::Incremental, "x-test", "me").indexed(62));
    }),
    case("7541 6.2.2", "a field may be named by an index and not join the table", |peer| {
        spelled(peer, |block| block.named_by(Indexing::Without, 58, "me"));
    }),
    case("7541 6.2.2", "so by Huffman's code", |peer| {
        spelled(peer, |block| block.named_by_huffman(Indexing::Without, 58, "me"));
    }),
    case("7541 6.2.2", "a field with a name of its own may not join the table", |peer| {
        spelled(peer, |block| block.literal(Indexing::Without, "x-test", "me"));
    }),
    case("7541 6.2.2", "so by Huffman's code, with a name of its own", |peer| {
        spelled(peer, |block| block.huffman(Indexing::Without, "x-test", "me"));
    }),
    case("7541 6.2.3", "a field may be named by an index and never join a table", |peer| {
        spelled(peer, |block| block.named_by(Indexing::Never, 58, "me"));
    }),
    case("7541 6.2.3", "so by Huffman's code", |peer| {
        spelled(peer, |block| block.named_by_huffman(Indexing::Never, 58, "me"));
    }),
    case("7541 6.2.3", "a field with a name of its own may never join a table", |peer| {
        spelled(peer, |block| block.literal(Indexing::Never, "x-test", "me"));
    }),
    case("7541 6.2.3", "so by Huffman's code, with a name of its own", |peer| {
        spelled(peer, |block| block.huffman(Indexing::Never, "x-test", "me"));
    }),
    case("7541 6.3", "the table may be made smaller", |peer| {
        let mut client = Client::open(peer);
        let block = Block::new().table_size(128).raw(block(get_fields("/")));
        client.send(Frame::headers(1, block).end_stream()).expect_response(1);
    }),
    case("7541 6.3", "and larger again, in one block", |peer| {
        let mut client = Client::open(peer);
        let block = Block::new().table_size(128).table_size(4096).raw(block(get_fields("/")));
        client.send(Frame::headers(1, block).end_stream()).expect_response(1);
    }),
];

/// A GET with one more field, and after it another one: the tables of both sides must be the same.
fn spelled(peer: std::net::SocketAddr, more: fn(Block) -> Block) {
    let mut client = Client::open(peer);
    client.send(Frame::headers(1, more(Block::new().raw(block(get_fields("/"))))).end_stream());
    client.expect_response(1);
    client.expect_served();
}

fn continued(peer: std::net::SocketAddr, pieces: usize) {
    use divisi_testkit::http2::frame::flag;
    let mut client = Client::open(peer);
    let block = block([&post_fields("/")[..], &[("x-long", &"v".repeat(1000))]].concat());
    let mut pieces = block.chunks(block.len().div_ceil(pieces));
    client.send(Frame::headers(1, pieces.next().expect("a piece")).end_stream().without(flag::END_HEADERS));
    let last = pieces.next_back().expect("another piece");
    for piece in pieces {
        client.send(Frame::continuation(1, piece));
    }
    client.send(Frame::continuation(1, last).with(flag::END_HEADERS)).expect_response(1);
}
