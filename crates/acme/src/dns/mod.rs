//! Records of the DNS for dns-01: put there, waited for, and taken away again.
//!
//! | module | job |
//! |---|---|
//! | `hook` | by a program of the user's |
//! | `message` | queries, updates and answers as bytes (RFC 1035, 2136) |
//! | `place` | in which zone a record is to be put, under which name |
//! | `tsig` | signs an update (RFC 8945) |
//! | `update` | by asking the server of the zone |

mod hook;
mod message;
mod place;
mod tsig;
mod update;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;

pub use tsig::{Algorithm, Tsig, TsigError};

use crate::settings::Dns;

/// A record could not be changed.
#[derive(Debug, Error)]
pub enum DnsError {
    /// The program could not be run.
    #[error("cannot run {}: {problem}", .program.display())]
    Hook {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        problem: io::Error,
    },
    /// The program says that it failed.
    #[error("{} {verb} failed ({status}){said}", .program.display())]
    HookFailed {
        /// The program.
        program: PathBuf,
        /// What it was to do.
        verb: &'static str,
        /// How it ended.
        status: String,
        /// The end of what it wrote.
        said: String,
    },
    /// It takes too long.
    #[error("not done within {0:?}")]
    Slow(Duration),
    /// The server does not answer.
    #[error("{0}: {1}")]
    Server(String, #[source] io::Error),
    /// The server answers nonsense.
    #[error("{0} answers something that is no DNS message")]
    Nonsense(String),
    /// The server refuses.
    #[error("{server} answers {code} to the {what}")]
    Refused {
        /// The server.
        server: String,
        /// As RFC 2136 2.2 and RFC 8945 3 call it.
        code: String,
        /// What was asked.
        what: &'static str,
    },
    /// The server knows no zone for the name.
    #[error("{0} has no zone for {1}")]
    NoZone(String, String),
    /// Names lead to others without an end.
    #[error("{0} leads to another name by CNAME, that to the next one, and so on for too long")]
    Aliases(String),
    /// The name cannot be put into a message.
    #[error("{0} is no name of the DNS")]
    Name(String),
}

/// What is to become of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is to be there.
    Present,
    /// It is to be gone.
    Cleanup,
}

impl Dns {
    /// Changes the TXT record `value` of `name`; one that is to be there can be seen by the authority afterwards.
    pub(crate) async fn change(
        &self,
        change: Change,
        name: &str,
        value: &str,
        patience: Duration,
    ) -> Result<(), DnsError> {
        let done = async {
            match self {
                Self::Hook(program) => hook::call(program, change, name, value).await,
                Self::Update { server, key } => update::change(server, key.as_ref(), change, name, value).await,
            }
        };
        timeout(patience, done).await.unwrap_or(Err(DnsError::Slow(patience)))
    }
}
