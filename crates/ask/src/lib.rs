//! HTTP/1.1 as a client, for the rooms that ask now and then: the engine, an authority, a replica about its health, our own
//! console. What they say and how long they wait is theirs.
//!
//! hyper's connection is compiled anew for each kind of stream and body that it is used with, and each is thirty kilobytes of
//! the program. So there is one kind of each here.

use std::pin::Pin;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

/// Requests, answers and what is in them.
pub use hyper;

/// Whatever carries bytes.
pub trait Carrier: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Carrier for T {}

/// A socket, or TLS on it.
pub type Stream = Pin<Box<dyn Carrier>>;

/// What is sent with a request. The default is nothing.
pub type Body = Full<Bytes>;

/// A connection, to be asked one thing after the other. It ends when it is dropped and nobody waits for an answer or reads one
/// any more, or when the other side closes it.
pub type Connection = SendRequest<Body>;

/// Why a body was not read to its end.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It broke off.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    /// There is more than was to be read.
    #[error("length limit exceeded")]
    TooLong,
}

/// Speaks HTTP over `stream`. Wants a tokio runtime.
///
/// # Errors
/// None so far: hyper waits for nothing here.
pub async fn open(stream: Stream) -> hyper::Result<Connection> {
    drive(stream, &Builder::new()).await
}

/// The same, where no answer has a head of more than `most` bytes.
///
/// # Errors
/// As [`open`].
///
/// # Panics
/// When that is less than hyper reads at once, which is 8 KiB.
pub async fn open_for_heads_of(most: usize, stream: Stream) -> hyper::Result<Connection> {
    drive(stream, Builder::new().max_buf_size(most)).await
}

async fn drive(stream: Stream, builder: &Builder) -> hyper::Result<Connection> {
    let (connection, driver) = builder.handshake(TokioIo::new(stream)).await?;
    // What goes wrong is told to whoever waits for the answer.
    tokio::spawn(driver);
    Ok(connection)
}

/// The whole of an answer's body, which has at most `most` bytes.
///
/// # Errors
/// It is longer, or breaks off.
pub async fn read(mut body: Incoming, most: usize) -> Result<Vec<u8>, ReadError> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        if whole.len() + piece.len() > most {
            return Err(ReadError::TooLong);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}
