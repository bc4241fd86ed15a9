//! How the change's way stands with the engine: for people, never for a decision on a request.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::moment::Moment;

/// How the change's way stands with the engine.
#[derive(Debug, Default)]
pub struct EngineState {
    /// There is one to be asked.
    wanted: AtomicBool,
    connected: AtomicBool,
    /// The first list was read.
    listed: AtomicBool,
    /// When that changed last, and when the engine last said anything.
    changed_at: AtomicU64,
    heard_at: AtomicU64,
    /// How often it was lost.
    losses: AtomicU64,
}

impl EngineState {
    /// There is an engine to follow.
    pub fn set_wanted(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Whether there is an engine to follow: with replicas at fixed addresses there is none.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// The engine is there, or lost.
    pub fn set_connected(&self, connected: bool, now: Moment) {
        if self.connected.swap(connected, Ordering::Relaxed) != connected {
            self.changed_at.store(now.as_nanos(), Ordering::Relaxed);
            if !connected {
                self.losses.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Whether its events are heard.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Since when.
    pub fn since(&self) -> Moment {
        Moment::from_nanos(self.changed_at.load(Ordering::Relaxed))
    }

    /// How often it was lost.
    pub fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    /// The first list was read: what is published is what there is.
    pub fn set_listed(&self) {
        self.listed.store(true, Ordering::Relaxed);
    }

    /// Whether a list was ever read.
    pub fn is_listed(&self) -> bool {
        self.listed.load(Ordering::Relaxed)
    }

    /// It said something.
    pub fn note_heard(&self, now: Moment) {
        self.heard_at.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// When it last said anything.
    pub fn heard_at(&self) -> Moment {
        Moment::from_nanos(self.heard_at.load(Ordering::Relaxed))
    }
}
