//! What the tests of several rooms share.
//!
//! | module | job |
//! |---|---|
//! | [`replica`], [`conn`] | a scripted upstream: a strict recording origin that answers as the test says |
//! | [`client`] | a raw downstream: bytes as they are, responses read strictly |
//! | [`http2`] | the same in frames of HTTP/2 |
//! | [`load`] | many clients for some time, every request of theirs counted |
//! | [`engine`] | a fake Docker engine: the real protocol, containers on paper |
//! | [`pebble`] | a real ACME authority |
//! | [`strict`] | what a strict origin accepts |
//! | [`message`] | heads, looked at |
//! | [`pattern`] | large bodies, made and compared piece by piece |
//! | [`wait`] | waiting for a condition |
//!
//! Sockets here block and every connection of a replica has a thread: a script reads top to bottom.

pub mod client;
pub mod conn;
pub mod engine;
pub mod http2;
pub mod load;
pub mod message;
pub mod pattern;
pub mod pebble;
pub mod replica;
pub mod strict;
pub mod wait;
