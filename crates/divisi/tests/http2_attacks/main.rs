//! HTTP/2 turned against us: what costs a client little and a server much (RFC 9113 10.5), tried on the program as it is run.
//!
//! Each attack is bounded by frames or seconds. Meanwhile ordinary clients ask, and every one of them must be served; the
//! memory of the process is read from `/proc` before and during. What was measured is printed:
//! `cargo test -p divisi --test http2_attacks -- --nocapture --test-threads 1`.
//!
//! | module | attacks |
//! |---|---|
//! | [`floods`] | very many frames, each of which is allowed |
//! | [`bombs`] | few bytes that become many |
//! | [`stalls`] | connections and streams that do not go on |
//! | [`stage`] | the program, those who ask meanwhile, and the measuring |

mod bombs;
mod floods;
mod stage;
mod stalls;
#[path = "../support/mod.rs"]
mod support;
