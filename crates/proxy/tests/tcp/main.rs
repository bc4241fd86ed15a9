//! TCP at the ports that labels open, seen from both ends: a raw client before it and scripted servers behind it.
//!
//! One file per topic; `stage` builds what all of them stand on.

mod carry;
mod header;
mod hold;
mod log;
mod ports;
mod seal;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod tls;
