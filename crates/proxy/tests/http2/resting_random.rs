//! Clients that say whatever they like between their rests, at which neither heads nor bodies nor windows may change.
//!
//! `HTTP2_SEED=n cargo test -p divisi-proxy --test http2 resting_random` plays the run that failed again.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use divisi_testkit::http2::client::Client;
use divisi_testkit::http2::frame::{Frame, code, setting};
use divisi_testkit::http2::hpack::{Block, Indexing};
use divisi_testkit::replica::{Replica, Request};
use fastrand::Rng;

use crate::support::Proxy;

/// How many clients there are at once, and how often each of them rests.
const CLIENTS: u64 = 40;
const RESTS: usize = 4;

/// How far the window of the connection is open to a client, in bytes.
const FULL: i64 = 1024 * 1024;

/// A client, and what its heads have put into the table of the other side.
struct Visitor {
    client: Client,
    random: Rng,
    /// It opens windows when it likes.
    keeps: bool,
    /// The youngest first.
    table: VecDeque<(String, String)>,
}

#[test]
fn whatever_is_said_between_rests_is_understood() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("HTTP2_SEED").unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    let clients = number("HTTP2_RUNS").unwrap_or(CLIENTS);
    println!("HTTP2_SEED={first}");
    let replica = Replica::answering(answer).lenient();
    let proxy = Proxy::before(&[&replica]);
    let addr = proxy.addr();
    let visits = (first..first + clients).map(|seed| (seed, thread::spawn(move || Visitor::new(addr, seed).visit())));
    let visits: Vec<_> = visits.collect();
    let failed: Vec<_> = visits.into_iter().filter_map(|(seed, visit)| visit.join().is_err().then_some(seed)).collect();
    assert!(failed.is_empty(), "HTTP2_RUNS=1 HTTP2_SEED={failed:?}");
}

/// Says what has come, and then as much as was asked for; the path says which fields, too.
fn answer(request: &Request) -> Vec<u8> {
    let (seed, size) = asked(&request.head.target());
    let mut body: String = NAMES.iter().flat_map(|name| request.head.values(name)).collect::<Vec<_>>().join(",");
    body.push_str(&format!(";{};", request.body.len()));
    body.extend(std::iter::repeat_n('x', size));
    let mut head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in fields(&mut Rng::with_seed(seed)) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{head}\r\n{body}").into_bytes()
}

fn asked(path: &str) -> (u64, usize) {
    let mut parts = path.split('/').skip(1).map(|part| part.parse::<u64>().expect("a number"));
    (parts.next().expect("a seed"), parts.next().expect("a size") as usize)
}

const NAMES: [&str; 8] = ["x-a", "x-b", "x-c", "x-long-name-of-a-field", "accept", "referer", "x-e", "etag"];

/// Some fields, each name at most once.
fn fields(random: &mut Rng) -> Vec<(&'static str, String)> {
    let values = ["1", "value", "a-longer-value-of-some-field", "0000000000"];
    let count = random.usize(..6);
    let mut names = random.choose_multiple(NAMES, count);
    names.sort_by_key(|name| NAMES.iter().position(|known| known == name));
    names
        .into_iter()
        .map(|name| {
            let value = values[random.usize(..4)].repeat(random.usize(1..4));
            (name, if random.u8(..8) == 0 { format!("{value}{}", random.u16(..)) } else { value })
        })
        .collect()
}

/// How far the window of a stream is open; who answers each frame with a WINDOW_UPDATE has no small one.
fn window(random: &mut Rng, keeps: bool) -> u32 {
    let sizes = if keeps { [0, 1, 1_000, 65_535, 80_000] } else { [20_000, 65_534, 65_535, 100_000, 1 << 30] };
    random.choice(sizes).expect("some")
}

