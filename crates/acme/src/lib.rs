//! Certificates from an ACME authority (RFC 8555): ordered for the names that are wanted, kept in a folder, renewed. Knows
//! nothing of Docker, of routes or of requests; what it needs of others are the traits in [`seams`](Stage).
//!
//! ```text
//! names wanted ─┐                          ┌─► Stage: challenges, which the authority looks at
//! names asked ──┼─► keeper ─ job ─► work ──┤
//! the folder ───┘     ▲               │    └─► wire ─► the authority
//!                     │               ▼
//!        Shelf, Board ◄── outcome ── store
//! ```
//!
//! | module | job |
//! |---|---|
//! | `settings` | what ACME is told at start |
//! | `names` | a set of names that share one certificate |
//! | `keeper` | the loop |
//! | `ledger` | what is known of each set, and what is to be done next: pure |
//! | `schedule` | when things are done: pure |
//! | `work` | one job, while nobody else works on it |
//! | `session` | the account at the authority |
//! | `order` | one order, from its begin to the certificate |
//! | `challenge` | what is shown to the authority |
//! | `dns` | records for dns-01 |
//! | `wire` | HTTP to the authority, with bounds |
//! | `store`, `lease` | the folder, and who of several works on what |
//! | `certificate` | a certificate with its key |
//! | `ask` | names that no route has |
//! | `status` | how all of it stands, for people |
//! | `error`, `secret` | what went wrong; what is not to be seen |

mod ask;
mod certificate;
mod challenge;
mod dns;
mod error;
mod keeper;
mod lease;
mod ledger;
mod names;
mod order;
mod schedule;
mod seams;
mod secret;
mod session;
mod settings;
mod status;
mod store;
mod wire;
mod work;

pub use ask::{Asker, Demands, asking};
pub use certificate::{Certificate, CertificateError};
pub use dns::{Algorithm, DnsError, Tsig, TsigError};
pub use error::AcmeError;
pub use keeper::{Seams, run};
pub use names::{NameError, NameSet};
pub use schedule::{Validity, Window};
pub use seams::{Shelf, Stage};
pub use secret::Secret;
pub use settings::{Dns, ExternalAccount, Kind, Pace, Settings};
pub use status::{Board, Status, Trouble};
pub use store::{Fault, StoreError};
pub use wire::{Roots, RootsError};

/// Types of certificates and keys, for whoever implements the traits.
pub use tokio_rustls::rustls::pki_types;
