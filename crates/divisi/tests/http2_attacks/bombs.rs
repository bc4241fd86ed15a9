//! Few bytes that become many.

use std::time::Duration;

use divisi_testkit::http2::client::{Client, get_fields, post_fields};
use divisi_testkit::http2::frame::{Frame, code, flag, setting};
use divisi_testkit::http2::hpack::{Block, Indexing, block};

use crate::floods::odd;
use crate::stage::{Bound, Stage, ended, flood};

/// Fields of one block that are one byte each.
const REFERENCES: usize = 16_000;

/// CVE-2016-6581: a large entry of the table, named again and again.
#[test]
fn one_large_entry() {
    Stage::new(&[]).attack("HPACK bomb", Bound::Usual, |addr| {
        let mut client = Client::open(addr);
        let seed = Block::new().raw(block(get_fields("/"))).literal(Indexing::Incremental, "x-a", "v".repeat(3_900));
        client.send(Frame::headers(1, seed).end_stream());
        client.expect_response(1);
        let bomb = [block(get_fields("/")), vec![0xbe; REFERENCES]].concat();
        let sent = flood(&mut client, 500, |number| Frame::headers(odd(number + 1), bomb.clone()).end_stream().bytes());
        ended(&mut client, sent)
    });
}

/// CVE-2026-49975: an empty entry, named again and again on streams that cannot end, since nobody takes their answers.
#[test]
fn many_empty_entries_on_streams_that_stall() {
    for (what, name) in [("fields", "a"), ("crumbs", "cookie")] {
        for count in [100, 800, 4_000, REFERENCES] {
            Stage::new(&[]).attack(&format!("HTTP/2 bomb of {count} {what} each"), Bound::Usual, |addr| {
                let mut client = Client::open_with(addr, &[(setting::INITIAL_WINDOW_SIZE, 0)]);
                let seed = Block::new().raw(block(get_fields("/"))).literal(Indexing::Incremental, name, "");
                client.send(Frame::headers(1, seed).end_stream()).expect_alive();
                let bomb = [block(post_fields("/")), vec![0xbe; count]].concat();
                let sent = flood(&mut client, 400, |number| Frame::headers(odd(number + 1), bomb.clone()).bytes());
                client.listen(Duration::from_secs(1));
                // A drop now and then, so that nobody thinks it has gone.
                (0..5).for_each(|number| drip(&mut client, odd(number + 1)));
                ended(&mut client, sent)
            });
        }
    }
}

/// Many connections with as many streams as they may have, each with the largest head that is taken.
#[test]
fn large_heads_on_streams_that_stall() {
    Stage::new(&[]).attack("large heads", Bound::Held(24 << 20), |addr| {
        let head = block([&post_fields("/wait")[..], &[("x-long", &"v".repeat(14_000))]].concat());
        let mut sent = 0;
        let mut clients: Vec<_> = (0..4).map(|_| Client::open(addr)).collect();
        for client in &mut clients {
            sent += flood(client, 100, |number| Frame::headers(odd(number), head.clone()).bytes());
        }
        ended(&mut clients[0], sent)
    });
}

/// What a table of four gigabytes would hold.
#[test]
fn a_table_as_large_as_can_be() {
    Stage::new(&[]).attack("SETTINGS_HEADER_TABLE_SIZE", Bound::Usual, |addr| {
        let mut client = Client::open(addr);
        client.send(Frame::settings(&[(setting::HEADER_TABLE_SIZE, u32::MAX)])).expect_alive();
        let mut sent = 0;
        for number in 0..3_000_u32 {
            let stream = client.request([&get_fields("/")[..], &[("x-number", &number.to_string())]].concat());
            // The decoder here has the usual table: an encoder that uses more than that shows.
            assert_eq!(client.expect_response(stream).status(), 200);
            sent += 100;
        }
        ended(&mut client, sent)
    });
}

/// GOAWAY says that this side goes; it opens streams all the same.
#[test]
fn streams_after_goaway() {
    Stage::new(&[]).attack("streams after GOAWAY", Bound::Usual, |addr| {
        let mut client = Client::open(addr);
        client.send(Frame::goaway(0, code::NO_ERROR));
        let get = block(get_fields("/"));
        let sent = flood(&mut client, 2_000, |number| Frame::headers(odd(number), get.clone()).end_stream().bytes());
        ended(&mut client, sent)
    });
}

/// After the last number there is none.
#[test]
fn the_last_stream() {
    Stage::new(&[]).attack("the last stream", Bound::Usual, |addr| {
        let mut client = Client::open(addr);
        let last = 0x7fff_ffff;
        client.send(Frame::headers(last, block(get_fields("/"))).end_stream());
        assert_eq!(client.expect_response(last).status(), 200);
        client.send(Frame::headers(1, block(get_fields("/"))).with(flag::END_STREAM));
        client.expect_connection_error(&[code::PROTOCOL_ERROR, code::STREAM_CLOSED]);
        ended(&mut client, 1000)
    });
}

fn drip(client: &mut Client, stream: u32) {
    client.send(Frame::window_update(stream, 1));
    client.listen(Duration::from_millis(100));
}
