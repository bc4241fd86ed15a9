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
    for _ in 0..random.usize(1..60) {
        bytes.extend(frame(&mut random));
    }
    if random.u8(..) < 64 {
        flip(&mut random, &mut bytes);
    }
    // Cut anywhere: what comes in pieces is the same as what comes at once.
    let mut rest = &bytes[..];
    while !rest.is_empty() && client.closed().is_none() {
        let (now, later) = rest.split_at(random.usize(1..=rest.len()));
        client.send_raw(now).drain();
        rest = later;
    }
    // Whatever it made of them, it still answers or has said goodbye.
    client.send(Frame::ping(*b"the end?"));
    let is_decided = |client: &mut Client| client.goaway().is_some() || client.heard().contains("PING flags 0x1");
    let decided = client.try_wait_for(LIMIT, is_decided);
    ended.fetch_add(client.goaway().is_some().into(), Ordering::SeqCst);
    // A frame that was announced and never came whole swallows the PING: then the connection just waits for more.
    let waits = client.closed().is_none() && client.goaway().is_none();
    assert!(decided.is_ok() || client.closed().is_some() || waits, "{decided:?}");
}

/// Mostly right, so that it comes far; wrong in one thing or another.
fn frame(random: &mut Rng) -> Vec<u8> {
    let stream = match random.u8(..10) {
        0 => 0,
        1 => random.u32(..),
        2 => random.u32(..16),
        _ => random.u32(..8) * 2 + 1,
    };
    let frame = match random.u8(..12) {
        0..=2 => Frame::headers(stream, fields(random)),
        3..=4 => Frame::data(stream, vec![random.u8(..); random.usize(..300)]),
        5 => Frame::window_update(stream, random.u32(..) >> random.u8(..32)),
        6 => Frame::reset(stream, random.u32(..20)),
        7 => Frame::settings(&[(random.u16(..10), random.u32(..) >> random.u8(..32))]),
        8 => Frame::priority(stream, random.u32(..16), random.u8(..)),
        9 => Frame::continuation(stream, fields(random)),
        10 => Frame::goaway(stream, random.u32(..20)),
        _ => Frame::new(random.u8(..16), random.u8(..), stream, vec![random.u8(..); random.usize(..20)]),
    };
    let frame = match random.u8(..8) {
        0 => frame.padded(random.u8(..)),
        1 => frame.without(flag::END_HEADERS),
        2..=4 => frame.with(flag::END_STREAM),
        5 => frame.with(random.u8(..)),
        _ => frame,
    };
    match random.u8(..100) {
        0 => frame.bytes_claiming(random.usize(..70_000)),
        _ => frame.bytes(),
    }
}

fn fields(random: &mut Rng) -> Vec<u8> {
    let fields = if random.bool() { get_fields("/") } else { post_fields("/big") };
    let block = Block::new().raw(block(fields));
    let name: String = (0..random.usize(..6)).map(|_| random.char('\u{0}'..'\u{ff}')).collect();
    let value: String = (0..random.usize(..20)).map(|_| random.char('\u{0}'..'\u{ff}')).collect();
    let block = match random.u8(..8) {
        0 => block.literal(Indexing::Incremental, name, value),
        1 => block.huffman(Indexing::Incremental, name, value),
        2 => block.indexed(random.usize(..80)),
        3 => block.field("content-length", random.u32(..400).to_string()),
        4 => block.raw([random.u8(..), random.u8(..)]),
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
