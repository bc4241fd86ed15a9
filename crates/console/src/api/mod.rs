//! What the console answers, as JSON: the server writes these types, and the commands read them.
//!
//! | module | answers |
//! |---|---|
//! | [`snapshot`] | `/api/snapshot`: what there is |
//! | [`request`] | `/api/explain?url=`: where a request would go |
//! | [`connection`] | `/api/explain?url=tcp://`: where a connection of TCP would go |
//! | [`container`] | `/api/explain?container=`: what became of a container |
//!
//! `openapi.json` describes them, and a test holds the two against each other.

pub mod connection;
pub mod container;
pub mod request;
pub mod snapshot;

use serde::{Deserialize, Serialize};

/// Why something is not as somebody may want it, and what to write to change that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// Why.
    pub why: String,
    /// What to write; empty where nothing need be written.
    pub write: String,
}

/// The answer to a question that cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong, and what to do about it: one line.
    pub problem: String,
}

/// An answer to `/api/explain`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Explanation {
    /// Where a request would go.
    Request(Box<request::Request>),
    /// Where a connection of TCP would go.
    Connection(Box<connection::Connection>),
    /// What became of a container.
    Container(Box<container::Container>),
}

/// How the console is: `/health/live` and `/health/ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// One word.
    pub status: String,
    /// Why it is not ready; None where it is.
    pub reason: Option<String>,
}
