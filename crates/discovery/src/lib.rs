//! Engine events → replica table → next snapshot. The only room that knows Docker.
//!
//! ```text
//! engine ──► link ── events ──► table ── commit ──► Published
//!   ▲                            ▲ │ jobs
//!   └────── watch: list, inspect ┘ └─► watch: probe
//! ```
//!
//! | module | job |
//! |---|---|
//! | `address` | `DOCKER_HOST` and companions → where the engine is |
//! | `settings` | what discovery is told at start |
//! | `engine` | the API calls; nothing else makes any |
//! | `wire`, `tls` | HTTP to the engine, with bounds |
//! | `answer`, `stamp` | the engine's JSON and its times, as far as they are read |
//! | `container`, `event` | the engine's answers and messages → our own types |
//! | `compose`, `network`, `port`, `signal` | what single parts of them mean |
//! | `own` | who are we among the containers |
//! | `choice` | which service gets the requests, or why none does |
//! | `entry`, `timeline`, `table` | what is known of each container, and what follows from it: pure |
//! | `news` | what the log says about it |
//! | `probe` | whether a starting replica accepts connections |
//! | `link` | finds the engine and follows its events |
//! | `report` | what is known of each container, for people |
//! | `watch` | the loop that feeds the table and publishes what comes out |

mod address;
mod answer;
mod choice;
mod compose;
mod container;
mod engine;
mod entry;
mod event;
mod hash;
mod link;
mod network;
mod news;
mod own;
mod port;
mod probe;
mod report;
mod settings;
mod signal;
#[cfg(test)]
mod simulation;
mod stamp;
mod table;
mod timeline;
mod tls;
mod watch;
mod wire;

use std::sync::Arc;

use divisi_model::Published;

pub use address::{EngineAddress, EngineAddressError};
pub use network::is_called as is_network_called;
pub use own::Clues;
pub use report::{Advice, Inquirer, Inquiries, Place, Reason, RouteSighting, Sighting, inquiry};
pub use settings::{ProbePace, Settings, Tuning};

/// Follows the engine and publishes a snapshot per change, for ever. Nothing that the engine does ends it: without the
/// engine the last snapshot stays. Wants a tokio runtime of one thread to itself, with I/O and time enabled.
pub async fn run(settings: Settings, published: Arc<Published>, inquiries: Inquiries) {
    watch::Watch::new(settings, published, inquiries).run().await;
}
