//! RFC 7541: what must not stand in a header block. Each is an error of the connection (RFC 9113 4.3).

use std::net::SocketAddr;

use divisi_testkit::http2::client::{Client, get_fields};
use divisi_testkit::http2::frame::{Frame, code};
use divisi_testkit::http2::hpack::{Block, Indexing, block, huffman_of, huffman_padded_with_zeros, huffman_with_eos};

use crate::case::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("7541 2.3.3", "an index beyond both tables", |peer| refused(peer, |block| block.indexed(70))),
    case("7541 2.3.3", "a name by an index beyond both tables", |peer| {
        refused(peer, |block| block.named_by(Indexing::Incremental, 70, "empty"));
    }),
    case("7541 4.2", "a new size of the table anywhere but in front", |peer| {
        refused(peer, |block| block.table_size(1))
    }),
    case("7541 5.1", "an integer that does not end", |peer| refused(peer, |block| block.raw([0xff; 12]))),
    case("7541 5.2", "padding of more than seven bits", |peer| {
        refused(peer, |block| block.field_with_raw_huffman("x-test", [huffman_of(b"test"), vec![0xff]].concat()));
    }),
    case("7541 5.2", "padding with zeros", |peer| {
        refused(peer, |block| block.field_with_raw_huffman("x-test", huffman_padded_with_zeros(b"a")));
    }),
    case("7541 5.2", "EOS within a string", |peer| {
        refused(peer, |block| block.field_with_raw_huffman("x-test", huffman_with_eos(b"test")));
    }),
    case("7541 5.2", "a string that is longer than its block", |peer| {
        refused(peer, |block| block.raw([0x00, 0x06]).raw("x-test").raw([0x7f, 0x10]));
    }),
    case("7541 6.1", "the index 0", |peer| refused(peer, |block| block.indexed(0))),
    case("7541 6.3", "a table larger than SETTINGS_HEADER_TABLE_SIZE", |peer| {
        let mut client = Client::open(peer);
        let size = client.setting(0x1).unwrap_or(4096) + 1;
        let block = Block::new().table_size(size.try_into().expect("a size")).raw(block(get_fields("/")));
        client.send(Frame::headers(1, block).end_stream());
        client.expect_connection_error(&[code::COMPRESSION_ERROR]);
    }),
    case("7541 4.4", "an entry larger than the table empties it", |peer| {
        let mut client = Client::open(peer);
        let large = "v".repeat(5000);
        let first = Block::new().raw(block(get_fields("/"))).literal(Indexing::Incremental, "x-small", "v");
        client.send(Frame::headers(1, first.literal(Indexing::Incremental, "x-large", large)).end_stream());
        client.expect_response(1);
        let second = Block::new().raw(block(get_fields("/"))).indexed(62);
        client.send(Frame::headers(3, second).end_stream()).expect_connection_error(&[code::COMPRESSION_ERROR]);
    }),
];

fn refused(peer: SocketAddr, more: fn(Block) -> Block) {
    let mut client = Client::open(peer);
    client.send(Frame::headers(1, more(Block::new().raw(block(get_fields("/"))))).end_stream());
    client.expect_connection_error(&[code::COMPRESSION_ERROR]);
}
