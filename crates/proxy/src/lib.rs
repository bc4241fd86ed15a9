//! The request's way, in the order in which a request meets it.
//!
//! ```text
//! listener ─► connection ─► exchange ─┬─ 1 snapshot  2 route  3 pick        (model, asked by `route` and `search`)
//!                                     ├─ 4 rewrite   what changes in a head, and in a path
//!                                     ├─ 5 forward   one attempt at one replica, both directions at once
//!                                     ├─ 6 tunnel    bytes after a 101
//!                                     └─ 7 record    exactly one, whatever happens: counted, and a line in `access_log`
//! ```
//!
//! Read `exchange` first. Beside the way lie: `worker` (a thread and what its connections share), `desk` (buffers,
//! borrowed while there is work), `pool` (idle connections to replicas), `lounge` (idle connections of
//! clients), `clock` (deadlines), `body` and `answer`
//! (sources and sinks, of which each HTTP has its own), `transport` (bytes, with TLS or without), `error` (whose fault, which status, whether
//! to retry).
//!
//! Nothing here knows Docker, and nothing here waits for it.

mod access_log;
mod affinity;
mod answer;
mod body;
mod clock;
mod connection;
mod desk;
mod door;
mod error;
mod exchange;
mod forward;
mod gauges;
mod handshake;
mod hello;
mod hold;
mod http1;
mod http2;
mod identity;
mod keep;
mod listener;
mod lounge;
mod pool;
mod proof;
mod proxy_protocol;
mod record;
mod rewrite;
mod route;
mod search;
mod settings;
mod tally;
mod tcp;
mod transport;
mod tunnel;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use divisi_model::Published;
use divisi_tls::Vault;
use thiserror::Error;

pub use crate::access_log::{AccessLog, Format};
pub use crate::gauges::Gauges;
pub use crate::settings::{Limits, Settings};
pub use crate::tally::Totals;

use crate::access_log::{Journal, Writer};
use crate::listener::Listeners;
use crate::tally::Tally;
use crate::tcp::Doors;
use crate::worker::Shared;

/// How long before the end those who wait for a replica are told that none will come.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// The proxy cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address cannot be listened at: taken, not of this machine, or not allowed.
    #[error("cannot listen at {addr}: {source}; --listen (DIVISI_LISTEN) says where to listen")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives no more threads.
    #[error("cannot start a worker: {0}")]
    Thread(io::Error),
}

/// The request's way, running on threads of its own.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    tls_addr: Option<SocketAddr>,
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    tallies: Vec<Arc<Tally>>,
    /// Writes the access log, if there is one.
    writer: Option<Writer>,
}

/// Listens and serves from now on what `published` says. Every exchange becomes a line of `access_log`, if there is one.
///
/// # Errors
/// The address cannot be listened at, or there are no threads; nothing is left running then.
pub fn start(
    settings: Settings,
    published: Arc<Published>,
    vault: Arc<Vault>,
    access_log: Option<AccessLog>,
) -> Result<Running, StartError> {
    let count = settings.workers.max(1);
    let bind = |addr| listener::bind(addr, count).map_err(|source| StartError::Listen { addr, source });
    let (addr, plain) = bind(settings.listen)?;
    let (tls_addr, secure) = settings.listen_tls.map(bind).transpose()?.unzip();
    let mut secure = secure.unwrap_or_default().into_iter();
    let shared = Arc::new(Shared {
        // Port 0 has become a real one.
        settings: Settings { listen: addr, listen_tls: tls_addr, ..settings },
        published,
        doors: Doors::new(addr, tls_addr),
        vault,
        connections: AtomicUsize::new(0),
        dropped_lines: Arc::default(),
        stopping: AtomicBool::new(false),
        closing: AtomicBool::new(false),
        aborting: AtomicBool::new(false),
    });
    let (writer, journals) = match access_log {
        Some(log) => log.open(count, &shared.dropped_lines).map(|(writer, journals)| (Some(writer), journals)),
        None => Ok((None, Vec::new())),
    }
    .map_err(StartError::Thread)?;
    let mut journals = journals.into_iter();
    let mut running = Running { addr, tls_addr, shared, workers: Vec::new(), tallies: Vec::new(), writer };
    for (number, plain) in plain.into_iter().enumerate() {
        let listeners = Listeners { plain, secure: secure.next() };
        running.add_worker(number, listeners, journals.next())?;
    }
    Ok(running)
}

impl Running {
    fn add_worker(&mut self, number: usize, listeners: Listeners, journal: Option<Journal>) -> Result<(), StartError> {
        let (shared, tally) = (Arc::clone(&self.shared), Arc::new(Tally::default()));
        self.tallies.push(Arc::clone(&tally));
        let work = move || {
            if let Err(error) = worker::run(&shared, listeners, tally, journal) {
                tracing::error!(%error, "a worker cannot run");
            }
        };
        let thread = std::thread::Builder::new().name(format!("worker-{number}"));
        self.workers.push(thread.spawn(work).map_err(StartError::Thread)?);
        Ok(())
    }

    /// Where clients connect.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where clients connect who speak TLS, if it is spoken.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_addr
    }

    /// What can be read off it, by whoever likes to.
    pub fn gauges(&self) -> Gauges {
        Gauges::new(&self.shared, &self.tallies)
    }

    /// What was done so far.
    pub fn totals(&self) -> Totals {
        self.gauges().totals()
    }

    /// Client connections that are open now.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Lines of the access log that were lost.
    pub fn dropped_lines(&self) -> u64 {
        self.shared.dropped_lines.load(Ordering::Relaxed)
    }

    /// Takes no more connections, lets exchanges finish and returns when they have, or at the `deadline`: whether all did.
    pub fn stop(mut self, deadline: Duration) -> bool {
        self.shared.stopping.store(true, Ordering::Relaxed);
        let until = Instant::now() + deadline;
        while self.workers.iter().any(|worker| !worker.is_finished()) && Instant::now() < until {
            self.shared.closing.store(until - Instant::now() <= LAST_WORDS, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(5));
        }
        let finished = self.workers.iter().all(JoinHandle::is_finished);
        self.join();
        finished
    }

    fn join(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.aborting.store(true, Ordering::Relaxed);
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a worker had panicked");
            }
        }
        if let Some(writer) = self.writer.take() {
            writer.finish();
        }
    }
}

/// Cuts everything off; use [`Running::stop`] to be polite.
impl Drop for Running {
    fn drop(&mut self) {
        self.join();
    }
}
