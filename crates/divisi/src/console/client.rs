//! One question, one answer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use divisi_ask::Body;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::settings::HostPort;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest answer: that of some hundred thousand replicas.
const LARGEST: usize = 256 << 20;

/// What the console said.
pub(super) struct Answer {
    /// Who said it.
    pub(super) addr: SocketAddr,
    /// Whether it is what was asked for.
    pub(super) status: StatusCode,
    /// What it is.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum AskError {
    /// The machine gave no event loop or signals.
    #[error("cannot start: {0}")]
    Machine(io::Error),
    /// Nobody listens there.
    #[error(
        "cannot reach the console of divisi at {addr}: {source}\n       \
         If divisi runs in a container, ask there: docker-compose exec divisi /divisi ... with the same words\n       \
         If its console listens elsewhere, name the address: --console ADDR (or DIVISI_CONSOLE)"
    )]
    Unreachable {
        /// Where.
        addr: HostPort,
        /// Why.
        source: io::Error,
    },
    /// The connection broke, or the answer did.
    #[error("the console of divisi at {addr} broke off: {source}")]
    Broken {
        /// Where.
        addr: SocketAddr,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing came.
    #[error("no answer from the console of divisi at {addr} within {PATIENCE:?}")]
    Late {
        /// Where.
        addr: HostPort,
    },
    /// Somebody else listens there.
    #[error("what answers at {addr} is no console of this divisi ({source}); name the right address with --console")]
    Stranger {
        /// Where.
        addr: SocketAddr,
        /// What is wrong with its answer.
        source: serde_json::Error,
    },
}

/// Asks the console that listens there.
pub(super) async fn ask(console: &HostPort, target: &str) -> Result<Answer, AskError> {
    let late = |_| AskError::Late { addr: console.clone() };
    timeout(PATIENCE, async {
        let (addr, stream) = connect(console).await?;
        get(addr, stream, target).await.map_err(|source| AskError::Broken { addr, source })
    })
    .await
    .map_err(late)?
}

async fn connect(console: &HostPort) -> Result<(SocketAddr, TcpStream), AskError> {
    let unreachable = |source| AskError::Unreachable { addr: console.clone(), source };
    let mut last = io::Error::other("the name has no address");
    for addr in console.to_ask().map_err(unreachable)? {
        match TcpStream::connect(addr).await {
            Ok(stream) => return Ok((addr, stream)),
            Err(problem) => last = problem,
        }
    }
    Err(unreachable(last))
}

async fn get(
    addr: SocketAddr,
    stream: TcpStream,
    target: &str,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    // Its address and not its name: under that it answers always.
    let request = Request::get(target).header(HOST, addr.to_string()).body(Body::default())?;
    let answer = divisi_ask::open(Box::pin(stream)).await?.send_request(request).await?;
    let (head, body) = answer.into_parts();
    let body = divisi_ask::read(body, LARGEST).await?;
    Ok(Answer { addr, status: head.status, body })
}
