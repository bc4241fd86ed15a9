//! HTTP/2 downstream in raw frames: each paragraph of RFC 9113 and RFC 7541 that demands something of a server, with a case
//! that asks for it.
//!
//! | module | cases |
//! |---|---|
//! | [`generic`] | what a client does every day, in every spelling |
//! | [`starting`], [`frames`], [`streams`], [`definitions`], [`codes`], [`semantics`] | RFC 9113, sections 3 to 8 |
//! | [`hpack`] | RFC 7541 |
//! | [`downgrade`], [`answers`] | what a replica must and must not see of it, and what becomes of its answers |
//! | [`resting`], [`resting_random`] | clients that ask for nothing for a while |
//! | [`random`] | frames that nobody would think of |
//! | [`case`], [`stage`] | what a case is, and what it is played against |
//!
//! RFC 9113 (2022) is followed where it changed RFC 7540; a note beside the case says so. The same cases against another
//! server, which answers `/` with 200 and some twenty bytes, and `/big` with a mebibyte:
//! `HTTP2_PEER=127.0.0.1:8080 cargo test -p divisi-proxy --test http2 -- --ignored --nocapture`.

mod answers;
mod case;
mod codes;
mod definitions;
mod downgrade;
mod frames;
mod generic;
mod hpack;
mod known;
mod random;
mod resting;
mod resting_random;
mod semantics;
mod stage;
mod starting;
mod streams;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;

use case::{Case, run_all};

/// Every case that can be played against any server.
fn cases() -> Vec<&'static Case> {
    [
        generic::CASES,
        starting::CASES,
        frames::CASES,
        streams::CASES,
        definitions::CASES,
        codes::CASES,
        semantics::CASES,
        hpack::CASES,
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_case_gets_what_it_must() {
    run_all(&cases(), None);
}

#[test]
fn replicas_see_and_say_what_they_may() {
    run_all(&[downgrade::CASES, answers::CASES].into_iter().flatten().collect::<Vec<_>>(), None);
}

#[test]
fn frames_that_nobody_would_think_of_harm_nobody_else() {
    random::frames_that_nobody_would_think_of();
}

#[test]
fn every_known_difference_belongs_to_a_case() {
    for known in known::KNOWN {
        let belongs = |case: &&Case| case.says == known.says && case.paragraph == known.paragraph;
        assert!(cases().into_iter().any(|case| belongs(&case)), "no case says: {}", known.says);
    }
}

#[test]
#[ignore = "needs another server"]
fn another_peer() {
    let peer: SocketAddr = std::env::var("HTTP2_PEER").ok().and_then(|addr| addr.parse().ok()).expect("HTTP2_PEER");
    run_all(&cases(), Some(peer));
}
