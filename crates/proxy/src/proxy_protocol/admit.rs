//! Reads a header off a connection, and not a byte more: whoever serves the connection begins after it.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::{Header, Malformed, Parsed, parse};
use crate::clock::Timer;

/// A trusted peer that did not say whom it speaks for.
#[derive(Debug, Error)]
pub(crate) enum Refused {
    /// It sent something else.
    #[error("no header of the PROXY protocol: {0} (--proxy-protocol)")]
    Malformed(#[from] Malformed),
    /// It sent none in time.
    #[error("no header of the PROXY protocol came in time (--proxy-protocol)")]
    Late,
    /// It left, most often one that only looks whether somebody is there.
    #[error("the client left before its header of the PROXY protocol")]
    Left(#[from] io::Error),
}

/// Whom the connection is from, and where it was made to, by the word of a trusted peer, within the time of `timer`.
///
/// # Errors
/// It does not begin with a header.
pub(crate) async fn admit(stream: &mut TcpStream, timer: &Timer) -> Result<Header, Refused> {
    timer.limit(read(stream)).await.unwrap_or(Err(Refused::Late))
}

async fn read(stream: &mut TcpStream) -> Result<Header, Refused> {
    let mut bytes = Vec::new();
    loop {
        let more = match parse(&bytes)? {
            Parsed::More(more) => more,
            Parsed::Whole(header, _) => return Ok(header),
        };
        // At least so many bytes of the header are still to come, and so nothing that is taken here can be of what follows it.
        let from = bytes.len();
        bytes.resize(from + more, 0);
        let count = stream.read(&mut bytes[from..]).await?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        bytes.truncate(from + count);
    }
}

/// The peer's address, or whom it speaks for.
impl Header {
    pub(crate) fn client(self, peer: SocketAddr) -> SocketAddr {
        match self {
            Self::Own => peer,
            Self::For { source, .. } => source,
        }
    }
}
