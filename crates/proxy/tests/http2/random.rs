//! Frames that nobody would think of: anything may come of a connection that sends them, but nothing of any other.
//!
//! `HTTP2_SEED=n cargo test -p divisi-proxy --test http2 random` plays the run that failed again, `HTTP2_RUNS=n` more of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use divisi_testkit::http2::client::{Client, get_fields, post_fields};
use divisi_testkit::http2::frame::{Frame, PREFACE, flag};
use divisi_testkit::http2::hpack::{Block, Indexing, block};
use fastrand::Rng;

use crate::stage::Stage;

/// Connections that are tried, each with a seed of its own.
const RUNS: u64 = 300;

/// How long a connection may take to its end after the last frame.
const LIMIT: Duration = Duration::from_secs(10);

/// A panic in a worker ends its thread, and with it everybody who is served there: the next client finds out.
pub(crate) fn frames_that_nobody_would_think_of() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let runs = number("HTTP2_RUNS").unwrap_or(RUNS);
    let first = number("HTTP2_SEED").unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    println!("HTTP2_SEED={first}, {runs} runs");
    let stage = Stage::new();
    let mut kept = Client::open(stage.proxy.addr());
    let ended = Arc::new(AtomicUsize::new(0));
    for seed in first..first + runs {
        let played = catch_unwind(AssertUnwindSafe(|| play(seed, &stage, &ended)));
        let served = catch_unwind(AssertUnwindSafe(|| {
            kept.expect_served();
            Client::open(stage.proxy.addr()).expect_served();
        }));
        assert!(played.is_ok() && served.is_ok(), "HTTP2_SEED={seed} HTTP2_RUNS=1: {played:?}, others {served:?}");
    }
    println!("{} of {runs} connections were ended by the proxy", ended.load(Ordering::SeqCst));
}

fn play(seed: u64, stage: &Stage, ended: &AtomicUsize) {
    let mut random = Rng::with_seed(seed);
    let mut client = Client::connect(stage.proxy.addr());
    let mut bytes = PREFACE.to_vec();
    bytes.extend(Frame::settings(&[]).bytes());
    let count = random.usize(1..60);
    let mut frames = Frames { random: &mut random, next: 1, open: Vec::new(), unfinished: None, is_whole: true };
    (0..count).for_each(|_| bytes.extend(frames.next()));
    let mut is_whole = frames.is_whole;
    if random.u8(..) < 16 {
        flip(&mut random, &mut bytes);
        is_whole = false;
    }
    // Cut anywhere: what comes in pieces is the same as what comes at once.
    let mut rest = &bytes[..];
    while !rest.is_empty() && client.closed().is_none() {
        let (now, later) = rest.split_at(random.usize(1..=rest.len()));
        client.send_raw(now).collect();
        rest = later;
    }
    // Whatever it made of them, it still answers or has said goodbye. Only a frame that is shorter than it claims swallows
    // the PING: then the connection waits for the rest of it.
    client.send(Frame::ping(*b"the end?"));
    let is_decided = |client: &mut Client| client.goaway().is_some() || client.heard().contains("PING flags 0x1");
    let decided = client.try_wait_for(if is_whole { LIMIT } else { LIMIT / 20 }, is_decided);
    ended.fetch_add(client.goaway().is_some().into(), Ordering::SeqCst);
    let went_well = decided.is_ok() || client.closed().is_some() || !is_whole;
    assert!(went_well, "{decided:?}; heard: {}; sent: {}", client.heard(), shown(&bytes));
}

/// The frames that were sent.
fn shown(bytes: &[u8]) -> String {
    let mut rest = &bytes[PREFACE.len()..];
    let frames = std::iter::from_fn(|| {
        let (frame, used) = Frame::parse(rest)?;
        rest = &rest[used..];
        Some(format!("{frame:?}"))
    });
    frames.collect::<Vec<_>>().join(", ")
}

/// Frames of one connection: mostly right, so that it comes far, and wrong in one thing or another.
struct Frames<'a> {
    random: &'a mut Rng,
    next: u32,
    /// Streams of which this side has not ended its half.
    open: Vec<u32>,
    /// A header block is not whole yet.
    unfinished: Option<u32>,
    /// No frame has claimed a length that it does not have.
    is_whole: bool,
}

