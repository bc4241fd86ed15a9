//! What discovery is told at start.

use std::time::Duration;

use divisi_labels::{Reader, StickyKey};
use divisi_model::Spec;

use crate::address::EngineAddress;
use crate::own::Clues;

/// Everything discovery is told at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The service that gets the requests for which there is no route; without one, and without any route that somebody has
    /// asked for, the only other service with a port in our own project.
    pub service: Option<String>,
    /// The Compose project it belongs to, all of whose services are served; without one, our own.
    pub project: Option<String>,
    /// What is wanted of services where their labels do not say.
    pub spec: Spec,
    /// In which languages containers say what they want.
    pub reader: Reader,
    /// Middlewares that are left out even where they guard a route.
    pub passed_over: Vec<String>,
    /// Whether `<service>.localhost` leads to each service of the project.
    pub local_hosts: bool,
    /// Signs the cookies that bring clients back to their replica; by default a key that nobody knows.
    pub sticky: StickyKey,
    /// Where the Docker engine is.
    pub engine: EngineAddress,
    /// Where to look for our own container.
    pub clues: Clues,
    /// Intervals and bounds.
    pub tuning: Tuning,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            service: None,
            project: None,
            spec: Spec::default(),
            reader: Reader::default(),
            passed_over: Vec::new(),
            local_hosts: true,
            sticky: StickyKey::default(),
            engine: EngineAddress::default(),
            clues: Clues::default(),
            tuning: Tuning::default(),
        }
    }
}

/// Intervals and bounds. [`Tuning::default`] is what an untouched divisi uses.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// How often everything is listed again, should an event have been lost.
    pub reconcile: Duration,
    /// Shortest time between two lists, whatever was lost; doubles while lists fail.
    pub list_pause: Duration,
    /// How long the engine may take to answer any one call.
    pub answer_timeout: Duration,
    /// First pause before the engine is tried again; doubles from there.
    pub backoff_first: Duration,
    /// Longest pause before the engine is tried again. An attempt costs next to nothing, and what changed meanwhile is not
    /// seen before it.
    pub backoff_most: Duration,
    /// How long after its own stop timeout a container that still runs counts as not stopped after all.
    pub stop_margin: Duration,
    /// How long a container may be away before its number is not expected back. Until then clients keep the cookie that
    /// names it and are served by others; after that they are given another. As long as a restart takes, and no longer:
    /// with a number that will not return they go from one replica to the next.
    pub absence: Duration,
    /// How long a service may have no container at all before it is not waited for any more. Its requests then get a 503 at
    /// once, until it has one again. Longer than a redeployment takes.
    pub forget: Duration,
    /// How often ready replicas are asked whether they still accept, while there is no engine to tell of their end.
    pub recheck: Duration,
    /// How many events may wait to be applied; with more, everything is listed again.
    pub event_queue: usize,
    /// How often a starting replica is asked whether it accepts connections.
    pub probe: ProbePace,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            reconcile: Duration::from_secs(30),
            list_pause: Duration::from_secs(1),
            answer_timeout: Duration::from_secs(10),
            backoff_first: Duration::from_millis(100),
            backoff_most: Duration::from_millis(250),
            stop_margin: Duration::from_secs(5),
            absence: Duration::from_secs(60),
            forget: Duration::from_secs(300),
            recheck: Duration::from_secs(1),
            event_queue: 4096,
            probe: ProbePace::default(),
        }
    }
}

/// How often a starting replica is asked whether it accepts connections.
#[derive(Clone, Debug)]
pub struct ProbePace {
    /// Pause after the first refusal; grows by half from one to the next.
    pub first: Duration,
    /// Longest pause while the replica is young.
    pub most: Duration,
    /// From this age on it is no longer young.
    pub young: Duration,
    /// Longest pause of all.
    pub most_when_old: Duration,
    /// How long one connection may take to be accepted.
    pub timeout: Duration,
    /// Most connections being made at a time.
    pub at_once: usize,
    /// Most probes per second over all replicas; with many starting, pauses stretch.
    pub per_second: u32,
}

impl Default for ProbePace {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(2),
            most: Duration::from_millis(40),
            young: Duration::from_secs(60),
            most_when_old: Duration::from_millis(500),
            timeout: Duration::from_secs(1),
            at_once: 256,
            per_second: 2000,
        }
    }
}
