//! Which paths are the same.
//!
//! Rules are compared with a path in **canonical form**: escapes of bytes that mean nothing in a URI are decoded, escapes of
//! reserved ones (RFC 3986 2.2, and `%` itself) are kept, in upper case, and several slashes are one. So `/a%20b` and
//! `//%61%20b` are `/a b`, and `/a%2fb` is `/a%2Fb` and never `/a/b`. That is what Traefik does; the raw path would let `/%61dmin` and `//admin` go around a rule for `/admin`, and a
//! fully decoded one would take a slash in a name for one between names. What is sent on is the path as it came.

use std::error::Error;
use std::fmt;

/// The path has a segment `.` or `..`, spelled out or percent-encoded. No client sends one (RFC 3986 5.2.4 has it removed
/// before), and whether the replica removes it nobody here knows: any route chosen for it could be the wrong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DotSegment;

impl Error for DotSegment {}

impl fmt::Display for DotSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "path has a segment . or .. in it")
    }
}

/// The canonical form of a path without its query; `raw` itself where it is in that form, else it is written to `buffer`.
/// An escape that is none (`%zz`) stays as it is. An empty path is `/` (RFC 9110 4.2.3).
///
/// # Errors
/// The path has dot segments; the client is to be told so.
pub fn canonical<'a>(raw: &'a [u8], buffer: &'a mut Vec<u8>) -> Result<&'a [u8], DotSegment> {
    let path = match raw {
        [] => b"/",
        raw if raw.contains(&b'%') || raw.windows(2).any(|pair| pair == b"//") => {
            decode_into(raw, buffer);
            buffer.as_slice()
        }
        raw => raw,
    };
    if has_dot_segment(path) { Err(DotSegment) } else { Ok(path) }
}

fn decode_into(raw: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.reserve(raw.len());
    let mut rest = raw;
    while let [first, after @ ..] = rest {
        rest = after;
        match escaped(first, after) {
            Some(byte) => {
                rest = &after[2..];
                if is_reserved(byte) {
                    out.extend([b'%', after[0].to_ascii_uppercase(), after[1].to_ascii_uppercase()]);
                } else {
                    out.push(byte);
                }
            }
            None if *first == b'/' && out.last() == Some(&b'/') => {}
            None => out.push(*first),
        }
    }
}

/// The byte for which `first` and the two after it stand.
pub(crate) fn escaped(first: &u8, after: &[u8]) -> Option<u8> {
    let (b'%', [high, low, ..]) = (first, after) else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

pub(crate) fn is_reserved(byte: u8) -> bool {
    b":/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn has_dot_segment(path: &[u8]) -> bool {
    // Few paths have a dot behind a slash at all.
    let mut behind_slash = path.windows(2).enumerate().filter(|(_, pair)| pair == b"/.");
    behind_slash.any(|(at, _)| {
        let segment = &path[at + 1..];
        let end = segment.iter().position(|byte| *byte == b'/').unwrap_or(segment.len());
        matches!(&segment[..end], b"." | b"..")
    })
}

/// Whether `path` is `base` or lies below it; `base` has no slash at its end.
pub(crate) fn is_within(path: &[u8], base: &[u8]) -> bool {
    path.strip_prefix(base).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(raw: &str) -> Option<String> {
        let mut buffer = Vec::new();
        let path = canonical(raw.as_bytes(), &mut buffer).ok()?;
        Some(String::from_utf8_lossy(path).into_owned())
    }

    #[test]
    fn escapes_that_mean_nothing_are_decoded() {
        for (raw, expected) in [
            ("", "/"),
            ("/a/b", "/a/b"),
            ("/%61dmin", "/admin"),
            ("/a%20b", "/a b"),
            ("/a%2fb%2Fc", "/a%2Fb%2Fc"),
            ("/100%25", "/100%25"),
            ("/%2561", "/%2561"),
            ("/%c3%a9", "/\u{e9}"),
            ("/%zz%4", "/%zz%4"),
            ("/%", "/%"),
            ("/..a/...", "/..a/..."),
            ("//", "/"),
            ("//a///b//", "/a/b/"),
            ("/a/%2f/b", "/a/%2F/b"),
            ("*", "*"),
        ] {
            assert_eq!(of(raw).as_deref(), Some(expected), "{raw}");
        }
    }

    #[test]
    fn dot_segments_are_refused_in_every_spelling() {
        for raw in ["/.", "/..", "/a/../b", "/a/./b", "/a/%2e%2E/b", "/a/.%2e", "/../"] {
            assert_eq!(of(raw), None, "{raw}");
        }
    }

    #[test]
    fn below_means_segments() {
        for (path, base, expected) in [
            ("/api", "/api", true),
            ("/api/x", "/api", true),
            ("/apiary", "/api", false),
            ("/x", "", true),
            ("*", "", false),
        ] {
            assert_eq!(is_within(path.as_bytes(), base.as_bytes()), expected, "{path} {base}");
        }
    }
}
