//! Asks replicas whether they are well, and takes them out or back accordingly. Knows nothing of Docker: whoever is in the
//! snapshot is looked after, whether there is an engine or not.
//!
//! ```text
//! requests' failures ─► Alarm ─┐
//!                              ├─► ward ── visit ──► ask ── answer ──► ward ─► the replica's health
//! changes ─► Published ────────┘
//! ```
//!
//! | module | job |
//! |---|---|
//! | `ward` | who is looked after, who is asked when, and what follows from the answers: pure |
//! | `patient` | the course of one replica |
//! | `pace` | how often somebody is asked |
//! | `visit` | one question and its answer |
//! | `ask` | puts the question over a socket |
//! | `news` | what the log says about it |
//!
//! Three kinds of replica are looked after: those that were taken out because requests failed at them, those that accept no
//! connections, and all of a service whose user wants checks.

mod ask;
mod news;
mod pace;
mod patient;
mod visit;
mod ward;

use std::sync::Arc;

use divisi_model::{Moment, Published};
use divisi_tls::Vault;
use tokio::task::JoinSet;
use tokio::time::sleep;

pub use pace::Pace;
pub use visit::{Answer, Inquiry, Visit};
pub use ward::Ward;

/// Looks after the replicas in `published`, for ever; those inside TLS are asked as `vault` says. Wants a tokio runtime of one thread, with I/O and time enabled; it may be
/// shared.
pub async fn run(published: Arc<Published>, vault: Arc<Vault>) {
    let mut ward = Ward::new(Pace::default(), fastrand::u64(..));
    let mut visits = JoinSet::new();
    ward.look(&published.load(), Moment::now());
    loop {
        while let Some(visit) = ward.next(Moment::now()) {
            let vault = Arc::clone(&vault);
            visits.spawn(async move {
                let answer = ask::ask(&visit, &vault).await;
                (visit, answer)
            });
        }
        let pause = ward.due().map(|due| due.since(Moment::now()));
        tokio::select! {
            () = published.alarm().heard() => {
                // The list says less than the snapshot, which also has those who came back from a pause or a drain.
                drop(published.alarm().take());
                ward.look(&published.load(), Moment::now());
            }
            Some(Ok((visit, answer))) = visits.join_next() => ward.answered(&visit, answer, Moment::now()),
            () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
        }
    }
}
