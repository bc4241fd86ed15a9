//! What became of a container: the answer to `/api/explain?container=`.

use serde::{Deserialize, Serialize};

use super::Advice;
use super::snapshot::Replica;

/// What became of a container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// The engine's name of it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its Compose project; empty where there is none.
    pub project: String,
    /// Its Compose service; empty where there is none.
    pub service: String,
    /// Its number among the replicas; 0 where it has none.
    pub number: u32,
    /// What it is doing.
    pub state: String,
    /// Why it is routed nowhere; None where it is.
    pub unrouted: Option<Advice>,
    /// The services of which it is a replica.
    pub places: Vec<Place>,
    /// Its routes.
    pub routes: Vec<ContainerRoute>,
    /// Its labels and variables.
    pub labels: Vec<Label>,
}

/// A container as a replica of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The service.
    pub service: String,
    /// Its port, and why that one.
    pub port: Option<Choice>,
    /// Its network, and why that one.
    pub network: Option<Choice>,
    /// Where it is reached.
    pub address: Option<String>,
    /// How it does.
    pub replica: Option<Replica>,
    /// Why it gets no requests; None where it does.
    pub obstacle: Option<Advice>,
}

/// What was chosen, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What was chosen.
    pub choice: String,
    /// Why.
    pub why: String,
}

/// A route that a container asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerRoute {
    /// Its name among those of its container.
    pub name: String,
    /// As its author wrote it.
    pub rule: String,
    /// The label that says it.
    pub label: String,
    /// The service that it leads to.
    pub service: String,
    /// Why it serves nobody; None where it serves.
    pub closed: Option<String>,
    /// Whether it counts: of several containers of a service the newest says which routes there are.
    pub used: bool,
    /// The route of another service that gets its requests.
    pub conflict: Option<String>,
}

/// What became of a label, or of a variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Whose language it is: `native`, `traefik`, `nginx-proxy`.
    pub dialect: String,
    /// As it was written.
    pub label: String,
    /// As it was written; `***` of a label that lets people in.
    pub value: String,
    /// `used`, `approximated`, `ignored` or `wrong`.
    pub outcome: String,
    /// Why it is not used as it stands; empty where it is.
    pub why: String,
    /// The label that was meant, perhaps.
    pub meant: Option<String>,
}
