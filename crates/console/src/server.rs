//! Takes a few connections, one exchange each, for as long as the program runs.
//!
//! Whoever asks is bound in what it can cost: how many connections there are, how long one lives, how large a head is. A body
//! is not read.

use std::io;
use std::net::{SocketAddr, TcpListener as Bound};
use std::sync::Arc;
use std::time::Duration;

use divisi_discovery::Inquirer;
use divisi_model::{Moment, Published};
use divisi_tls::Vault;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::answer::answer;
use crate::gauges::GaugeReader;
use crate::view::world::World;

/// Most connections at a time; who comes beyond them waits to be accepted.
const MOST_CONNECTIONS: usize = 16;

/// From connecting to the end of the request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// From connecting to the end of the answer: who does not read does not keep a place.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Largest head of a request.
const HEAD_SIZE: usize = 32 << 10;

/// Most fields in it.
const MOST_FIELDS: usize = 64;

/// How long discovery may take to tell what it knows. It answers between two changes, and so at once; but nobody who asks is
/// to wait for an engine that does not answer.
const TELL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to rest when the machine gives no connection.
const REST: Duration = Duration::from_millis(100);

/// What the console tells of.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The world.
    pub published: Arc<Published>,
    /// Who knows of the containers; nobody does where replicas have fixed addresses.
    pub inquirer: Inquirer,
    /// The certificates.
    pub vault: Arc<Vault>,
    /// What the request's way counts of itself.
    pub gauges: GaugeReader,
    /// Of the program.
    pub version: &'static str,
    /// The host under which the console was told to listen: a name that may be asked for.
    pub name: String,
}

impl Sources {
    /// What there is now.
    pub(crate) async fn world(&self) -> World {
        let sightings = timeout(TELL_TIMEOUT, self.inquirer.sightings()).await.unwrap_or_default();
        let (ring, certificates) = (Arc::clone(&self.vault.load()), self.vault.status());
        World { snapshot: self.published.keep(), sightings, certificates, ring, now: Moment::now() }
    }
}

/// A console that listens, and answers once it is [served](Self::serve).
#[derive(Debug)]
pub struct Console {
    listener: Bound,
    addr: SocketAddr,
}

impl Console {
    /// Listens.
    ///
    /// # Errors
    /// The address is taken, not of this machine, or not allowed.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let listener = Bound::bind(addr)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers, for ever. Wants a tokio runtime with I/O and time enabled.
    pub async fn serve(self, sources: Sources) {
        let listener = match TcpListener::from_std(self.listener) {
            Ok(listener) => listener,
            Err(problem) => return warn!("no console: {problem}"),
        };
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        // Nobody closes the semaphore.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(exchange(stream, sources.clone(), place))),
                Err(problem) => {
                    debug!("console: no connection: {problem}");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }
}

async fn exchange(stream: TcpStream, sources: Sources, place: OwnedSemaphorePermit) {
    let _ = stream.set_nodelay(true);
    let sources = Arc::new(sources);
    let service = service_fn(move |request| answer(Arc::clone(&sources), request));
    let mut server = Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    // One exchange per connection, so that one bound on time is enough.
    server.keep_alive(false).max_buf_size(HEAD_SIZE).max_headers(MOST_FIELDS);
    let ended = timeout(EXCHANGE_TIMEOUT, server.serve_connection(TokioIo::new(stream), service)).await;
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(problem)) => debug!("console: {problem}"),
        Err(_) => debug!("console: an answer was not taken within {EXCHANGE_TIMEOUT:?}"),
    }
    drop(place);
}
