//! How a replica is spoken to, as its own container says.

use std::sync::Arc;

/// How a replica is spoken to. [`Speech::default`] is HTTP/1.1 as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Speech {
    /// Which protocol.
    pub scheme: Scheme,
    /// Whose word proves that it is the replica; of no meaning without TLS.
    pub trust: Trust,
    /// The name that its certificate has to be for, and that it is asked for; None for the host of the request.
    pub server_name: Option<Arc<str>>,
    /// Whether a connection begins with who the client is.
    pub proxy_header: Option<ProxyHeader>,
}

/// Which protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// HTTP/1.1 as it is. A request of gRPC is sent by HTTP/2 with prior knowledge (RFC 9113 3.3), since there is no other gRPC.
    #[default]
    Http,
    /// HTTP/1.1 inside TLS. A request of gRPC is sent by HTTP/2 inside TLS.
    Https,
    /// HTTP/2 with prior knowledge (RFC 9113 3.3).
    H2c,
    /// HTTP/2 inside TLS.
    H2,
}

/// Whose word proves that a replica is the one that was meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trust {
    /// The authorities that browsers trust.
    #[default]
    Public,
    /// The authorities whose certificates, as PEM, are in this file.
    Authority(Arc<str>),
    /// Nobody's: whoever answers is believed to be the replica.
    Unproven,
}

/// The header of the PROXY protocol, by version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyHeader {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

impl Scheme {
    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2c => "h2c",
            Self::H2 => "h2",
        }
    }

    /// Whether it is inside TLS.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::H2)
    }
}
