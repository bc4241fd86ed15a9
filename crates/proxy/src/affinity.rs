//! Which replica a request should come back to: by a cookie of ours, or by something it says.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use divisi_http1::RequestHead;
use divisi_model::spec::{Affinity, HashKey};
use divisi_model::{Replica, Service, Wanted};

/// What a request says about its replica, and what the response is to say.
#[derive(Debug, Default)]
pub(crate) struct Tie {
    pub(crate) wanted: Wanted,
    /// The cookie that is to be set, unless the request has brought the right one.
    pub(crate) cookie: Option<Cookie>,
}

/// A cookie that names a replica.
#[derive(Debug)]
pub(crate) struct Cookie {
    pub(crate) name: Arc<str>,
    /// The number of the replica that the request came for, and that it may still come back to: then the cookie stays.
    named: Option<u32>,
}

impl Cookie {
    /// What the client is to keep from now on, if it is anything new.
    pub(crate) fn news<'a>(&self, replica: &'a Replica) -> Option<&'a str> {
        (self.named.is_none() && !replica.token().is_empty()).then(|| replica.token())
    }
}

/// What ties the request to a replica of the service; `client` is the client's address.
pub(crate) fn of(service: &Service, request: &RequestHead, client: &str) -> Tie {
    match &service.spec().affinity {
        Affinity::None => Tie::default(),
        Affinity::Cookie(name) => by_cookie(service, request, name),
        Affinity::Hash(key) => {
            let hash = text(request, key, client).map(hash);
            Tie { wanted: hash.map_or(Wanted::Any, Wanted::Hash), cookie: None }
        }
    }
}

/// The token is compared as a whole, so that only what we have signed leads to a replica. One whose replica is away for a moment
/// cannot be compared; it is believed as far as to keep it.
fn by_cookie(service: &Service, request: &RequestHead, name: &Arc<str>) -> Tie {
    let token = cookie(request, name.as_bytes()).and_then(|token| std::str::from_utf8(token).ok());
    let number = token.and_then(number);
    let named = number.filter(|&number| match service.numbered(number) {
        Some(replica) => token == Some(replica.token()),
        None => service.expects(number),
    });
    Tie { wanted: named.map_or(Wanted::Any, Wanted::Number), cookie: Some(Cookie { name: Arc::clone(name), named }) }
}

/// `service.number.signature`.
fn number(token: &str) -> Option<u32> {
    token.rsplit('.').nth(1)?.parse().ok()
}

fn text<'a>(request: &'a RequestHead, key: &HashKey, client: &'a str) -> Option<&'a [u8]> {
    match key {
        HashKey::Client => Some(client.as_bytes()),
        HashKey::Path => Some(request.target().without_query()),
        HashKey::Header(name) => field(request, name.as_bytes()),
        HashKey::Cookie(name) => cookie(request, name.as_bytes()),
    }
}

fn field<'a>(request: &'a RequestHead, name: &[u8]) -> Option<&'a [u8]> {
    request.fields().iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

/// RFC 6265 4.2: `Cookie: name=value; name=value`.
fn cookie<'a>(request: &'a RequestHead, name: &[u8]) -> Option<&'a [u8]> {
    let fields = request.fields().iter().filter(|field| field.name.eq_ignore_ascii_case(b"cookie"));
    let mut pairs = fields.flat_map(|field| field.value.split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="))
}

/// SipHash with a key that is always the same: every divisi sends the same text to the same replica.
fn hash(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text);
    hasher.finish()
}
