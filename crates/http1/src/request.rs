//! A request's head (RFC 9112 3) and what it says about the message.

use std::mem::MaybeUninit;

use crate::error::HeadError;
use crate::field::{Field, Fields, Known, Span, list};
use crate::framing::{BodyLength, Framing};
use crate::target::Target;
use crate::{HeadLimits, Version, authority};

/// A request's head: its bytes, the ranges of its parts, and the answers to the questions a proxy asks.
///
/// Made to be reused: parsing the next head allocates nothing once the memory has grown to what heads here need.
#[derive(Debug, Default)]
pub struct RequestHead {
    fields: Fields,
    method: Span,
    /// Of an absolute-form target.
    authority: Option<Span>,
    path: Span,
    version: Version,
    body: BodyLength,
    connection: Connection,
    expects_continue: bool,
}

/// What `Connection` asked for (RFC 9112 9.3, RFC 9110 7.6.1).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Connection {
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
    /// It names fields beyond the well-known ones.
    pub(crate) nominates: bool,
}

impl Connection {
    /// A client that lists more options than this wants us to search, not to connect.
    const MOST_OPTIONS: usize = 64;

    pub(crate) fn of(fields: &Fields) -> Result<Self, HeadError> {
        let mut connection = Self::default();
        if !fields.has(Known::Connection) {
            return Ok(connection);
        }
        let mut options = 0;
        for field in fields.all(Known::Connection) {
            for option in list(field.value) {
                options += 1;
                match option {
                    _ if option.eq_ignore_ascii_case(b"close") => connection.close = true,
                    _ if option.eq_ignore_ascii_case(b"keep-alive") => connection.keep_alive = true,
                    _ if option.eq_ignore_ascii_case(b"upgrade") => connection.upgrade = true,
                    _ => connection.nominates = true,
                }
            }
        }
        if options > Self::MOST_OPTIONS {
            return Err(HeadError::Malformed("too many options in Connection"));
        }
        Ok(connection)
    }
}