impl Visitor {
    fn new(addr: SocketAddr, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let keeps = random.bool();
        let mut settings = Vec::new();
        if random.bool() {
            settings.push((setting::HEADER_TABLE_SIZE, random.choice([0, 100, 300, 4096, 65_536]).expect("some")));
        }
        if random.bool() {
            settings.push((setting::INITIAL_WINDOW_SIZE, window(&mut random, keeps)));
        }
        if random.bool() {
            settings.push((setting::MAX_FRAME_SIZE, 16_384));
        }
        if random.bool() {
            settings.push((setting::MAX_HEADER_LIST_SIZE, random.choice([0, 100, 100_000]).expect("some")));
        }
        if random.bool() {
            settings.push((setting::MAX_CONCURRENT_STREAMS, random.choice([0, 1, 100]).expect("some")));
        }
        if random.bool() {
            settings.push((setting::ENABLE_PUSH, 0));
        }
        let mut client = Client::open_with(addr, &settings);
        if keeps {
            client.keep_windows();
        }
        Self { client, random, keeps, table: VecDeque::new() }
    }

    fn visit(&mut self) {
        for _ in 0..RESTS {
            for _ in 0..self.random.usize(1..5) {
                self.say_something();
            }
            self.client.listen(Duration::from_millis(self.random.u64(950..1_300)));
            assert!(self.client.goaway().is_none() && self.client.closed().is_none(), "{}", self.client.heard());
            if self.random.bool() {
                self.client.expect_alive();
            }
        }
        self.ask(1);
        self.client.listen(Duration::from_millis(1_400));
        self.client.expect_alive();
        self.client.listen(Duration::from_millis(50));
        // The other side says only when half of it is used up that it is open again.
        assert!(self.client.outbound_window(0) <= FULL, "{}", self.client.outbound_window(0));
        assert!(self.client.outbound_window(0) > FULL / 2, "{}", self.client.outbound_window(0));
        self.use_up();
    }

    /// The window of the connection is as open to the other side as it should be.
    fn use_up(&mut self) {
        self.client.keep_windows();
        let size = self.client.inbound_window(0);
        if size > 300_000 {
            return;
        }
        let stream = self.request(None, 300_000);
        let so_far = 0x7fff_ffff - self.client.inbound_window(stream);
        if so_far > 0 {
            let more = u32::try_from(so_far.min(400_000)).expect("some");
            self.client.send(Frame::window_update(stream, more));
        }
        self.client.wait_for("all that the window lets through", |client| client.inbound_window(0) == 0);
        self.client.send(Frame::window_update(0, 400_000));
        self.client.expect_response(stream);
    }

