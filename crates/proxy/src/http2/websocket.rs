//! The handshake of WebSocket, which HTTP/1.1 has (RFC 6455 4) and HTTP/2 has not (RFC 8441 5).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use divisi_http1::RequestHead;
use h2::ext::Protocol;
use http::{Method, Request};

/// RFC 6455 1.3.
const SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// RFC 6455 4.1: a nonce, new for each handshake.
pub(crate) fn key() -> String {
    let mut nonce = [0; 16];
    // It proves only that the other side speaks WebSocket. A machine without randomness gets no TLS either.
    rand::fill(&mut nonce).ok();
    STANDARD.encode(nonce)
}

/// RFC 6455 4.2.2: what a server that has understood `key` answers to it.
pub(crate) fn accept(key: &[u8]) -> String {
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, SUFFIX].concat()))
}

/// What the client of a request has to hear from a replica that speaks WebSocket.
pub(crate) fn accept_of(request: &RequestHead) -> String {
    let mut fields = request.fields().iter();
    let key = fields.find(|field| field.name.eq_ignore_ascii_case(b"sec-websocket-key"));
    accept(key.map_or(&[], |key| key.value))
}

/// Makes of the head of an upgrade the extended CONNECT that it is in HTTP/2 (RFC 8441 4).
pub(crate) fn ask_by_connect(head: &mut Request<()>) {
    *head.method_mut() = Method::CONNECT;
    head.headers_mut().remove("sec-websocket-key");
    head.extensions_mut().insert(Protocol::from_static("websocket"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_answered_as_the_rfc_shows() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn keys_are_sixteen_bytes_and_differ() {
        assert_eq!(STANDARD.decode(key()).expect("base64").len(), 16);
        assert_ne!(key(), key());
    }
}
