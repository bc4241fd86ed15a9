//! HTTP/2 by hand: frames as the test writes them, header blocks as it composes them, answers read strictly.
//!
//! | module | job |
//! |---|---|
//! | [`client`] | a connection: what was said by this side, what came back, and what must come back |
//! | [`frame`] | frames: nine bytes and a payload, right or wrong; types, flags, error codes, settings |
//! | [`hpack`] | header blocks: an encoder that can be told to be odd, a decoder that forgives nothing |
//! | [`response`] | an answer, frame by frame |
//!
//! It shares nothing with the engine under test on purpose: a mistake made twice is a mistake nobody sees.

pub mod client;
pub mod frame;
pub mod hpack;
mod huffman;
pub mod response;
