//! ACME against a real authority: Pebble, the test authority of Let's Encrypt, and against stubs where it lacks something.

#![allow(
    clippy::unwrap_used,
    reason = "what is around a test is part of it; the rule knows only of functions that are tests"
)]

mod ari;
mod ask;
mod authority;
mod dns;
mod faults;
mod keeping;
mod server;
mod several;
mod stage;
mod ways;
