//! The change's way of TLS: finds a certificate for every name that routes have, and publishes it in the [`Vault`].
//!
//! ```text
//! snapshot ──► wishes ─┐
//! folder  ──► files ───┼──► assemble ──► Keyring ──► Vault
//! ACME    ──► orders ──┤
//! local authority ─────┘
//! ```
//!
//! | module | job |
//! |---|---|
//! | `wishes` | which names routes have, of HTTP and of TCP, and what they demand |
//! | `folder` | certificates in files, taken up again when they change |
//! | `authorities` | files of authorities that routes and replicas name |
//! | `disk` | both of these: all that is read, read on a thread of its own |
//! | `local` | the local authority: its root, and what it signs |
//! | [`private`] | which names are nobody else's |
//! | [`store`] | writes files so that nobody sees half of one |
//! | [`orders`] | what ACME is asked for, and what it brings |
//! | [`acme`] | plugs the room of ACME in there |
//! | `assemble` | who gets which certificate (pure) |
//! | `keeper` | the one task that does all this |
//!
//! For each host the first that there is: a file, what ACME brought, the local authority, a file that has expired.

pub mod acme;
mod assemble;
mod authorities;
mod disk;
mod folder;
mod keeper;
mod local;
pub mod orders;
pub mod private;
pub mod store;
#[cfg(test)]
mod testing;
mod wishes;

use std::path::PathBuf;
use std::sync::Arc;

use divisi_model::Published;
use divisi_tls::Vault;

pub use orders::{NameSet, Orders};

/// What is to be known before the first host.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where certificates lie as files; None for nowhere.
    pub folder: Option<PathBuf>,
    /// Where the local authority is kept; None for in memory only.
    pub data: Option<PathBuf>,
    /// Whether there is a local authority.
    pub local_authority: bool,
    /// Whether somebody takes [`Orders`].
    pub acme: bool,
}

/// Keeps the vault in line with the snapshot, with files and with what ACME brings. Never ends.
pub async fn run(settings: Settings, published: Arc<Published>, vault: Arc<Vault>, orders: Arc<Orders>) {
    keeper::Keeper::new(settings, vault, orders).await.keep(&published).await;
}
