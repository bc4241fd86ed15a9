//! By which door requests come in, and what a route demands of the secure one.

use std::sync::Arc;

/// By which door the requests of a route come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Door {
    /// By either.
    #[default]
    Any,
    /// Only without TLS.
    Plain,
    /// Only inside TLS. Who comes without is sent there, if there is a way in (RFC 9110 15.4.9).
    Secure,
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
}

/// What a route wants of TLS beyond being inside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// The value of `Strict-Transport-Security` (RFC 6797 6.1), which its responses inside TLS carry.
    pub hsts: Option<Arc<str>>,
    /// The file with the authorities, as PEM, one of which must have signed a client's certificate. Whoever shows none is refused.
    pub client_authority: Option<Arc<str>>,
    /// The names of its certificate; empty for the hosts of its rule.
    pub names: Vec<Arc<str>>,
    /// No certificate is to be asked for: what is there in files is used.
    pub from_files: bool,
}
