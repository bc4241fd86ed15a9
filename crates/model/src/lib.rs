//! What both ways through the house know, and the only thing they share.
//!
//! The change's way builds a [`Snapshot`] and publishes it in a [`Published`]; the request's way loads it once per
//! request. Nothing in a published snapshot changes but the atomics inside a [`Replica`].
//!
//! ```text
//! Snapshot ── route ──► Service ── pick ──► Lease ──► Replica
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`snapshot`] | one immutable world, and the cell in which it is swapped |
//! | [`service`] | a Compose service: its ready replicas and how to pick among them |
//! | [`replica`] | a container of a service, and the lease that counts a request in flight |
//! | [`policy`] | how to pick, one algorithm per file |
//!
//! No runtime, no sockets: plain values, tested without either.

pub mod policy;
pub mod replica;
pub mod service;
pub mod snapshot;

pub use policy::Policy;
pub use replica::{Lease, Readiness, Replica, ReplicaId};
pub use service::{NoReplica, Service, Tried};
pub use snapshot::{Published, Snapshot, Unrouted};
