//! Nothing lost: a steady load through divisi, while everything behind it changes, with a real Docker engine.
//!
//! Each scenario prints what it counted. They take minutes and want the machine for themselves, so they run only when asked:
//! `cargo test -p divisi --test lossless -- --ignored --nocapture`. The same in seconds and without Docker is in `scenarios`.

#[path = "../support/caller.rs"]
mod caller;
mod daemon;
#[path = "../support/engine.rs"]
mod engine;
mod faults;
mod hold;
mod kill;
#[path = "../support/project.rs"]
mod project;
mod recreate;
mod scale;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/verdict.rs"]
mod verdict;

use std::sync::{Mutex, MutexGuard, PoisonError};

use divisi_testkit::load::Load;

use crate::caller::Caller;
use crate::project::Project;

/// Scenarios run one after the other: they measure waits.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // What an earlier one left is swept with its project.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A steady load on the project, begun when so many replicas answer.
fn load(project: &Project<'_>, replicas: usize) -> Load {
    let addr = project.inner_addr();
    Caller::to(addr).wait_for_replicas(replicas);
    Load::start(addr)
}
