//! TCP from a label to a database: the real program, real PostgreSQL and Redis, and their own clients. The engine is a fake one,
//! whose containers are those processes.
//!
//! Where PostgreSQL or Redis is not installed these say `skipped: …`; with `CI=true` that is a failure.

#[path = "../support/mod.rs"]
mod support;

mod postgres;
mod redis;
mod server;
mod stage;
