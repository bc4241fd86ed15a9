//! Heads of HTTP/2 in the spelling of HTTP/1.1, and back.
//!
//! A head that comes as HTTP/2 is spelled as HTTP/1.1 and goes through the same strict parser as every other, so that there is
//! one judge of what is a request. What the rewriting makes of it is HTTP/1.1, too, and is said in HTTP/2 where the other side
//! speaks that.

use bytes::Bytes;
use divisi_http1::field::list;
use divisi_http1::{HeadError, HeadLimits};
use h2::ext::Protocol;
use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use memchr::memchr;

use crate::error::Error;
use crate::rewrite::put;

/// As many fields as most requests have, and no more: room for one more is twice the room.
const FIELDS: usize = 12;

/// Spells the head of a request, of which `has_body` says whether anything follows it.
///
/// # Errors
/// It says of its host one thing here and another there, or has more fields than may be.
pub(crate) fn request<B>(
    asked: &Request<B>,
    has_body: bool,
    key: Option<&str>,
    limits: HeadLimits,
    out: &mut Vec<u8>,
) -> Result<(), HeadError> {
    let (uri, headers) = (asked.uri(), asked.headers());
    // Crumbs of a cookie count one by one: a byte each on the wire, many of them cost what they are joined to.
    if headers.len() > limits.fields {
        return Err(HeadError::TooManyFields);
    }
    if uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
        return Err(HeadError::Target("the scheme is neither http nor https"));
    }
    let method = if key.is_some() { &Method::GET } else { asked.method() };
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    match uri.path_and_query() {
        Some(path) if *method != Method::CONNECT => out.extend_from_slice(path.as_str().as_bytes()),
        _ => out.extend_from_slice(uri.authority().map_or("", Authority::as_str).as_bytes()),
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let mut heard = Heard { authority: uri.authority().map(Authority::as_str), ..Heard::default() };
    if let Some(authority) = heard.authority {
        put(out, b"host", authority.as_bytes());
    }
    for (name, value) in headers {
        if heard.passes(name, value)? {
            put(out, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    if heard.has_cookie {
        crumbs(headers, out);
    }
    if let Some(key) = key {
        let protocol = asked.extensions().get::<Protocol>().map_or("", Protocol::as_str);
        put(out, b"Connection", b"Upgrade");
        put(out, b"Upgrade", protocol.as_bytes());
        put(out, b"Sec-WebSocket-Key", key.as_bytes());
    } else if has_body && !heard.has_length {
        put(out, b"Transfer-Encoding", b"chunked");
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// What the fields of a request have said so far.
#[derive(Default)]
struct Heard<'a> {
    authority: Option<&'a str>,
    has_host: bool,
    has_cookie: bool,
    has_length: bool,
}

impl Heard<'_> {
    /// Whether a field is spelled where it stands.
    ///
    /// RFC 9113 8.3.1: `:authority` says the host, or else `Host` does; where both do they say the same, or a route chosen by one
    /// would be reached under the name of the other.
    fn passes(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<bool, HeadError> {
        match *name {
            // RFC 9112 3.2: one is right, and of two nobody knows which a replica would take.
            HOST if std::mem::replace(&mut self.has_host, true) => return Err(HeadError::Host("several Host fields")),
            HOST => {
                let Some(authority) = self.authority else { return Ok(true) };
                if !value.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) {
                    return Err(HeadError::Host("Host differs from :authority"));
                }
                return Ok(false);
            }
            COOKIE => self.has_cookie = true,
            CONTENT_LENGTH => self.has_length = true,
            _ => {}
        }
        Ok(*name != COOKIE)
    }
}

/// RFC 9113 8.2.3: crumbs are one field again where they leave HTTP/2.
fn crumbs(headers: &HeaderMap, out: &mut Vec<u8>) {
    for (number, crumb) in headers.get_all(COOKIE).iter().enumerate() {
        out.extend_from_slice(if number == 0 { b"cookie: " } else { b"; " });
        out.extend_from_slice(crumb.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Spells field lines.
pub(crate) fn fields<'a>(fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>, out: &mut Vec<u8>) {
    fields.for_each(|(name, value)| put(out, name.as_str().as_bytes(), value.as_bytes()));
}

/// Spells the head of a response in the place of what is in `out`. Where it opens a tunnel for WebSocket (RFC 8441 5), it is the one that
/// does so in HTTP/1.1, with what proves it. A body of unknown length ends by itself, as it does in HTTP/2, and may be empty.
pub(crate) fn respell(response: &Response<()>, accept: Option<&str>, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(b"HTTP/1.1 ");
    let status = if accept.is_some() { StatusCode::SWITCHING_PROTOCOLS } else { response.status() };
    out.extend_from_slice(status.as_str().as_bytes());
    out.extend_from_slice(b" \r\n");
    fields(response.headers().iter(), out);
    if let Some(accept) = accept {
        put(out, b"Connection", b"Upgrade");
        put(out, b"Upgrade", b"websocket");
        put(out, b"Sec-WebSocket-Accept", accept.as_bytes());
    } else if !response.headers().contains_key(CONTENT_LENGTH) && !response.status().is_informational() {
        put(out, b"Transfer-Encoding", b"chunked");
    }
    out.extend_from_slice(b"\r\n");
}

/// What a spelled head of a request says, in HTTP/2. `host` is what it is asked for, `scheme` how the replica is reached.
///
/// # Errors
/// What a strict parser has let pass, HTTP/2 cannot say.
pub(crate) fn said_request(text: &[u8], is_secure: bool) -> Result<Request<()>, Error> {
    let (line, rest) = first_line(text);
    let unsayable = || Error::BadRequest(HeadError::Target("a request target that HTTP/2 cannot say"));
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut host = None;
    let headers = said_fields(rest, |name, value| {
        let is_host = name == HOST;
        if is_host {
            host = Authority::try_from(value).ok();
        }
        is_host
    });
    let uri = Uri::builder()
        .scheme(if is_secure { Scheme::HTTPS } else { Scheme::HTTP })
        .authority(host.ok_or_else(unsayable)?)
        .path_and_query(PathAndQuery::try_from(path).map_err(|_| unsayable())?)
        .build()
        .map_err(|_| unsayable())?;
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method).map_err(|_| unsayable())?;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Spelled field lines in HTTP/2, which has no word for what concerns a connection (RFC 9113 8.2.2), and without those that
/// `is_said` elsewhere.
pub(crate) fn said_fields(lines: &[u8], mut is_said: impl FnMut(&HeaderName, &[u8]) -> bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(FIELDS);
    // One copy for all values.
    let text = Bytes::copy_from_slice(lines);
    let mut rest = &*text;
    while !rest.is_empty() {
        let (line, behind) = first_line(rest);
        rest = behind;
        let Some(colon) = memchr(b':', line) else { continue };
        let (Ok(name), value) = (HeaderName::from_bytes(&line[..colon]), line[colon + 1..].trim_ascii()) else {
            continue;
        };
        if concerns_connection(&name, value) || is_said(&name, value) {
            continue;
        }
        if let Ok(sayable) = HeaderValue::from_maybe_shared(text.slice_ref(value)) {
            headers.append(name, sayable);
        }
    }
    headers
}

/// Whether HTTP/2 has no word for a field.
pub(super) fn concerns_connection(name: &HeaderName, value: &[u8]) -> bool {
    match *name {
        CONNECTION | TRANSFER_ENCODING | UPGRADE => true,
        TE => list(value).any(|coding| !coding.eq_ignore_ascii_case(b"trailers")),
        _ => matches!(name.as_str(), "keep-alive" | "proxy-connection"),
    }
}

fn first_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr(b'\n', text).map_or(text.len(), |at| at + 1);
    let (line, rest) = text.split_at(end);
    (line.trim_ascii_end(), rest)
}
