//! Trailer fields (RFC 9110 6.5): which of them are passed on.

use crate::HeadLimits;
use crate::error::HeadError;
use crate::field::Known;

/// Appends the field lines of a trailer section that may be passed on, each ended by CRLF.
///
/// RFC 9110 6.5.1: fields that frame, route, authenticate or control a message are no trailers; a recipient that merged them
/// would be told afterwards what it has already acted on. They are left out, the others pass.
/// `section` ends with its empty line, as [`Step::end`](crate::chunked::Step::end) gives it.
///
/// # Errors
/// A section that is malformed or has too many lines.
pub fn copy_allowed(section: &[u8], limits: HeadLimits, out: &mut Vec<u8>) -> Result<(), HeadError> {
    if section.len() <= b"\r\n".len() {
        return Ok(());
    }
    let mut table = [httparse::EMPTY_HEADER; HeadLimits::MOST_FIELDS];
    let room = limits.fields.min(HeadLimits::MOST_FIELDS);
    let httparse::Status::Complete((_, lines)) = httparse::parse_headers(section, &mut table[..room])? else {
        return Err(HeadError::Malformed("incomplete trailer section"));
    };
    for line in lines.iter().filter(|line| is_allowed(line.name.as_bytes())) {
        out.extend_from_slice(line.name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(line.value);
        out.extend_from_slice(b"\r\n");
    }
    Ok(())
}

fn is_allowed(name: &[u8]) -> bool {
    let framed_or_forged = !matches!(Known::of(name), Known::Other);
    let refused = framed_or_forged || name.len() >= 8 && name[..8].eq_ignore_ascii_case(b"content-");
    !refused && !REFUSED.iter().any(|refused| name.eq_ignore_ascii_case(refused))
}

/// Names refused beyond those that [`Known`] tells apart: modifiers of the request, and what controls caches and routes.
const REFUSED: &[&[u8]] = &[
    b"age",
    b"expires",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"location",
    b"max-forwards",
    b"pragma",
    b"range",
    b"retry-after",
    b"trailer",
    b"vary",
    b"warning",
    b"www-authenticate",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(section: &str) -> Result<String, HeadError> {
        let mut out = Vec::new();
        copy_allowed(section.as_bytes(), HeadLimits::default(), &mut out)?;
        Ok(String::from_utf8(out).expect("ascii"))
    }

    #[test]
    fn harmless_trailers_pass_and_others_are_left_out() {
        let section = "Grpc-Status: 0\r\nContent-Length: 9\r\nhost: evil\r\nX_Real_IP: 1\r\nServer-Timing:  a \r\n\r\n";
        assert_eq!(copied(section).unwrap(), "Grpc-Status: 0\r\nServer-Timing: a\r\n");
        assert_eq!(copied("\r\n").unwrap(), "");
    }

    #[test]
    fn malformed_trailers_are_refused() {
        for section in ["Bad Name: x\r\n\r\n", "X: a\r\n b\r\n\r\n", "nocolon\r\n\r\n", "A: b\0\r\n\r\n"] {
            assert!(copied(section).is_err(), "{section:?}");
        }
    }
}
