//! How long a body is. Whoever gets this wrong reads one message as two, so everything ambiguous is refused.

use crate::error::HeadError;
use crate::field::{Fields, Known};

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyLength {
    /// In chunks, the last of them empty (RFC 9112 7.1).
    Chunked,
    /// No body.
    #[default]
    Empty,
    /// This many bytes.
    Sized(u64),
    /// Everything until the replica closes; responses only.
    UntilClose,
}

/// What the framing fields of a head say: the one `Content-Length` and whether the one transfer coding is chunked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Framing {
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
}

impl Framing {
    /// RFC 9112 6.1 and 6.3, read strictly:
    /// 1. several `Content-Length` lines, lists of them, signs, leading zeros, an empty value: refused, equal values too;
    /// 2. a transfer coding other than exactly one `chunked`: refused, since its body could not be passed on unchanged;
    /// 3. both fields in one message: refused, which the RFC allows for and calls an attempt at smuggling.
    pub(crate) fn of(fields: &Fields) -> Result<Self, HeadError> {
        let mut framing = Self::default();
        for field in fields.all(Known::ContentLength) {
            if framing.length.is_some() {
                return Err(HeadError::Framing("more than one Content-Length"));
            }
            framing.length = Some(content_length(field.value)?);
        }
        for field in fields.all(Known::TransferEncoding) {
            if framing.chunked || !field.value.eq_ignore_ascii_case(b"chunked") {
                return Err(HeadError::Framing("a transfer coding other than chunked"));
            }
            framing.chunked = true;
        }
        if framing.chunked && framing.length.is_some() {
            return Err(HeadError::Framing("both Content-Length and Transfer-Encoding"));
        }
        Ok(framing)
    }
}

/// RFC 9110 8.6: digits only. At most 2^63 - 1, so that no reader's signed number overflows.
fn content_length(value: &[u8]) -> Result<u64, HeadError> {
    const REFUSED: HeadError = HeadError::Framing("invalid Content-Length");
    let canonical = value == b"0" || matches!(value.first(), Some(b'1'..=b'9'));
    if !canonical || value.len() > 19 {
        return Err(REFUSED);
    }
    let mut number = 0u64;
    for digit in value {
        if !digit.is_ascii_digit() {
            return Err(REFUSED);
        }
        number = number * 10 + u64::from(digit - b'0');
    }
    if number > i64::MAX as u64 { Err(REFUSED) } else { Ok(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_lengths_are_read() {
        assert_eq!(content_length(b"0"), Ok(0));
        assert_eq!(content_length(b"9223372036854775807"), Ok(i64::MAX as u64));
        for value in
            ["", "+5", "-6", "0x5", "05", "00", "5,5", "5 5", "1_0", "9223372036854775808", "99999999999999999999"]
        {
            assert!(content_length(value.as_bytes()).is_err(), "{value:?}");
        }
    }
}
