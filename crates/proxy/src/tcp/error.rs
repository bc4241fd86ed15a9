//! Why a connection was not served, or ended before both of its sides had ended it.

use std::io;
use std::sync::Arc;

use divisi_tls::upstream::UpstreamError;
use thiserror::Error;

use crate::error::Unheld;
use crate::proxy_protocol::Refused;

/// Why a connection was not served, or ended before both of its sides had ended it.
#[derive(Debug, Error)]
pub(super) enum Error {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the client left")]
    ClientLeft,
    #[error("the client sent nothing that says where it belongs, or not all of it in time")]
    LateHello,
    #[error("the beginning of TLS is longer than any is")]
    LongHello,
    #[error("the beginning of TLS cannot be read: {0}")]
    BadHello(rustls::Error),
    #[error("TLS is to end here, and there is no certificate for that name")]
    NoCertificate,
    #[error("the handshake of TLS failed: {0}")]
    Handshake(io::Error),
    #[error("the replica cannot prove who it is: {0}")]
    Untrusted(Arc<UpstreamError>),
    #[error("no route for it at port {port}{}", named(.server_name))]
    NoRoute { port: u16, server_name: Box<[u8]> },
    #[error("route closed: {0}")]
    Closed(Arc<str>),
    #[error("service \"{name}\" has {limit} connections already, as many as it may (--limit-service)")]
    Crowded { name: String, limit: u32 },
    #[error("{0}")]
    Unheld(Unheld),
    #[error("cannot connect to the replica: {0}")]
    Connect(io::Error),
    #[error("the replica did not accept a connection in time")]
    ConnectTimeout,
    #[error("the replica was stopped, and its time to finish is over (--drain)")]
    CutOff,
    #[error("the port was closed, and the time to finish is over (--drain)")]
    PortClosed,
    #[error("nothing came from either side for too long (--stream-timeout)")]
    Silent,
    #[error("the client broke off: {0}")]
    Client(io::Error),
    #[error("the replica broke off: {0}")]
    Replica(io::Error),
}

fn named(server_name: &[u8]) -> String {
    match server_name {
        [] => String::new(),
        name => format!(" and server name \"{}\"", name.escape_ascii()),
    }
}

impl Error {
    /// Whether a replica had the connection, which then broke off.
    pub(super) fn is_after_the_fact(&self) -> bool {
        matches!(self, Self::CutOff | Self::PortClosed | Self::Silent | Self::Client(_) | Self::Replica(_))
    }
}
