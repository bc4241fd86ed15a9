//! The head of a response as HTTP/2 has it.

use std::cell::RefCell;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, LAST_MODIFIED, LOCATION, SERVER,
    SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};

use super::spelling::concerns_connection;
use crate::rewrite::Head;

/// The head of a response in HTTP/2.
pub(super) struct Said<'a> {
    pub(super) head: Response<()>,
    /// How long it is in the spelling of HTTP/1.1, in bytes.
    pub(super) length: usize,
    values: &'a Values,
}

impl<'a> Said<'a> {
    pub(super) fn new(values: &'a Values) -> Self {
        let mut head = Response::new(());
        *head.version_mut() = Version::HTTP_2;
        Self { head, length: b"HTTP/1.1 200 \r\n\r\n".len(), values }
    }
}

impl Head for Said<'_> {
    fn status(&mut self, status: u16, reason: &[u8], fields: usize) {
        *self.head.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        *self.head.headers_mut() = HeaderMap::with_capacity(fields);
        self.length += reason.len();
    }

    fn put(&mut self, name: &[u8], value: &[u8]) {
        self.length += name.len() + value.len() + b": \r\n".len();
        let said = match usual(name) {
            Some((name, true)) => self.values.get(value).map(|value| (name, value)),
            Some((name, false)) => HeaderValue::from_bytes(value).ok().map(|value| (name, value)),
            None => unusual(name, value),
        };
        if let Some((name, value)) = said {
            self.head.headers_mut().append(name, value);
        }
    }
}

/// A name in HTTP/2 that most responses have, and whether many responses have the same value with it. They are found without being
/// taken apart.
fn usual(name: &[u8]) -> Option<(HeaderName, bool)> {
    Some(match name {
        b"Accept-Ranges" | b"accept-ranges" => (ACCEPT_RANGES, true),
        b"Cache-Control" | b"cache-control" => (CACHE_CONTROL, true),
        b"Content-Length" | b"content-length" => (CONTENT_LENGTH, false),
        b"Content-Type" | b"content-type" => (CONTENT_TYPE, true),
        b"Date" | b"date" => (DATE, true),
        b"ETag" | b"etag" => (ETAG, false),
        b"Last-Modified" | b"last-modified" => (LAST_MODIFIED, false),
        b"Location" | b"location" => (LOCATION, false),
        b"Server" | b"server" => (SERVER, true),
        b"Set-Cookie" | b"set-cookie" => (SET_COOKIE, false),
        b"Vary" | b"vary" => (VARY, true),
        _ => return None,
    })
}

/// Any other field, unless it is one of those that HTTP/2 does not have.
fn unusual(name: &[u8], value: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let (name, sayable) = (HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    (!concerns_connection(&name, value)).then_some((name, sayable))
}

/// Values of fields that were said of late. A replica says the same of most of its responses, and so do others of its kind: to
/// share a value costs less than to look at each of its bytes and to keep a copy.
#[derive(Debug)]
pub(crate) struct Values(RefCell<[Option<HeaderValue>; SHELVES]>);

/// How many values are kept, each on the shelf that its length and two of its bytes say.
const SHELVES: usize = 64;

/// What is longer is seldom said twice.
const LONGEST: usize = 128;

impl Default for Values {
    fn default() -> Self {
        Self(RefCell::new([const { None }; SHELVES]))
    }
}

impl Values {
    /// A value in HTTP/2; None where that cannot say it.
    fn get(&self, value: &[u8]) -> Option<HeaderValue> {
        let Some(last) = value.last().filter(|_| value.len() <= LONGEST) else {
            return HeaderValue::from_bytes(value).ok();
        };
        let middle = value[value.len() / 2];
        let shelf = (value.len() ^ usize::from(*last) ^ usize::from(middle) << 3) % SHELVES;
        let kept = &mut self.0.borrow_mut()[shelf];
        match kept {
            Some(kept) if kept.as_bytes() == value => Some(kept.clone()),
            _ => {
                let new = HeaderValue::from_bytes(value).ok()?;
                Some(kept.insert(new).clone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_it_is_whatever_was_said_before() {
        let values = Values::default();
        let long = "x".repeat(LONGEST + 1);
        for _ in 0..2 {
            for text in ["text/html", "text/html; charset=utf-8", "nginx", "ab", "bb", "", "caf\u{e9}", &long] {
                assert_eq!(values.get(text.as_bytes()).expect("sayable").as_bytes(), text.as_bytes());
            }
            assert!(values.get(b"a\nb").is_none());
        }
        let kept = values.0.borrow();
        assert!(kept.iter().flatten().all(|value| value.len() <= LONGEST));
    }

    #[test]
    fn of_what_concerns_a_connection_nothing_is_said() {
        let values = Values::default();
        let mut said = Said::new(&values);
        said.status(299, b"OK", 2);
        let fields = [("Server", "a"), ("Connection", "close"), ("transfer-encoding", "chunked"), ("Keep-Alive", "1")];
        fields.iter().for_each(|(name, value)| said.put(name.as_bytes(), value.as_bytes()));
        said.put(b"X-Own", b"b");
        said.put(b"server", b"c");
        let told: Vec<_> = said.head.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(told, [("server", &b"a"[..]), ("server", b"c"), ("x-own", b"b")]);
        assert_eq!(said.head.status(), 299);
    }
}
