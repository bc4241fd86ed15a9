//! Where a connection of TCP would go: the answer to `/api/explain?url=tcp://`.

use serde::{Deserialize, Serialize};

use super::request::{Candidate, Fate, Outcome};
use super::snapshot::PortRoute;

/// Where a connection would go, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// What was asked, in the form in which it is looked for.
    pub question: Question,
    /// What becomes of each route of the port, in the order in which they stand.
    pub steps: Vec<Step>,
    /// What becomes of the connection.
    pub outcome: Outcome,
    /// In one line.
    pub answer: String,
    /// The route that it takes; None where it takes none.
    pub route: Option<PortRoute>,
    /// The service that gets it; None where none does.
    pub service: Option<String>,
    /// Who of the service could take it now.
    pub candidates: Vec<Candidate>,
    /// What may have been meant, or what else decides.
    pub hints: Vec<String>,
}

/// What was asked, in the form in which it is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The port of divisi to which it comes.
    pub port: u16,
    /// The name that it asks for inside TLS, in lower case; empty where it asks for none.
    pub server_name: String,
    /// Who connects.
    pub client: String,
    /// Whether it begins with TLS.
    pub tls: bool,
}

/// What became of one route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The route.
    pub route: PortRoute,
    /// What became of it.
    pub fate: Fate,
    /// The first part of its rule that does not hold; None where all do.
    pub unmet: Option<String>,
    /// What the connection has instead, or whether the route is for TLS; empty where there is nothing to say.
    pub found: String,
}
