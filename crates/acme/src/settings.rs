//! What ACME is told at start.

use std::path::PathBuf;
use std::time::Duration;

use crate::dns::Tsig;
use crate::secret::Secret;
use crate::wire::Roots;

/// What ACME is told at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whom the authority may write to; it is told `mailto:` this.
    pub email: String,
    /// Where the authority says what it can do (RFC 8555 7.1.1).
    pub directory: String,
    /// Whom the authority's own certificate may come from.
    pub roots: Roots,
    /// An account elsewhere that the account here belongs to, where the authority wants one.
    pub external: Option<ExternalAccount>,
    /// What kind of certificate is wanted, where the authority has several.
    pub profile: Option<String>,
    /// The only challenge that is taken, where the user wants just one. Wildcards need dns-01 in any case (RFC 8555 7.1.3).
    pub challenge: Option<Kind>,
    /// How records of the DNS are changed, where they can be.
    pub dns: Option<Dns>,
    /// Where everything is kept. Each authority gets a folder in it.
    pub folder: PathBuf,
    /// Whom to ask about names that no route has.
    pub ask: Option<String>,
    /// How fast all this goes.
    pub pace: Pace,
}

/// An account elsewhere (RFC 8555 7.3.4).
#[derive(Clone, Debug)]
pub struct ExternalAccount {
    /// What it is called.
    pub kid: String,
    /// The key that says that we may use it, decoded.
    pub hmac: Secret,
}

/// How an authority convinces itself that a name is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It asks for a file over HTTP (RFC 8555 8.3).
    Http01,
    /// It asks for a certificate over TLS (RFC 8737).
    TlsAlpn01,
    /// It asks for a record of the DNS (RFC 8555 8.4).
    Dns01,
}

/// How records of the DNS are changed.
#[derive(Clone, Debug)]
pub enum Dns {
    /// By a program: it is called with `present NAME VALUE`, and afterwards `cleanup NAME VALUE`.
    Hook(PathBuf),
    /// By asking the server of the zone (RFC 2136).
    Update {
        /// The primary server: its name or address, and the port.
        server: String,
        /// The key that says that we may (RFC 8945), if it wants one.
        key: Option<Tsig>,
    },
}

/// How fast all this goes. The default is for real authorities.
#[derive(Clone, Debug)]
pub struct Pace {
    /// How long to wait after a first failure.
    pub first_pause: Duration,
    /// How long to wait after many.
    pub longest_pause: Duration,
    /// Most orders at a time.
    pub at_once: usize,
    /// From the start of one order to that of the next.
    pub between: Duration,
    /// How long all orders wait when the authority says that there are too many, at least.
    pub crowded: Duration,
    /// How long others wait for one who died at work.
    pub lease: Duration,
    /// How long to wait for one answer of the authority.
    pub patience: Duration,
    /// How long an order may take to become ready, and again to become a certificate.
    pub validation: Duration,
    /// How long all of an order may take.
    pub whole: Duration,
    /// How often the authority is asked about an order at first.
    pub poll: Duration,
    /// How often the folder is looked through for what others have put there.
    pub look: Duration,
    /// How long a change of the DNS may take.
    pub dns: Duration,
    /// How old a certificate has to be before the authority can wish for another one.
    pub young: Duration,
    /// How long to wait for an answer about an unknown name.
    pub ask: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_mins(1),
            longest_pause: Duration::from_hours(24),
            at_once: 4,
            between: Duration::from_secs(1),
            crowded: Duration::from_mins(1),
            lease: Duration::from_mins(2),
            patience: Duration::from_secs(60),
            validation: Duration::from_mins(5),
            whole: Duration::from_mins(30),
            poll: Duration::from_millis(500),
            look: Duration::from_mins(1),
            dns: Duration::from_mins(2),
            young: Duration::from_hours(6),
            ask: Duration::from_secs(5),
        }
    }
}