    fn say_something(&mut self) {
        match self.random.u8(..12) {
            0 => drop(self.client.send(Frame::ping(*b"someping"))),
            1 => drop(self.client.send(Frame::new(0x10, 0, 0, b"\0\0\0\x01u=1".to_vec()))),
            2 => {
                let size = window(&mut self.random, self.keeps);
                self.client.send(Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, size)]));
            }
            3 => drop(self.client.send(Frame::window_update(0, self.random.u32(1..100_000)))),
            4 => {
                // Given up in the middle.
                let stream = self.request(None, 200_000);
                self.client.listen(Duration::from_millis(self.random.u64(..20)));
                self.client.send(Frame::reset(stream, code::CANCEL));
            }
            _ => {
                let count = self.random.usize(1..5);
                self.ask(count);
            }
        }
    }

    /// Asks for so much at once.
    fn ask(&mut self, count: usize) {
        let mut streams = Vec::new();
        for _ in 0..count {
            let upload =
                if self.random.bool() { None } else { Some(self.random.usize(..3) * self.random.usize(..30_000)) };
            let size = self.random.usize(..3) * self.random.usize(..30_000);
            streams.push(self.request_checked(upload, size));
        }
        for (stream, seed, said, size) in streams {
            while !self.client.so_far(stream).is_complete() {
                let over = self
                    .client
                    .try_wait_for(Duration::from_millis(30), |client| client.so_far(stream).ending.is_some());
                if over.is_err() {
                    let more = self.random.u32(1..50_000);
                    self.client.send(Frame::window_update(0, more)).send(Frame::window_update(stream, more));
                }
                assert!(self.client.closed().is_none(), "closed; heard {}", self.client.heard());
                let answer = self.client.so_far(stream);
                assert!(answer.reset().is_none(), "{}; heard {}", answer.shown(), self.client.heard());
            }
            let answer = self.client.so_far(stream);
            for (name, value) in fields(&mut Rng::with_seed(seed)) {
                assert_eq!(answer.value(name).as_deref(), Some(&*value), "{name}");
            }
            let expected = format!("{said}{}", "x".repeat(size));
            assert!(answer.text() == expected, "{:.200} instead of {expected:.200}", answer.text());
        }
    }

    fn request_checked(&mut self, upload: Option<usize>, size: usize) -> (u32, u64, String, usize) {
        let (stream, seed, said) = self.begin(upload, size);
        (stream, seed, format!("{said};{};", upload.unwrap_or(0)), size)
    }

    fn request(&mut self, upload: Option<usize>, size: usize) -> u32 {
        self.begin(upload, size).0
    }

    fn begin(&mut self, upload: Option<usize>, size: usize) -> (u32, u64, String) {
        let seed = self.random.u64(..1_000);
        let stream = self.client.fresh_stream();
        let extra = fields(&mut self.random);
        let said = extra.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>().join(",");
        let path = format!("/{seed}/{size}");
        let method = if upload.is_some() { "POST" } else { "GET" };
        let mut all = vec![(":method", method.to_owned()), (":scheme", "http".to_owned()), (":path", path)];
        all.push((":authority", "app.test".to_owned()));
        all.extend(extra);
        let block = self.encode(&all);
        let mut frame = Frame::headers(stream, block);
        if self.random.u8(..4) == 0 {
            frame = frame.prioritised(0, 3);
        }
        if self.random.u8(..4) == 0 {
            frame = frame.padded(self.random.u8(..));
        }
        let Some(upload) = upload else {
            self.client.send(frame.end_stream());
            return (stream, seed, said);
        };
        self.client.send(frame);
        let mut left = upload;
        while left > 0 {
            let piece = left.min(self.random.usize(1..16_000));
            let padding = if self.random.bool() { self.random.u8(..) } else { 0 };
            let needed = (piece + usize::from(padding) + 1) as i64;
            self.client.wait_for("an open window", |client| {
                client.outbound_window(0) >= needed && client.outbound_window(stream) >= needed
            });
            let frame = Frame::data(stream, vec![b'y'; piece]);
            self.client.send(if padding > 0 { frame.padded(padding) } else { frame });
            left -= piece;
        }
        if self.random.u8(..4) == 0 {
            let block = self.encode(&[("x-sum", "12345".to_owned())]);
            self.client.send(Frame::headers(stream, block).end_stream());
        } else {
            self.client.send(Frame::data(stream, []).end_stream());
        }
        (stream, seed, said)
    }

    fn encode(&mut self, fields: &[(&str, String)]) -> Block {
        let mut block = Block::new();
        for (name, value) in fields {
            let at = self.table.iter().position(|(known, content)| known == name && content == value);
            let named = self.table.iter().position(|(known, _)| known == name);
            block = match (at, named, self.random.u8(..4)) {
                (Some(at), ..) => block.indexed(62 + at),
                (_, _, 0) => block.field(name, value),
                (_, _, 1) => block.literal(Indexing::Never, name, value),
                (_, Some(named), 2) => {
                    self.insert(name, value, block.named_by_huffman(Indexing::Incremental, 62 + named, value))
                }
                (_, Some(named), _) => {
                    self.insert(name, value, block.named_by(Indexing::Incremental, 62 + named, value))
                }
                (_, None, 2) => self.insert(name, value, block.huffman(Indexing::Incremental, name, value)),
                (_, None, _) => self.insert(name, value, block.literal(Indexing::Incremental, name, value)),
            };
        }
        block
    }

    /// RFC 7541 4.1: an entry counts 32 bytes more than are in it.
    fn insert(&mut self, name: &str, value: &str, block: Block) -> Block {
        self.table.push_front((name.to_owned(), value.to_owned()));
        let size = |table: &VecDeque<(String, String)>| -> usize {
            table.iter().map(|(name, value)| name.len() + value.len() + 32).sum()
        };
        while size(&self.table) > 4096 {
            self.table.pop_back();
        }
        block
    }
}
