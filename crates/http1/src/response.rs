//! A response's head (RFC 9112 4) and what it says about the message.

use std::mem::MaybeUninit;

use crate::error::HeadError;
use crate::field::{Fields, Known, Span, list};
use crate::framing::{BodyLength, Framing};
use crate::request::{Connection, RequestHead};
use crate::{HeadLimits, Version};

/// A response's head; reused like [`RequestHead`].
#[derive(Debug, Default)]
pub struct ResponseHead {
    fields: Fields,
    status: u16,
    reason: Span,
    version: Version,
    body: BodyLength,
    connection: Connection,
}

impl ResponseHead {
    /// Parses the head at the front of `window` in place of the one before: its length with its empty line, or `None` where
    /// it has not arrived as a whole.
    ///
    /// # Errors
    /// Whatever is malformed, ambiguous or beyond the limits; see [`HeadError`].
    pub fn parse(
        &mut self,
        window: &[u8],
        request: &RequestHead,
        limits: HeadLimits,
    ) -> Result<Option<usize>, HeadError> {
        let mut table = [const { MaybeUninit::uninit() }; HeadLimits::MOST_FIELDS];
        let room = limits.fields.min(HeadLimits::MOST_FIELDS);
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let status = config.parse_response_with_uninit_headers(&mut parsed, window, &mut table[..room])?;
        let httparse::Status::Complete(length) = status else { return Ok(None) };
        let (Some(code), Some(reason), Some(minor)) = (parsed.code, parsed.reason, parsed.version) else {
            return Ok(None);
        };
        if length > limits.size {
            return Err(HeadError::TooLarge);
        }
        let head = &window[..length];
        if code < 100 {
            return Err(HeadError::Malformed("malformed status line"));
        }
        self.status = code;
        // The tokeniser returns a text of its own where the reason is absent or not ASCII.
        self.reason = if head.as_ptr_range().contains(&reason.as_ptr()) {
            Span::of(reason.as_bytes(), head)
        } else {
            Span::default()
        };
        self.version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        self.fields.take(head);
        self.fields.note(parsed.headers, head)?;
        self.connection = Connection::of(&self.fields)?;
        self.body = self.body_length(request)?;
        Ok(Some(length))
    }

    /// RFC 9112 6.3, in its order.
    fn body_length(&self, request: &RequestHead) -> Result<BodyLength, HeadError> {
        let framing = Framing::of(&self.fields)?;
        let bodiless = request.method() == b"HEAD" || matches!(self.status, 100..=199 | 204 | 304);
        match framing.length {
            _ if bodiless => Ok(BodyLength::Empty),
            _ if framing.chunked && self.version == Version::Http10 => {
                Err(HeadError::Framing("Transfer-Encoding in an HTTP/1.0 response"))
            }
            _ if framing.chunked => Ok(BodyLength::Chunked),
            Some(0) => Ok(BodyLength::Empty),
            Some(length) => Ok(BodyLength::Sized(length)),
            None => Ok(BodyLength::UntilClose),
        }
    }

    /// The status code, from 100 to 999.
    #[inline]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase; often empty.
    #[inline]
    pub fn reason(&self) -> &[u8] {
        self.fields.text(self.reason)
    }

    /// The field lines, in order.
    #[inline]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// How the end of the body is found.
    #[inline]
    pub fn body(&self) -> BodyLength {
        self.body
    }

    /// Whether another response follows to the same request (RFC 9110 15.2); 101 is the last one.
    #[inline]
    pub fn is_interim(&self) -> bool {
        matches!(self.status, 100 | 102..=199)
    }

    /// Whether `Connection` names fields to be removed, beyond the well-known ones.
    #[inline]
    pub fn nominates_fields(&self) -> bool {
        self.connection.nominates
    }

    /// Whether the replica will take another request on this connection (RFC 9112 9.3).
    #[inline]
    pub fn keeps_alive(&self) -> bool {
        let wants = match self.version {
            Version::Http11 => !self.connection.close,
            Version::Http10 => self.connection.keep_alive && !self.connection.close,
        };
        wants && self.body != BodyLength::UntilClose
    }

    /// Whether a 101 switches to one of the `asked` protocols (RFC 9110 15.2.2).
    pub fn switches_to(&self, asked: &[u8]) -> bool {
        let Some(field) = self.fields.get(Known::Upgrade) else { return false };
        let mut chosen = list(field.value).peekable();
        let named = chosen.peek().is_some();
        named && chosen.all(|protocol| list(asked).any(|offer| offer.eq_ignore_ascii_case(protocol)))
    }
}
