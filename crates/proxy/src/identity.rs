//! Who a client is: its address, and whom it speaks for where that is believed.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use divisi_http1::field::list;
use divisi_http1::{Known, RequestHead};

use crate::settings::Settings;

/// What is known of a connection inside TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seal {
    /// The file with the authorities, one of which has signed the client's certificate.
    pub(crate) client_authority: Option<Arc<str>>,
}

/// Which HTTP a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Speech {
    #[default]
    Http1,
    Http2,
}

/// What is known of the peer of a client's connection.
#[derive(Debug)]
pub(crate) struct Identity {
    peer: IpAddr,
    /// The port that it comes from.
    port: u16,
    /// What TLS says of it; None where there is none.
    pub(crate) seal: Option<Seal>,
    pub(crate) speech: Speech,
    /// It came in where TLS is expected, and does not speak it.
    pub(crate) is_misled: bool,
    /// The same as text, which every request wants.
    address: String,
    /// What it says about whom it speaks for is believed.
    pub(crate) trusted: bool,
}

impl Identity {
    pub(crate) fn new(peer: SocketAddr, trusted: bool) -> Self {
        let (peer, port) = (peer.ip().to_canonical(), peer.port());
        Self { peer, port, seal: None, speech: Speech::Http1, is_misled: false, address: peer.to_string(), trusted }
    }

    /// Whether a request has come inside TLS, here or at a proxy before us that is trusted.
    pub(crate) fn is_secure(&self, head: &RequestHead) -> bool {
        let is_https = |head: &RequestHead| {
            let said = head.field(Known::XForwardedProto);
            said.is_some_and(|field| field.value.eq_ignore_ascii_case(b"https"))
        };
        self.seal.is_some() || self.trusted && is_https(head)
    }

    /// The peer's address.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Where its connection comes from.
    pub(crate) fn source(&self) -> SocketAddr {
        SocketAddr::new(self.peer, self.port)
    }

    /// The peer's address as text.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Who asks: the peer, or whom it speaks for, if it is a proxy that is trusted.
    ///
    /// Each proxy adds the address of its own peer to the end of `X-Forwarded-For`. So it is believed from its end on as long as
    /// it names trusted proxies; the first other address is the client, and nothing before it was written by anybody who is
    /// trusted. What is no address hides all that is before it.
    pub(crate) fn client(&self, head: &RequestHead, settings: &Settings) -> IpAddr {
        if !self.trusted || !head.fields().has(Known::XForwardedFor) {
            return self.peer;
        }
        let (mut stranger, mut farthest) = (None, None);
        let fields = head.fields().all(Known::XForwardedFor);
        for member in fields.flat_map(|field| list(field.value)) {
            match address(member) {
                None => (stranger, farthest) = (None, None),
                Some(address) if settings.trusts(address) => farthest = farthest.or(Some(address)),
                Some(address) => stranger = Some(address),
            }
        }
        stranger.or(farthest).unwrap_or(self.peer)
    }
}

/// An address, with a port or without: both are seen.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use divisi_http1::HeadLimits;

    use super::*;

    fn client(peer: &str, fields: &str) -> String {
        let trust = ["10.0.0.0/8", "fd00::/8"].iter().map(|net| net.parse().expect("a network")).collect();
        let settings = Settings { trust, ..Settings::at(SocketAddr::from(([127, 0, 0, 1], 0))) };
        let peer = SocketAddr::new(peer.parse().expect("an address"), 4711);
        let mut head = RequestHead::default();
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        head.parse(text.as_bytes(), HeadLimits::default()).expect("a head").expect("all of it");
        Identity::new(peer, settings.trusts(peer.ip())).client(&head, &settings).to_string()
    }

    #[test]
    fn of_those_whom_trusted_proxies_name_the_last_stranger_counts() {
        for (peer, fields, expected) in [
            ("192.0.2.1", "X-Forwarded-For: 198.51.100.1\r\n", "192.0.2.1"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("::ffff:10.0.0.1", "X-Forwarded-For: 198.51.100.1\r\n", "198.51.100.1"),
            ("10.0.0.1", "X-Forwarded-For: 6.6.6.6, 198.51.100.1, 10.0.0.2\r\n", "198.51.100.1"),
            ("10.0.0.1", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 198.51.100.1,,10.0.0.2\r\n", "198.51.100.1"),
            ("10.0.0.1", "X-Forwarded-For: 198.51.100.1:4711\r\n", "198.51.100.1"),
            ("10.0.0.1", "X-Forwarded-For: [2001:db8::1]:80, [fd00::1]\r\n", "2001:db8::1"),
            ("10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3"),
            ("10.0.0.1", "X-Forwarded-For: 6.6.6.6, unknown, 10.0.0.2\r\n", "10.0.0.2"),
            ("10.0.0.1", "X-Forwarded-For: 6.6.6.6, unknown\r\n", "10.0.0.1"),
            ("10.0.0.1", "X-Forwarded-For: \u{ff}\r\n", "10.0.0.1"),
        ] {
            assert_eq!(client(peer, fields), expected, "{peer} {fields}");
        }
    }
}
