//! Where a request would go: the answer to `/api/explain?url=`.

use serde::{Deserialize, Serialize};

use super::Advice;
use super::snapshot::Route;

/// Where a request would go, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What was asked, in the form in which it is looked for.
    pub question: Question,
    /// What becomes of each route, in the order in which they stand.
    pub steps: Vec<Step>,
    /// What becomes of the request.
    pub outcome: Outcome,
    /// In one line.
    pub answer: String,
    /// The route that it takes; None where it takes none.
    pub route: Option<Route>,
    /// The service that gets it; None where none does.
    pub service: Option<String>,
    /// What the replica is asked for.
    pub sent: Option<Sent>,
    /// Who of the service could take it now.
    pub candidates: Vec<Candidate>,
    /// What may have been meant, or what would help.
    pub hints: Vec<String>,
}

/// What was asked, in the form in which it is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// In upper case.
    pub method: String,
    /// In lower case, without its port.
    pub host: String,
    /// In canonical form: without escapes that mean nothing.
    pub path: String,
    /// Without its `?`; empty where there is none.
    pub query: String,
    /// The names of the headers; some of their values are secrets.
    pub headers: Vec<String>,
    /// Who asks.
    pub client: String,
    /// Whether it comes inside TLS.
    pub tls: bool,
}

/// What became of one route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The route.
    pub route: Route,
    /// What became of it.
    pub fate: Fate,
    /// The first part of its rule that does not hold; None where all do.
    pub unmet: Option<String>,
    /// What the request has instead, or which door the route has; empty where there is nothing to say.
    pub found: String,
}

/// What became of one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// The request goes there.
    Taken,
    /// Its rule holds, too, but another one stands before it.
    Outranked,
    /// The same rule and service as the one that is taken: another replica's.
    Same,
    /// Its rule holds, but it is only for requests inside TLS, or only for those without, as [`Step::found`] says.
    Door,
    /// The same, and the request is sent into TLS because of it.
    Sent,
    /// Its rule does not hold.
    Unmet,
}

/// What becomes of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A replica gets it.
    Served,
    /// It waits for a replica.
    Held,
    /// It came without TLS and is sent into it.
    Redirected,
    /// It is answered with 503: the route serves nobody, or no replica is to be waited for.
    Refused,
    /// It belongs nowhere: 404, or 503 where nothing is known of where requests belong.
    Nowhere,
}

/// What the replica is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Path and query.
    pub target: String,
    /// Whether it sees its own address as the host, and not what the client asked for.
    pub hides_host: bool,
}

/// A replica of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// What people call it.
    pub replica: String,
    /// Where it listens.
    pub address: String,
    /// Its state in one word.
    pub state: String,
    /// Whether it could take the request now.
    pub pickable: bool,
    /// Why not; None where it could.
    pub obstacle: Option<Advice>,
}
