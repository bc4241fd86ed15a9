//! What there is: the answer to `/api/snapshot`.

use serde::{Deserialize, Serialize};

use super::Advice;

/// What there is, as it was at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Of the divisi that answers.
    pub version: String,
    /// How long ago this world was made: the last time at which anything changed.
    pub age_seconds: f64,
    /// How it stands with the Docker Engine.
    pub engine: Engine,
    /// Where requests go for which there is no route.
    pub fallback: Fallback,
    /// By project and name.
    pub services: Vec<Service>,
    /// In the order in which they are looked at.
    pub routes: Vec<Route>,
    /// The ports that labels ask for, for TCP, by number.
    pub ports: Vec<Port>,
    /// Who wants the same requests, or connections, as another.
    pub conflicts: Vec<Conflict>,
    /// Containers that get no requests, and why.
    pub unrouted: Vec<Unrouted>,
    /// Labels and variables that cannot be read, and why.
    pub mistakes: Vec<Mistake>,
    /// Every name that has a certificate, waits for one, or has none because of a problem; in order.
    pub certificates: Vec<Certificate>,
}

/// How it stands with the Docker Engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Engine {
    /// There is one to be asked; with replicas at fixed addresses there is none.
    pub wanted: bool,
    /// Its events are heard.
    pub connected: bool,
    /// The first list of containers was read.
    pub listed: bool,
    /// For how long it has been connected, or not.
    pub since_seconds: f64,
    /// How often it was lost.
    pub losses: u64,
}

/// Where requests go for which there is no route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// To this service; None for nowhere.
    pub service: Option<String>,
    /// Why nowhere.
    pub reason: Option<String>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its Compose project; empty where there is none.
    pub project: String,
    /// Its name in the project.
    pub name: String,
    /// How a replica is picked.
    pub policy: String,
    /// `serving`; `holding`: no replica can take requests, and they wait; `refusing`: nor may they wait; `forgotten`: nor is any
    /// replica expected.
    pub state: String,
    /// Requests that wait for a replica.
    pub waiting: u64,
    /// Replicas, ready or not.
    pub known: u64,
    /// Attempts beyond the first, ever.
    pub retries: u64,
    /// Requests that waited, ever.
    pub held: u64,
    /// How long all together.
    pub held_seconds: f64,
    /// How often a replica was taken out, ever.
    pub ejections: u64,
    /// Requests that divisi answered itself, because no replica did.
    pub own_answers: Requests,
    /// By number.
    pub replicas: Vec<Replica>,
}

/// A container of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    /// What people call it.
    pub name: String,
    /// Its number among the replicas.
    pub number: u32,
    /// Where it listens.
    pub address: String,
    /// How it is spoken to: `http`, `https`, `h2c`, `h2`.
    pub scheme: String,
    /// Whether it may get requests, as the engine says: `starting`, `ready`, `unhealthy`, `paused`, `draining`, `gone`.
    pub readiness: String,
    /// Whether it does its work, as its answers say: `up`, `down`, `ejected`.
    pub health: String,
    /// Both in one word.
    pub state: String,
    /// For how long.
    pub since_seconds: f64,
    /// What became of its requests.
    pub requests: Requests,
    /// Requests at it now.
    pub in_flight: u64,
    /// How long it took to answer of late; None before its first answer.
    pub latency_seconds: Option<f64>,
    /// Why it gets no requests; None where it does.
    pub obstacle: Option<Advice>,
}

/// Requests by what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// The client got no answer.
    pub none: u64,
    /// A switch to another protocol.
    #[serde(rename = "1xx")]
    pub informational: u64,
    /// Done.
    #[serde(rename = "2xx")]
    pub successful: u64,
    /// Elsewhere.
    #[serde(rename = "3xx")]
    pub redirected: u64,
    /// The client's fault.
    #[serde(rename = "4xx")]
    pub refused: u64,
    /// The server's fault.
    #[serde(rename = "5xx")]
    pub failed: u64,
}

