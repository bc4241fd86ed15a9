//! The handshake of WebSocket, which HTTP/1.1 has (RFC 6455 4) and HTTP/2 has not (RFC 8441 5).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// RFC 6455 1.3.
const SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// RFC 6455 4.1: a nonce, new for each handshake.
pub(super) fn key() -> String {
    let mut nonce = [0; 16];
    // It proves only that the other side speaks WebSocket. A machine without randomness gets no TLS either.
    rand::fill(&mut nonce).ok();
    STANDARD.encode(nonce)
}

/// RFC 6455 4.2.2: what a server that has understood `key` answers to it.
pub(super) fn accept(key: &[u8]) -> String {
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, SUFFIX].concat()))
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
