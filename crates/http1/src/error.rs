//! What is wrong with a message, and the status that says so to a client that sent it.

use std::fmt;

/// A head that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// RFC 9112 2.2: a line ends with CRLF; a bare LF is read as a line end by some and not by others.
    BareLf,
    /// A chunked or sized body was announced in a way that two readers could read in two ways (RFC 9112 6.3).
    Framing(&'static str),
    /// RFC 9110 10.1.1: an expectation other than `100-continue`.
    Expectation,
    /// RFC 9112 3.2: no `Host`, more than one, or one that is no host.
    Host(&'static str),
    /// The tokeniser refuses the bytes.
    Malformed(&'static str),
    /// A method that is never passed on.
    Method(&'static str),
    /// RFC 9112 3.2: a request target of no known form.
    Target(&'static str),
    /// More field lines than the limit.
    TooManyFields,
    /// A head larger than the limit.
    TooLarge,
    /// A request line larger than the limit for a whole head.
    TargetTooLong,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    Version,
}

impl HeadError {
    /// The status for a client whose request has this error.
    pub fn status(self) -> u16 {
        match self {
            Self::BareLf | Self::Framing(_) | Self::Host(_) | Self::Malformed(_) | Self::Target(_) => 400,
            Self::Expectation => 417,
            Self::Method(_) => 501,
            Self::TargetTooLong => 414,
            Self::TooLarge | Self::TooManyFields => 431,
            Self::Version => 505,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BareLf => "a line ends with LF instead of CRLF",
            Self::Expectation => "unknown expectation",
            Self::Framing(what)
            | Self::Host(what)
            | Self::Malformed(what)
            | Self::Method(what)
            | Self::Target(what) => what,
            Self::TargetTooLong => "request line too long",
            Self::TooLarge => "head too large",
            Self::TooManyFields => "too many header fields",
            Self::Version => "HTTP version not supported",
        })
    }
}

impl std::error::Error for HeadError {}

impl From<httparse::Error> for HeadError {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::HeaderName => Self::Malformed("malformed header name"),
            httparse::Error::HeaderValue => Self::Malformed("malformed header value"),
            httparse::Error::NewLine => Self::Malformed("malformed line end"),
            httparse::Error::Status => Self::Malformed("malformed status line"),
            httparse::Error::Token => Self::Malformed("malformed request line"),
            httparse::Error::TooManyHeaders => Self::TooManyFields,
            httparse::Error::Version => Self::Version,
        }
    }
}

/// A body that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// RFC 9112 7.1: the bytes are no chunk.
    Chunk(&'static str),
    /// Chunk extensions that cost more than they can be worth.
    ExtensionsTooLarge,
    /// A trailer section that is malformed or too large.
    Trailer(HeadError),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chunk(what) => f.write_str(what),
            Self::ExtensionsTooLarge => f.write_str("chunk extensions too large"),
            Self::Trailer(error) => write!(f, "trailer section: {error}"),
        }
    }
}

impl std::error::Error for BodyError {}