impl Requests {
    /// From counts by the first digit of the status.
    pub fn of(counts: [u64; 6]) -> Self {
        let [none, informational, successful, redirected, refused, failed] = counts;
        Self { none, informational, successful, redirected, refused, failed }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.none + self.informational + self.successful + self.redirected + self.refused + self.failed
    }
}

/// A rule, and the service that gets the requests for which it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its name among those of its container.
    pub name: String,
    /// For which requests it is.
    pub rule: String,
    /// The higher one is looked at first.
    pub priority: i64,
    /// Who gets them.
    pub service: String,
    /// The container that asks for it.
    pub container: String,
    /// In this label; in parentheses what leads to it where no label does.
    pub label: String,
    /// Why it serves nobody; None where it serves.
    pub closed: Option<String>,
    /// Whether its requests come inside TLS: `any`, `secure` (only so), `plain` (only without).
    pub door: String,
    /// The status with which a GET that came without TLS is sent into it; None where it is served.
    pub redirect: Option<Redirect>,
    /// The `Strict-Transport-Security` of its responses inside TLS.
    pub hsts: Option<String>,
    /// The file of the authorities of which a client must show a certificate.
    pub client_authority: Option<String>,
}

/// How requests that came without TLS are sent into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// The status for a GET.
    pub status: u16,
    /// Only where a certificate of a file or by ACME is at hand for the host.
    pub needs_certificate: bool,
}

/// A port that labels ask for, for TCP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its number.
    pub port: u16,
    /// `open`; `shared`: HTTP is served there, too, and the first bytes decide; `closed`: it has not been opened yet; `failed`.
    pub state: String,
    /// Why it cannot be opened, and what to do; None where it can.
    pub why: Option<String>,
    /// In the order in which they are looked at, those inside TLS first.
    pub routes: Vec<PortRoute>,
}

/// Which connections at a port, and the service that gets them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRoute {
    /// Its name among those of its container.
    pub name: String,
    /// Which connections; `HostSNI` is the name that the client asks for inside TLS.
    pub rule: String,
    /// Where TLS ends: `none` (there is none), `passthrough` (in the container), `terminate` (in divisi).
    pub tls: String,
    /// The higher one is looked at first.
    pub priority: i64,
    /// Who gets them.
    pub service: String,
    /// The container that asks for it.
    pub container: String,
    /// In this label.
    pub label: String,
    /// Why it serves nobody; None where it serves.
    pub closed: Option<String>,
}

/// Two services want the same requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Which requests.
    pub rule: String,
    /// Who gets them.
    pub winner: Claim,
    /// Who does not.
    pub loser: Claim,
}

/// One of two that want the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The service.
    pub service: String,
    /// The container that asks for it.
    pub container: String,
    /// In this label.
    pub label: String,
}

/// A container that gets no requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unrouted {
    /// What people call it.
    pub container: String,
    /// The service that it would belong to; empty where there is none.
    pub service: String,
    /// Why it gets none, and what to write.
    pub advice: Advice,
}

/// A label or variable that cannot be read. Its value is left out: some are secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// What people call the container.
    pub container: String,
    /// As it was written.
    pub label: String,
    /// Why, and what would have been accepted.
    pub why: String,
    /// The label that was meant, perhaps.
    pub meant: Option<String>,
}

/// How a name stands inside TLS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// A name; `*.name` and `**.name` for those below; `default` for all others.
    pub name: String,
    /// Where its certificate comes from: `file`, `local`, `acme`; None where there is none.
    pub source: Option<String>,
    /// The same in words.
    pub place: Option<String>,
    /// Who signed it.
    pub issuer: Option<String>,
    /// The names that stand in it.
    pub names: Vec<String>,
    /// Until when it is valid, in seconds since 1970.
    pub not_after: Option<u64>,
    /// For how long that is; less than 0 where it is over.
    pub valid_seconds: Option<f64>,
    /// Whether the first certificate is on its way.
    pub is_coming: bool,
    /// The file with the authorities one of which must have signed a client's certificate.
    pub client_authority: Option<String>,
    /// What keeps it from its certificate, or from a newer one.
    pub problem: Option<String>,
}
