//! Request targets (RFC 9112 3.2): the form in which a client names what it wants.

use crate::authority;
use crate::error::HeadError;

/// A request target, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The host and port of an absolute-form target; it wins over `Host` (RFC 9112 3.2.2).
    pub authority: Option<&'a [u8]>,
    /// The path and query to send on: starts with `/`, or is `*`; empty where an absolute form names no path.
    pub path: &'a [u8],
}

impl<'a> Target<'a> {
    /// Takes a target apart.
    ///
    /// # Errors
    /// A form that RFC 9112 3.2 does not know for that method, bytes that belong into no URI, or a fragment, which a client
    /// never sends (RFC 9110 4.2.5).
    pub fn parse(target: &'a [u8], method: &[u8]) -> Result<Self, HeadError> {
        if !target.iter().all(u8::is_ascii_graphic) {
            return Err(HeadError::Target("request target holds bytes that no URI has"));
        }
        if target.contains(&b'#') {
            return Err(HeadError::Target("request target has a fragment"));
        }
        match target {
            [b'/', ..] => Ok(Self { authority: None, path: target }),
            b"*" if method == b"OPTIONS" => Ok(Self { authority: None, path: target }),
            _ => Self::absolute(target),
        }
    }

    /// Absolute-form: `http://host[:port][/path][?query]`, which a server MUST accept (RFC 9112 3.2.2).
    fn absolute(target: &'a [u8]) -> Result<Self, HeadError> {
        let rest = strip_scheme(target).ok_or(HeadError::Target("request target is no path"))?;
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if !authority::is_valid(authority) {
            return Err(HeadError::Target("request target has an invalid host"));
        }
        Ok(Self { authority: Some(authority), path })
    }

    /// The path alone (RFC 3986 3.3).
    pub fn without_query(self) -> &'a [u8] {
        self.path.split(|byte| *byte == b'?').next().unwrap_or_default()
    }

    /// Writes the target in origin-form, as a replica expects it (RFC 9112 3.2.1 and 3.2.4).
    pub fn write_origin_form(&self, method: &[u8], out: &mut Vec<u8>) {
        match self.path {
            [] if method == b"OPTIONS" => out.push(b'*'),
            [] => out.push(b'/'),
            [b'?', ..] => {
                out.push(b'/');
                out.extend_from_slice(self.path);
            }
            path => out.extend_from_slice(path),
        }
    }
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| match target.split_at_checked(scheme.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(scheme) => Some(rest),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin_form(target: &str, method: &str) -> Option<String> {
        let target = Target::parse(target.as_bytes(), method.as_bytes()).ok()?;
        let mut out = Vec::new();
        target.write_origin_form(method.as_bytes(), &mut out);
        String::from_utf8(out).ok()
    }

    #[test]
    fn each_form_becomes_the_origin_form() {
        for (target, method, expected) in [
            ("/a?b", "GET", "/a?b"),
            ("*", "OPTIONS", "*"),
            ("http://app.test/x", "GET", "/x"),
            ("HTTP://app.test", "GET", "/"),
            ("http://app.test?q", "GET", "/?q"),
            ("http://app.test", "OPTIONS", "*"),
            ("https://app.test:443/", "GET", "/"),
        ] {
            assert_eq!(origin_form(target, method).as_deref(), Some(expected), "{method} {target}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for target in [
            "*",
            "admin",
            "app.test:80",
            "ftp://app.test/",
            "http://",
            "http:///x",
            "http://u@app.test/",
            "/a#b",
            "/\u{e9}",
        ] {
            assert_eq!(origin_form(target, "GET"), None, "{target}");
        }
    }
}
