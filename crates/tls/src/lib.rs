//! Which key and which certificate a TLS connection uses: what both ways through the house know of TLS, as `model` is for the rest.
//!
//! The change's way (room `certificates`) makes a [`Keyring`] and publishes it in the [`Vault`]; the request's way asks there
//! once per handshake. Nothing here reads a file or a socket, and nobody waits but who is told [`Choice::Soon`].
//!
//! ```text
//! ClientHello ── Vault::choose ──► Choice::Serve(config) ──► the handshake ── by its name ──► Certificate
//! Trust       ── Upstreams::get ──► Means::Ready(config) ──► the handshake with a replica
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`vault`] | the cell in which certificates are published and chosen; challenges of ACME |
//! | [`keyring`] | all certificates by name, as they are at one moment |
//! | [`certificate`] | a chain with its key: for whom, from whom, until when |
//! | [`client_authority`] | who must have signed a client's certificate |
//! | `configs` | what handshakes with clients are like |
//! | `challenges` | what an ACME authority asks for |
//! | [`name`] | which names are the same |
//! | [`status`] | all of it for people |
//! | [`upstream`] | handshakes with replicas |
//!
//! No runtime, no sockets, no files: bytes come as arguments.

pub mod certificate;
mod challenges;
pub mod client_authority;
mod configs;
pub mod keyring;
pub mod name;
pub mod status;
pub mod upstream;
pub mod vault;

pub use rustls;

pub use certificate::{Certificate, CertificateError, Source};
pub use client_authority::{AuthorityError, ClientAuthority};
pub use keyring::{Demand, Keyring};
pub use status::{Listing, Status};
pub use upstream::{Means, Protocol, Upstreams};
pub use vault::{Choice, Question, Speaks, UNRECOGNIZED_NAME, Vault};
