//! TCP: the ports that labels open, and which service a connection at one of them belongs to.
//!
//! ```text
//! Ports ── get(5432) ──► Port ── find(Connection) ──► Route ──► its service
//! ```
//!
//! | module | job |
//! |---|---|
//! | `port` | one port with its routes |
//! | `ports` | all of them, as they are at one moment |
//! | [`meter`] | what became of connections, counted |
//! | [`listening`] | which of them are listened at, as the request's way says |
//!
//! A route of TCP is a [`Route`](crate::route::Route) like those of HTTP: its rule asks for a server name where one of HTTP asks
//! for a host, its [`Door`](crate::route::Door) says whether its connections are inside TLS, and order and conflicts are the same.

pub mod listening;
pub mod meter;
mod port;
mod ports;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use listening::{Listening, Standing};
pub use meter::{Ending, StreamMeter, Streams};
pub use port::Port;
pub use ports::{PortConflict, Ports};

use crate::route::Asked;

/// What is to be known of a connection to find its route.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    /// Who connects, after what a trusted proxy says of it.
    pub client: IpAddr,
    /// How TLS begins in it; None where it does not, or where nobody has looked.
    pub hello: Option<Hello<'a>>,
}

/// What a client says before anything is encrypted (RFC 8446 4.1.2).
#[derive(Clone, Copy, Debug, Default)]
pub struct Hello<'a> {
    /// The server that it wants (RFC 6066 3); empty where it does not say.
    pub server_name: &'a [u8],
    /// The protocols that it offers (RFC 7301 3.1).
    pub protocols: &'a [&'a [u8]],
}

/// A rule of a route of TCP in the words of Traefik for TCP: what is a host for HTTP is a name inside TLS here.
pub fn text(rule: &str) -> String {
    if rule == "All()" { "HostSNI(`*`)".to_owned() } else { rule.replace("Host", "HostSNI") }
}

impl Asked for Connection<'_> {
    fn host(&self) -> &[u8] {
        self.hello.map_or(&[], |hello| hello.server_name)
    }

    fn path(&self) -> &[u8] {
        b""
    }

    fn query(&self) -> &[u8] {
        b""
    }

    fn method(&self) -> &[u8] {
        b""
    }

    fn any_header(&self, _: &str, _: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        false
    }

    fn client(&self) -> IpAddr {
        self.client
    }

    fn is_secure(&self) -> bool {
        self.hello.is_some()
    }

    fn offers(&self, protocol: &[u8]) -> bool {
        self.hello.is_some_and(|hello| hello.protocols.contains(&protocol))
    }
}
