//! By which door requests come in, and what a route demands of the secure one.

use std::sync::Arc;

/// By which door the requests of a route come in. Of two routes with the same rule the one with the narrower door is first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Door {
    /// Only without TLS.
    Plain,
    /// Only inside TLS. A request without that no other route has is sent there, if [`Way::redirect`](super::Way) says so.
    Secure,
    /// By either.
    #[default]
    Any,
}

impl Door {
    /// Whether a request that came inside TLS, or did not, has come in by it.
    pub fn admits(self, is_secure: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Plain => !is_secure,
            Self::Secure => is_secure,
        }
    }

    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Plain => "plain",
            Self::Secure => "secure",
        }
    }

    /// What a request has to know that came by the other one.
    pub fn condition(self) -> &'static str {
        match self {
            Self::Any => "comes with TLS or without",
            Self::Plain => "comes only without TLS",
            Self::Secure => "comes only inside TLS",
        }
    }
}

/// Where requests that came without TLS are sent, instead of being served: to the same URL inside it. Answered with one of
/// these statuses and `Location: https://host/path?query`, the host as it was asked for without its port, path and query as
/// they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Redirect {
    /// The status for GET and HEAD.
    pub status: u16,
    /// The status for other methods: 307 and 308 let the client send its body again (RFC 9110 15.4.9), 301 and 302 lose it.
    pub other_status: u16,
    /// The port to be named; None for that of the secure door as clients see it, which is usually 443 and not named.
    pub port: Option<u16>,
    /// Whether that depends on the certificates that are at hand.
    pub when: When,
}

/// When requests are sent into TLS. Where they are not, they are served as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// Always.
    Always,
    /// If a certificate for the host is at hand, of a file or of an authority reached by ACME. The local authority's does not
    /// count, for clients need not trust it; nor does that of `default.crt`, unless it is for that name.
    Certified,
    /// The same, and `default.crt` counts for every name, as with nginx-proxy.
    CertifiedOrDefault,
}

impl Redirect {
    /// For good, whatever the method (RFC 9110 15.4.9).
    pub const fn permanent(when: When) -> Self {
        Self { status: 308, other_status: 308, port: None, when }
    }

    /// The status for a request with that method.
    pub fn status(&self, method: &[u8]) -> u16 {
        if matches!(method, b"GET" | b"HEAD") { self.status } else { self.other_status }
    }
}

/// What a route wants of TLS beyond being inside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// The value of `Strict-Transport-Security` (RFC 6797 6.1), which its responses inside TLS carry.
    pub hsts: Option<Arc<str>>,
    /// The file with the authorities, as PEM, one of which must have signed a client's certificate. Whoever shows none is refused.
    /// A path; one that does not begin with `/` is below the folder with the certificates.
    pub client_authority: Option<Arc<str>>,
    /// The names of its certificate; empty for the hosts of its rule.
    pub names: Vec<Arc<str>>,
    /// The name of its certificate's file in the folder with the certificates, without its ending; None for that of the host.
    pub file: Option<Arc<str>>,
    /// No certificate is to be asked for: what is there in files is used.
    pub from_files: bool,
}
