//! Who a replica is among the others of its service, as whoever makes it knows.

use std::sync::Arc;

use crate::speech::Speech;

/// What distinguishes a replica from the others of its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// What people call it (`project-service-1`).
    pub name: String,
    /// Its number among the replicas; a replica that is replaced by another passes it on.
    pub number: u32,
    /// How many times the share of a replica of weight 1 it gets; at least 1.
    pub weight: u32,
    /// What a client's cookie says to come back to it; empty where there are no such cookies.
    pub token: String,
    /// How it is spoken to.
    pub speech: Arc<Speech>,
}

impl Card {
    /// A replica like all others.
    pub fn new(name: impl Into<String>, number: u32) -> Self {
        Self { name: name.into(), number, weight: 1, token: String::new(), speech: Arc::default() }
    }
}
