//! Nothing lost, in seconds and without Docker: a steady load through divisi while everything behind it changes. The engine
//! is a fake, divisi and the replicas are the real program. The same with a real engine, at its pace, is in `lossless`.

#[path = "../support/caller.rs"]
mod caller;
mod engine;
mod faults;
mod hold;
mod kill;
mod recreate;
mod scale;
mod stage;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/verdict.rs"]
mod verdict;
