//! From what the rooms know to what people are told.
//!
//! | module | job |
//! |---|---|
//! | [`world`] | the snapshot and what discovery tells of containers, put together |
//! | [`snapshot`] | what there is |
//! | `ports` | the ports that labels ask for |
//! | [`certificate`] | how names stand inside TLS |
//! | [`asking`] | a question about a request: text to what routes ask |
//! | [`request`] | where a request would go |
//! | [`connecting`] | a question about a connection of TCP |
//! | [`connection`] | where that would go |
//! | [`rewrite`] | the path that the replica is asked for |
//! | [`container`] | what became of a container |

pub(crate) mod asking;
pub(crate) mod certificate;
pub(crate) mod connecting;
pub(crate) mod connection;
pub(crate) mod container;
mod ports;
pub(crate) mod request;
mod rewrite;
pub(crate) mod snapshot;
pub(crate) mod world;

use divisi_discovery::Advice as Sighted;

use crate::api::Advice;

impl Advice {
    /// Why, where there is nothing to write.
    fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), write: String::new() }
    }
}

impl From<&Sighted> for Advice {
    fn from(advice: &Sighted) -> Self {
        Self { why: advice.why.clone(), write: advice.write.clone() }
    }
}
