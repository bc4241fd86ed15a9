//! TCP that is no HTTP: the ports that labels open, and the way of a connection at one of them.
//!
//! ```text
//! openings ─► passage ─┬─ 1 whom a trusted proxy speaks for   (proxy_protocol)
//!                       ├─ 2 hello    how TLS begins, where the port has routes inside TLS
//!                       ├─ 3 search   snapshot, route, pick or hold, connect, retry
//!                       ├─ 4 carry    bytes both ways
//!                       └─ 5 record   exactly one, whatever happens
//! ```
//!
//! Read `passage` first. Beside the way lie `seal` (TLS that is ended here, or begun with a replica), `share` (ports at which HTTP
//! is served as well), `doors` (what the workers share: who listens where) and `error` (why a connection was
//! not served, or ended before both sides had ended it).
//!
//! It is the same way as that of a request, with one difference: nothing is read before there is a replica, unless a route asks
//! for a name of TLS. In some protocols the server speaks first, and what a client sends is the replica's business.

mod carry;
mod doors;
mod error;
mod hello;
mod openings;
mod passage;
mod record;
mod seal;
mod search;
mod share;

pub(crate) use doors::Doors;
pub(crate) use openings::Openings;
pub(crate) use share::{is_shared, sift};