impl RequestHead {
    /// Parses the head at the front of `window` in place of the one before: its length with its empty line, or `None` where
    /// it has not arrived as a whole.
    ///
    /// # Errors
    /// Whatever is malformed, ambiguous or beyond the limits; see [`HeadError`].
    pub fn parse(&mut self, window: &[u8], limits: HeadLimits) -> Result<Option<usize>, HeadError> {
        let mut table = [const { MaybeUninit::uninit() }; HeadLimits::MOST_FIELDS];
        let room = limits.fields.min(HeadLimits::MOST_FIELDS);
        let mut parsed = httparse::Request::new(&mut []);
        let httparse::Status::Complete(length) = parsed.parse_with_uninit_headers(window, &mut table[..room])? else {
            return Ok(None);
        };
        let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Ok(None);
        };
        if length > limits.size {
            return Err(HeadError::TooLarge);
        }
        let head = &window[..length];
        self.method = Span::of(method.as_bytes(), head);
        self.version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        self.fields.take(head);
        self.fields.note(parsed.headers, head)?;
        let Target { authority, path } = Target::parse(target.as_bytes(), method.as_bytes())?;
        self.authority = authority.map(|authority| Span::of(authority, head));
        self.path = Span::of(path, head);
        self.interpret()?;
        Ok(Some(length))
    }

    fn interpret(&mut self) -> Result<(), HeadError> {
        match self.method() {
            // A proxy in front of services opens no tunnels to where a client likes (RFC 9110 9.3.6 lets it refuse).
            b"CONNECT" => return Err(HeadError::Method("CONNECT is not served here")),
            // TRACE would show the client the fields that only replicas should see.
            b"TRACE" => return Err(HeadError::Method("TRACE is not served here")),
            _ => {}
        }
        self.check_host()?;
        let framing = Framing::of(&self.fields)?;
        // RFC 9112 6.1: chunks in a request of HTTP/1.0 are faulty framing.
        if framing.chunked && self.version == Version::Http10 {
            return Err(HeadError::Framing("Transfer-Encoding in an HTTP/1.0 request"));
        }
        self.body = match framing.length {
            _ if framing.chunked => BodyLength::Chunked,
            None | Some(0) => BodyLength::Empty,
            Some(length) => BodyLength::Sized(length),
        };
        self.connection = Connection::of(&self.fields)?;
        self.expects_continue = self.check_expectation()?;
        Ok(())
    }

    /// RFC 9112 3.2: exactly one valid `Host` in HTTP/1.1, at most one in HTTP/1.0; and where the target names a host too,
    /// the same one, or a route chosen by one would be reached under the name of the other.
    fn check_host(&self) -> Result<(), HeadError> {
        let mut hosts = self.fields.all(Known::Host);
        let host = hosts.next();
        if hosts.next().is_some() {
            return Err(HeadError::Host("more than one Host"));
        }
        match (host, self.version) {
            (None, Version::Http10) => Ok(()),
            (None, Version::Http11) => Err(HeadError::Host("no Host")),
            (Some(host), _) if !authority::is_valid(host.value) => Err(HeadError::Host("invalid Host")),
            (Some(host), _) => match self.target().authority {
                Some(authority) if !authority.eq_ignore_ascii_case(host.value) => {
                    Err(HeadError::Host("Host differs from the host of the request target"))
                }
                _ => Ok(()),
            },
        }
    }

    /// RFC 9110 10.1.1: the one expectation there is, ignored in HTTP/1.0 and where there is no body to wait with.
    fn check_expectation(&self) -> Result<bool, HeadError> {
        match self.fields.get(Known::Expect) {
            None => Ok(false),
            Some(_) if self.version == Version::Http10 => Ok(false),
            Some(field) if field.value.eq_ignore_ascii_case(b"100-continue") => Ok(self.body != BodyLength::Empty),
            Some(_) => Err(HeadError::Expectation),
        }
    }

    /// The method as it was spelled; methods are case-sensitive (RFC 9110 9.1).
    #[inline]
    pub fn method(&self) -> &[u8] {
        self.fields.text(self.method)
    }

    /// The request target, taken apart.
    #[inline]
    pub fn target(&self) -> Target<'_> {
        Target { authority: self.authority.map(|span| self.fields.text(span)), path: self.fields.text(self.path) }
    }

    /// The host and port the request is for; `None` where an HTTP/1.0 client names none.
    #[inline]
    pub fn authority(&self) -> Option<&[u8]> {
        self.target().authority.or_else(|| self.fields.get(Known::Host).map(|field| field.value))
    }

    /// The field lines, in order.
    #[inline]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The client's version.
    #[inline]
    pub fn version(&self) -> Version {
        self.version
    }

    /// How the end of the body is found.
    #[inline]
    pub fn body(&self) -> BodyLength {
        self.body
    }

    /// Whether the client waits for `100 Continue` before it sends its body.
    #[inline]
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// Whether `Connection` names fields to be removed, beyond the well-known ones.
    #[inline]
    pub fn nominates_fields(&self) -> bool {
        self.connection.nominates
    }

    /// Whether the connection may serve another request after this one (RFC 9112 9.3).
    #[inline]
    pub fn keeps_alive(&self) -> bool {
        match self.version {
            Version::Http11 => !self.connection.close,
            Version::Http10 => self.connection.keep_alive && !self.connection.close,
        }
    }

    /// The protocols that the client would switch to (RFC 9110 7.8). A request with a body is taken without the switch: its
    /// body would have to be read in one protocol and answered in another. `h2c` is not offered on; whoever upgraded with
    /// it would talk past this proxy.
    pub fn upgrade(&self) -> Option<&[u8]> {
        let asks = self.connection.upgrade && self.version == Version::Http11 && self.body == BodyLength::Empty;
        let protocols = self.fields.get(Known::Upgrade).filter(|_| asks)?.value;
        let mut offered = list(protocols).peekable();
        let refused = offered.peek().is_none() || offered.any(|protocol| protocol.eq_ignore_ascii_case(b"h2c"));
        (!refused).then_some(protocols)
    }

    /// RFC 9110 9.2.2: sending it twice does what sending it once does.
    #[inline]
    pub fn is_idempotent(&self) -> bool {
        matches!(self.method(), b"GET" | b"HEAD" | b"OPTIONS" | b"PUT" | b"DELETE")
    }

    /// The field of that meaning, if the head has one.
    #[inline]
    pub fn field(&self, known: Known) -> Option<Field<'_>> {
        self.fields.get(known)
    }
}
