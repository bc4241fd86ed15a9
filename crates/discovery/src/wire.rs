//! HTTP to the engine: one connection per call, and bounds on how long it takes and how much comes back.

use std::io;
use std::time::Duration;

use divisi_ask::hyper::body::Incoming;
use divisi_ask::hyper::{self, Request, Response, StatusCode, header};
use divisi_ask::{Body, ReadError, Stream};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use thiserror::Error;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::address::{EngineAddress, Way};
use crate::tls::{Tls, TlsError};

/// The longest event: its attributes are the container's labels.
const LINE: usize = 1024 * 1024;
/// The longest explanation of a failure.
const EXPLANATION: usize = 16 * 1024;

/// A call to the engine failed.
#[derive(Debug, Error)]
pub(crate) enum EngineError {
    /// It did not answer in time.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// Nobody accepts connections there.
    #[error("{0}")]
    Unreachable(#[source] io::Error),
    /// The certificates for it are not what they should be.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its name is none that can be asked for.
    #[error(transparent)]
    Unaskable(#[from] hyper::http::Error),
    /// What came back is not HTTP, or not all of it.
    #[error("{}", chain(.0))]
    Broken(#[from] hyper::Error),
    /// It answered with an error.
    #[error("status {0}: {1}")]
    Refused(StatusCode, String),
    /// It answered at greater length than can be real.
    #[error("an answer of more than {0} bytes")]
    TooLong(usize),
    /// It answered with something else than its API promises.
    #[error("an answer that cannot be read: {0}")]
    Nonsense(#[from] serde_json::Error),
    /// Nobody was left to read its answer.
    #[error("an answer that was not read: {0}")]
    Unread(#[from] tokio::task::JoinError),
}

impl EngineError {
    /// Whether what was asked for does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(StatusCode::NOT_FOUND, _))
    }

    /// Whether an answer came that is none: asking again will not help.
    pub(crate) fn is_nonsense(&self) -> bool {
        matches!(self, Self::Nonsense(_) | Self::TooLong(_))
    }
}

/// hyper tells only in the last part what went wrong.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The way to the engine.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    way: Way,
    tls: Option<Tls>,
    patience: Duration,
}

impl Wire {
    /// The way to `address`, where a call may take as long as `patience`.
    pub(crate) fn to(address: &EngineAddress, patience: Duration) -> Result<Self, EngineError> {
        let tls = match &address.way {
            Way::Tls { authority, certs } => Some(Tls::new(authority, certs)?),
            Way::Unix(_) | Way::Plain(_) => None,
        };
        Ok(Self { way: address.way.clone(), tls, patience })
    }

    /// The whole answer, which has at most `most` bytes, and its head.
    pub(crate) async fn get(&self, path: &str, most: usize) -> Result<(Response<()>, Vec<u8>), EngineError> {
        let call = async {
            let (head, body) = succeeded(self.send(path).await?).await?.into_parts();
            Ok((Response::from_parts(head, ()), read(body, most).await?))
        };
        timeout(self.patience, call).await.unwrap_or(Err(EngineError::Silent(self.patience)))
    }

    /// An answer that goes on, line by line.
    pub(crate) async fn follow(self, path: String) -> Result<Lines, EngineError> {
        let body = succeeded(self.send(&path).await?).await?.into_body();
        Ok(Lines { body, buffer: Vec::new(), taken: 0, searched: 0 })
    }

    async fn send(&self, path: &str) -> Result<Response<Incoming>, EngineError> {
        let host = match &self.way {
            Way::Unix(_) => "docker",
            Way::Plain(authority) | Way::Tls { authority, .. } => authority,
        };
        let request = Request::get(path).header(header::HOST, host).body(Body::default())?;
        let stream = self.connect().await.map_err(EngineError::Unreachable)?;
        Ok(divisi_ask::open(stream).await?.send_request(request).await?)
    }

    async fn connect(&self) -> io::Result<Stream> {
        Ok(match (&self.way, &self.tls) {
            (Way::Unix(path), _) => Box::pin(UnixStream::connect(path).await?),
            (Way::Plain(authority) | Way::Tls { authority, .. }, tls) => {
                let stream = TcpStream::connect(authority).await?;
                match tls {
                    Some(tls) => Box::pin(tls.wrap(stream).await?),
                    None => Box::pin(stream),
                }
            }
        })
    }
}

/// The same answer, unless it tells of a failure.
async fn succeeded(response: Response<Incoming>) -> Result<Response<Incoming>, EngineError> {
    #[derive(Deserialize)]
    struct Explanation {
        message: String,
    }
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(response);
    }
    let body = read(response.into_body(), EXPLANATION).await.unwrap_or_default();
    let message = serde_json::from_slice(&body).map_or_else(
        |_| String::from_utf8_lossy(&body).trim().to_owned(),
        |explanation: Explanation| explanation.message,
    );
    Err(EngineError::Refused(status, message))
}

async fn read(body: Incoming, most: usize) -> Result<Vec<u8>, EngineError> {
    divisi_ask::read(body, most).await.map_err(|error| match error {
        ReadError::Broken(error) => error.into(),
        ReadError::TooLong => EngineError::TooLong(most),
    })
}

/// An answer that goes on, line by line.
#[derive(Debug)]
pub(crate) struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
    /// So much of the buffer was handed out.
    taken: usize,
    /// Up to here it is known to have no further end of a line.
    searched: usize,
}

impl Lines {
    /// The next line; None when the answer has ended. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Option<Result<Vec<u8>, EngineError>> {
        loop {
            if let Some(length) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let end = self.searched + length + 1;
                let line = self.buffer[self.taken..end].to_vec();
                (self.taken, self.searched) = (end, end);
                return Some(Ok(line));
            }
            self.buffer.drain(..std::mem::take(&mut self.taken));
            self.searched = self.buffer.len();
            if self.searched > LINE {
                return Some(Err(EngineError::TooLong(LINE)));
            }
            match self.body.frame().await? {
                Ok(frame) => self.buffer.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

/// `text` as a part of a path or query.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
            encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_a_uri_is_encoded() {
        assert_eq!(encoded("{\"a\":[\"b=ü\"]}"), "%7B%22a%22%3A%5B%22b%3D%C3%BC%22%5D%7D");
        assert_eq!(encoded("0aF-._~"), "0aF-._~");
        assert_eq!(encoded("../x?y#z\r\n"), "..%2Fx%3Fy%23z%0D%0A");
    }
}
