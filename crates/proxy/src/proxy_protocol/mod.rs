//! The PROXY protocol: what a proxy before us says of the client, and what we say to a replica. Written after the specification
//! by Willy Tarreau ("The PROXY protocol, versions 1 & 2", HAProxy's `proxy-protocol.txt`, 2020-03-05), whose sections are named.
//!
//! | module | job |
//! |---|---|
//! | `v1` | a line of text |
//! | `v2` | binary |
//! | `admit` | reads one off a connection, and not a byte more |
//!
//! A peer that is trusted to send one must send one (section 2: "the receiver MUST be configured to only receive the protocol"):
//! else whoever comes by it could choose whether its own first bytes count as one. From anybody else the same bytes are a request
//! like any other, which is none.

mod admit;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

use std::net::{IpAddr, SocketAddr};

use divisi_model::speech::ProxyHeader;
use thiserror::Error;

pub(crate) use admit::{Refused, admit};

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// The connection is the proxy's own, or one of which it cannot say more: the addresses of the connection count.
    Own,
    /// The connection is made for somebody else.
    For {
        /// Who that is.
        source: SocketAddr,
        /// Where it had connected to.
        destination: SocketAddr,
    },
}

/// What the bytes that have come so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// The beginning of a header, of which at least so many bytes are still to come.
    More(usize),
    /// A header of so many bytes.
    Whole(Header, usize),
}

/// The bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Malformed {
    #[error("it begins like neither version")]
    Signature,
    #[error("the line of version 1 has no end within {} bytes", v1::LONGEST)]
    Endless,
    #[error("the line of version 1 cannot be read")]
    Line,
    #[error("it is of a version that there is not")]
    Version,
    #[error("it has a command that there is not")]
    Command,
    #[error("it is about a protocol that there is not")]
    Protocol,
    #[error("it is too short for its addresses")]
    Short,
    #[error("it is longer than {} bytes", v2::LONGEST)]
    Long,
}

/// Reads a header off the beginning of `bytes`.
///
/// # Errors
/// Whatever follows, there is none.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, Malformed> {
    // The first bytes of the two differ.
    match bytes.first() {
        None => Ok(Parsed::More(v1::SHORTEST.min(v2::FIXED))),
        Some(b'P') => v1::parse(bytes),
        Some(_) => v2::parse(bytes),
    }
}

/// The header that tells a replica of a client.
pub(crate) fn write(version: ProxyHeader, source: SocketAddr, destination: SocketAddr, out: &mut Vec<u8>) {
    let (source, destination) = of_one_family(source, destination);
    match version {
        ProxyHeader::V1 => v1::write(source, destination, out),
        ProxyHeader::V2 => v2::write(source, destination, out),
    }
}

/// Both addresses are written in the same family: where one is of IPv6, the other is mapped into it (RFC 4291 2.5.5.2).
fn of_one_family(source: SocketAddr, destination: SocketAddr) -> (SocketAddr, SocketAddr) {
    let bare = |addr: SocketAddr| SocketAddr::new(addr.ip().to_canonical(), addr.port());
    let (source, destination) = (bare(source), bare(destination));
    if source.is_ipv4() == destination.is_ipv4() {
        return (source, destination);
    }
    let mapped = |addr: SocketAddr| match addr.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), addr.port()),
        IpAddr::V6(_) => addr,
    };
    (mapped(source), mapped(destination))
}