impl Frames<'_> {
    fn next(&mut self) -> Vec<u8> {
        if self.random.u8(..) < 2 {
            return self.odd();
        }
        if let Some(stream) = self.unfinished.take() {
            return Frame::continuation(stream, []).with(flag::END_HEADERS).bytes();
        }
        let begun = (self.next > 1).then(|| self.random.u32(0..self.next / 2) * 2 + 1);
        match (self.random.u8(..10), begun) {
            (0..=2, _) => self.request(),
            (3..=5, _) => self.data(),
            (6, _) => Frame::window_update(begun.unwrap_or(0), self.random.u32(1..100_000)).bytes(),
            (7, Some(stream)) => {
                self.open.retain(|open| *open != stream);
                Frame::reset(stream, self.random.u32(..20)).bytes()
            }
            (8, _) => Frame::settings(&[(self.random.u16(3..5), self.random.u32(..100_000))]).bytes(),
            (9, Some(stream)) => Frame::priority(stream, 0, self.random.u8(..)).bytes(),
            _ => Frame::new(self.random.u8(16..), self.random.u8(..), 0, vec![7; self.random.usize(..20)]).bytes(),
        }
    }

    fn request(&mut self) -> Vec<u8> {
        let stream = self.next;
        self.next += 2;
        let frame = Frame::headers(stream, fields(self.random));
        let frame = match self.random.bool() {
            true => frame.end_stream(),
            false => {
                self.open.push(stream);
                frame
            }
        };
        if self.random.u8(..8) == 0 {
            self.unfinished = Some(stream);
            return frame.without(flag::END_HEADERS).bytes();
        }
        self.padded(frame)
    }

    /// Data or trailers.
    fn data(&mut self) -> Vec<u8> {
        if self.open.is_empty() {
            return Frame::ping([1; 8]).bytes();
        }
        let at = self.random.usize(..self.open.len());
        let (stream, ends) = (self.open[at], self.random.u8(..3) == 0);
        if ends {
            self.open.swap_remove(at);
        }
        let frame = match self.random.u8(..8) {
            0 if ends => Frame::headers(stream, block([("x-sum", "1")])),
            _ => Frame::data(stream, vec![b'd'; self.random.usize(..300)]),
        };
        self.padded(if ends { frame.end_stream() } else { frame })
    }

    fn padded(&mut self, frame: Frame) -> Vec<u8> {
        let frame = if self.random.u8(..8) == 0 { frame.padded(self.random.u8(..)) } else { frame };
        frame.bytes()
    }

    /// Any kind, any flags, any stream, any length.
    fn odd(&mut self) -> Vec<u8> {
        let random = &mut *self.random;
        let stream = random.u32(..) >> random.u8(..32);
        let length = random.usize(..20);
        let payload: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        let frame = Frame::new(random.u8(..12), random.u8(..), stream, payload);
        if random.u8(..8) > 0 {
            return frame.bytes();
        }
        self.is_whole = false;
        frame.bytes_claiming(random.usize(..70_000))
    }
}

fn fields(random: &mut Rng) -> Vec<u8> {
    let fields = if random.bool() { get_fields("/") } else { post_fields("/big") };
    let block = Block::new().raw(block(fields));
    let name: String = (0..random.usize(1..6)).map(|_| random.char('a'..='z')).collect();
    let value: String = (0..random.usize(..20)).map(|_| random.char(' '..'\u{ff}')).collect();
    let block = match random.u8(..16) {
        0..=3 => block.literal(Indexing::Incremental, name, value),
        4..=6 => block.huffman(Indexing::Incremental, name, value),
        7 => block.indexed(random.usize(8..64)),
        8 => block.field("content-length", random.u32(..400).to_string()),
        9 => block.field([random.u8(..)], [random.u8(..)]),
        10 if random.u8(..8) == 0 => block.raw([random.u8(..), random.u8(..)]),
        _ => block,
    };
    block.into()
}

fn flip(random: &mut Rng, bytes: &mut [u8]) {
    for _ in 0..random.usize(1..4) {
        let at = random.usize(PREFACE.len()..bytes.len());
        bytes[at] ^= 1 << random.u8(..8);
    }
}
