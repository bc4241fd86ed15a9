//! What is known of each container, for people: `ps`, `explain` and the console ask for it.
//!
//! The request's way needs none of this, so it is not in the snapshot: it is put together when somebody asks.

use std::net::SocketAddr;
use std::sync::Arc;

use divisi_labels::Verdict;
use divisi_model::{Name, Replica};
use tokio::sync::{mpsc, oneshot};

/// A container as the engine tells of it, and what follows from it.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The engine's name of it: 64 hexadecimal digits.
    pub id: Arc<str>,
    /// What people call it.
    pub name: String,
    /// Its Compose project; empty where there is none.
    pub project: String,
    /// Its Compose service; empty where there is none.
    pub service: String,
    /// Its number among the replicas, from 1; 0 where it has none.
    pub number: u32,
    /// When it was made, in seconds of Unix time; 0 where nobody says.
    pub created: i64,
    /// What it is doing, in one word: `running`, `healthy`, `starting`, `unhealthy`, `paused`, `stopping`.
    pub state: &'static str,
    /// The services of which it is a replica, in order.
    pub places: Vec<Place>,
    /// Why it is routed nowhere; None where it is.
    pub unrouted: Option<Advice>,
    /// What became of each of its labels and variables.
    pub verdicts: Vec<Verdict>,
    /// Its routes as text, each with what became of it.
    pub routes: Vec<RouteSighting>,
}

/// A container as a replica of one service.
#[derive(Clone, Debug)]
pub struct Place {
    /// The service.
    pub service: Name,
    /// Its port, and why that one.
    pub port: Option<Reason<u16>>,
    /// Its network, and why that one.
    pub network: Option<Reason<String>>,
    /// Where it is reached.
    pub addr: Option<SocketAddr>,
    /// What the request's way knows of it.
    pub replica: Option<Arc<Replica>>,
    /// Why it gets no requests, where the container itself is in the way; None where it might.
    pub obstacle: Option<Advice>,
}

/// A choice, and why it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason<T> {
    /// What was chosen.
    pub choice: T,
    /// Why.
    pub why: String,
}

/// Why something is not as somebody may want it, and what to write to change that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Why.
    pub why: String,
    /// What to write; empty where nothing need be written.
    pub write: String,
}

/// A route that a container asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSighting {
    /// Its name among those of its container.
    pub name: String,
    /// As its author wrote it.
    pub text: String,
    /// The label that says it.
    pub label: String,
    /// The service that it leads to.
    pub service: Name,
    /// Why it serves nobody; None where it serves.
    pub closed: Option<String>,
    /// Whether it is in the table: of several containers of a service the newest says which routes there are.
    pub is_used: bool,
    /// The route of another service that gets its requests.
    pub conflict: Option<String>,
}

/// Asks the change's way what it knows. May be cloned, and asked from any thread.
#[derive(Clone, Debug)]
pub struct Inquirer(mpsc::Sender<oneshot::Sender<Vec<Sighting>>>);

/// The other end of an [`Inquirer`].
#[derive(Debug)]
pub struct Inquiries(mpsc::Receiver<oneshot::Sender<Vec<Sighting>>>);

/// Two ends: one asks, the other is for [`run`](crate::run).
pub fn inquiry() -> (Inquirer, Inquiries) {
    // Whoever comes while so many wait, waits for a place.
    let (asker, asked) = mpsc::channel(8);
    (Inquirer(asker), Inquiries(asked))
}

impl Inquirer {
    /// Every container that discovery has looked at, sorted by project, service and number; none where there is no discovery.
    pub async fn sightings(&self) -> Vec<Sighting> {
        let (tell, told) = oneshot::channel();
        if self.0.send(tell).await.is_err() {
            return Vec::new();
        }
        told.await.unwrap_or_default()
    }
}

impl Inquiries {
    /// Somebody who asks.
    pub async fn next(&mut self) -> Option<oneshot::Sender<Vec<Sighting>>> {
        self.0.recv().await
    }
}
