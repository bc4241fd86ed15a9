//! HTTP/1.1 on the wire: bytes in, bytes out. No sockets, no runtime, no policy.
//!
//! ```text
//! Buffer ── scan ──► head ends here ── RequestHead / ResponseHead ──► Body: Decoder ──► data, trailers
//! ```
//!
//! | module | job | rule |
//! |---|---|---|
//! | [`buffer`] | a window of bytes that grows and shrinks | |
//! | [`scan`] | where a head ends; refuses bare LF | RFC 9112 2.2 |
//! | [`field`] | field lines as ranges, and which names have a meaning here | RFC 9110 5 |
//! | [`request`], [`response`] | a parsed head and what it says about the message | RFC 9112 3, 4 |
//! | [`target`], [`authority`] | request targets and `Host` | RFC 9112 3.2, RFC 3986 3.2 |
//! | [`framing`] | how long the body is | RFC 9112 6 |
//! | [`body`], [`chunked`], [`trailer`] | the body's bytes | RFC 9112 7 |
//! | [`error`] | what is wrong with a message, and the status that says so | |
//!
//! The parser refuses what two readers could read in two ways; it repairs nothing. A head that passed here can be written
//! again from its ranges and means the same to everybody.

pub mod authority;
pub mod body;
pub mod buffer;
pub mod chunked;
pub mod error;
pub mod field;
pub mod framing;
pub mod request;
pub mod response;
pub mod scan;
pub mod target;
pub mod trailer;

pub use body::{Decoded, Decoder};
pub use buffer::Buffer;
pub use error::{BodyError, HeadError};
pub use field::{Field, Fields, Known};
pub use framing::BodyLength;
pub use request::RequestHead;
pub use response::ResponseHead;
pub use target::Target;

/// The two versions that are spoken here. A higher minor version is refused with 505 rather than guessed at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: no chunks, no 1xx, a connection ends with its response unless both sides say otherwise.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
}

/// Bounds on one head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Most bytes from the start line to the empty line.
    pub size: usize,
    /// Most field lines; never more than [`HeadLimits::MOST_FIELDS`].
    pub fields: usize,
}

impl HeadLimits {
    /// The tokeniser's table lies on the stack and has room for this many field lines.
    pub const MOST_FIELDS: usize = 256;
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { size: 32 * 1024, fields: 128 }
    }
}
