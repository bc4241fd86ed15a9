//! What both ways through the house know, and the only thing they share.
//!
//! The change's way builds a [`Snapshot`] and publishes it in a [`Published`]; the request's way loads it once per
//! request. Nothing in a published snapshot changes but the atomics inside a [`Replica`].
//!
//! ```text
//! Snapshot ── route, or port and route ──► Slot ──► Service ── pick ──► Lease ──► Replica
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`route`] | which service a request belongs to |
//! | [`snapshot`] | one immutable world, and the cell in which it is swapped |
//! | [`service`] | a Compose service: its ready replicas and how to pick among them |
//! | [`spec`] | what users may want of a service |
//! | [`speech`] | how a replica is spoken to |
//! | [`state`] | what a service keeps from snapshot to snapshot |
//! | [`hold`] | requests that wait for a replica |
//! | `budget` | how many attempts beyond the first there may be |
//! | [`replica`], `card` | a container of a service, and the lease that counts a request in flight |
//! | `latency` | how soon a replica answers |
//! | [`alarm`] | how the request's way reports a replica that failed |
//! | `candidates`, `tried` | among whom one request may choose |
//! | [`policy`] | how to pick, one algorithm per file |
//! | [`meter`] | what became of requests, counted |
//! | [`engine`] | how the change's way stands with the engine |
//! | [`tcp`] | the ports that labels open, and which service a connection belongs to |
//! | [`moment`] | time as a number |
//! | [`sorting`] | one sort for whatever is seldom sorted |
//!
//! No runtime, no sockets: plain values, tested without either. Time comes as an argument.

pub mod alarm;
mod budget;
mod candidates;
mod card;
pub mod engine;
pub mod hold;
mod latency;
pub mod meter;
pub mod moment;
pub mod policy;
pub mod replica;
pub mod route;
pub mod service;
pub mod snapshot;
pub mod sorting;
pub mod spec;
pub mod speech;
pub mod state;
pub mod tcp;
mod tried;

pub use alarm::Alarm;
pub use budget::Retry;
pub use card::Card;
pub use engine::EngineState;
pub use hold::Place;
pub use moment::Moment;
pub use policy::Policy;
pub use replica::{Failure, Health, Lease, Readiness, Replica, ReplicaId};
pub use service::{Crowded, Entry, NoPlace, NoReplica, Service, Wanted};
pub use snapshot::{Published, Slot, Snapshot, Unrouted};
pub use spec::Spec;
pub use speech::Speech;
pub use state::{Name, State};
pub use tried::Tried;
