//! A client of the demo: one request after the other on one connection, each answer read to its end and checked.

use std::net::SocketAddr;
use std::time::Duration;

use divisi_ask::{Body, Connection};
use http_body_util::BodyExt as _;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, StatusCode};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};

/// How long a client rests between two requests: the demo is to be watched, not to heat the room.
const REST: Duration = Duration::from_millis(5);

/// An answer that takes longer is a failure.
const PATIENCE: Duration = Duration::from_secs(10);

/// The address of the replica that answered, or why none did.
pub(super) type Outcome = Result<String, Failure>;

/// Why a request failed.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// No connection to the proxy.
    #[error("cannot connect to the proxy: {0}")]
    Connect(#[from] std::io::Error),
    /// The connection broke, or the answer did.
    #[error("broken off: {0}")]
    Broken(#[from] hyper::Error),
    /// Nothing came.
    #[error("no answer within {PATIENCE:?}")]
    Late,
    /// The answer is a refusal.
    #[error("answered with {0}")]
    Status(StatusCode),
    /// The answer does not say who gave it.
    #[error("answered without X-Internal-Service")]
    Unnamed,
}

/// Asks until nobody wants to know the outcome.
pub(super) async fn ask(proxy: SocketAddr, outcomes: Sender<Outcome>) {
    let mut connection = None;
    loop {
        let outcome = timeout(PATIENCE, once(proxy, &mut connection)).await.unwrap_or(Err(Failure::Late));
        if outcome.is_err() {
            connection = None;
        }
        if outcomes.send(outcome).await.is_err() {
            return;
        }
        sleep(REST).await;
    }
}

async fn once(proxy: SocketAddr, connection: &mut Option<Connection>) -> Outcome {
    let open = match connection.take().filter(|open| !open.is_closed()) {
        Some(open) => open,
        None => connect(proxy).await?,
    };
    let open = connection.insert(open);
    open.ready().await?;
    let mut request = Request::new(Body::default());
    request.headers_mut().insert(HOST, HeaderValue::from_static("demo"));
    let (head, mut body) = open.send_request(request).await?.into_parts();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    if head.status != StatusCode::OK {
        return Err(Failure::Status(head.status));
    }
    let replica = head.headers.get("x-internal-service").and_then(|replica| replica.to_str().ok());
    replica.map(str::to_owned).ok_or(Failure::Unnamed)
}

async fn connect(proxy: SocketAddr) -> Result<Connection, Failure> {
    let stream = TcpStream::connect(proxy).await?;
    stream.set_nodelay(true)?;
    Ok(divisi_ask::open(Box::pin(stream)).await?)
}
