//! The whole of it, with a real Docker engine: images from nothing, Compose projects, and clients outside.
//!
//! Every test has a project of its own and takes it down again. Without an engine they say so and pass; where `CI=true`
//! that is a failure.

#[path = "../support/caller.rs"]
mod caller;
mod console;
#[path = "../support/engine.rs"]
mod engine;
#[path = "../support/project.rs"]
mod project;
mod readiness;
mod routing;
mod scaling;
mod serving;
mod tls;
mod tls_client;
