//! The request's way, seen from both ends: a raw client before it and scripted replicas behind it.
//!
//! One file per topic. Everything that reaches a replica is also judged for being canonical.

mod access_log;
mod affinity;
mod bodies;
mod broken;
mod cancel;
mod doors;
mod drain;
mod fields;
mod forwarded;
mod hold;
mod interim;
mod keep_alive;
mod limits;
mod load;
mod replicas;
mod resting;
mod retry;
mod routes;
mod stop;
mod streaming;
#[path = "../support/mod.rs"]
mod support;
mod trailers;
mod upgrade;
