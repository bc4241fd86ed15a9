//! What the request's way is told at start: addresses, limits, whom to trust. Typed before the first socket is bound.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

/// Everything the request's way is told at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where clients connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where clients connect who speak TLS; None where TLS is not spoken at all.
    pub listen_tls: Option<SocketAddr>,
    /// The port at which clients reach [`listen_tls`](Self::listen_tls), as far as they know: what redirects name.
    pub public_tls_port: u16,
    /// Worker threads, each with its own event loop and listening socket.
    pub workers: usize,
    /// Networks whose `X-Forwarded-*` fields are believed.
    pub trust: Vec<IpNet>,
    /// Networks whose connections begin with a header of the PROXY protocol, which says who the client is.
    pub proxy_protocol: Vec<IpNet>,
    /// Whether responses name their replica in `X-Internal-Service`.
    pub replica_header: bool,
    /// Bounds on what one client or replica can cost.
    pub limits: Limits,
}

impl Settings {
    /// What an untouched divisi uses, at that address, on one worker and without TLS.
    pub fn at(listen: SocketAddr) -> Self {
        Self {
            listen,
            listen_tls: None,
            public_tls_port: 443,
            workers: 1,
            trust: Vec::new(),
            proxy_protocol: Vec::new(),
            replica_header: false,
            limits: Limits::default(),
        }
    }

    /// Whether the peer's own word about the client is believed.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trust.iter().any(|net| net.contains(&peer))
    }

    /// Whether a connection of that peer begins with a header of the PROXY protocol.
    pub(crate) fn is_proxied(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.proxy_protocol.iter().any(|net| net.contains(&peer))
    }
}

/// Bounds on what one client or replica can cost. [`Limits::default`] is what an untouched divisi uses.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest head of a request or response, in bytes.
    pub head_size: usize,
    /// Most field lines in a head.
    pub fields: usize,
    /// From the first byte of a request head to its last.
    pub head_timeout: Duration,
    /// How long a client's connection may rest between requests.
    pub idle_timeout: Duration,
    /// How long a client may neither send the body it announced nor take the response.
    pub client_timeout: Duration,
    /// Slowest average rate in bytes per second of a request body until the response has begun, and of a response that its client
    /// keeps waiting over HTTP/2; 0 for any.
    pub min_body_rate: u32,
    /// From trying to connect to a replica to being connected.
    pub connect_timeout: Duration,
    /// From the end of the request to the end of the response's head.
    pub response_timeout: Duration,
    /// How long a response body or a tunnel may stay silent.
    pub stream_timeout: Duration,
    /// Most client connections at a time, over all workers.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_size: 32 * 1024,
            fields: 128,
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            client_timeout: Duration::from_secs(60),
            min_body_rate: 32,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(60),
            stream_timeout: Duration::from_secs(3600),
            connections: 10_000,
        }
    }
}
