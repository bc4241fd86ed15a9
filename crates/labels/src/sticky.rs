//! The signed names in cookies that bring a client back to its replica.
//!
//! A token names the service and the number of the replica, so it outlives the container: who replaces it has the same
//! number. The signature keeps clients from choosing a replica for themselves.

use std::fmt::{self, Write as _};

use aws_lc_rs::hmac::{self, Context, HMAC_SHA256, Key};
use aws_lc_rs::rand::SystemRandom;

/// Octets of the signature that a token carries; 128 bits are not guessed.
const SIGNATURE: usize = 16;

/// The longest name in a token; a browser throws long cookies away. What is cut off is still signed.
const NAME: usize = 64;

/// Signs the tokens in sticky cookies.
#[derive(Clone)]
pub struct StickyKey(Key);

impl StickyKey {
    /// A key that nobody knows and that is gone with this process.
    pub fn random() -> Self {
        Self(Key::generate(HMAC_SHA256, &SystemRandom::new()).expect("the system has random bytes"))
    }

    /// The key that belongs to a secret: the same one after a restart, and in another divisi.
    pub fn from_secret(secret: &str) -> Self {
        Self(Key::new(HMAC_SHA256, secret.as_bytes()))
    }

    /// What a cookie says to come back to the replica of that number: `<service>.<number>.<32 hex digits>`.
    pub fn token(&self, project: &str, service: &str, number: u32) -> String {
        let mut token = String::new();
        for byte in service.bytes().take(NAME) {
            // A dot separates the parts, a percent sign begins what is written in hex; nothing else here needs quoting
            // anywhere a cookie may stand (RFC 6265 4.1.1).
            if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
                token.push(char::from(byte));
            } else {
                push_hex(&mut token, "%", byte);
            }
        }
        // Writing to memory does not fail.
        let _ = write!(token, ".{number}.");
        for byte in self.sign(project, service, number).as_ref().iter().take(SIGNATURE) {
            push_hex(&mut token, "", *byte);
        }
        token
    }

    /// Each name goes in with its length before it, so that no two replicas are signed as the same text.
    fn sign(&self, project: &str, service: &str, number: u32) -> hmac::Tag {
        let mut context = Context::with_key(&self.0);
        for name in [project, service] {
            context.update(&(name.len() as u64).to_be_bytes());
            context.update(name.as_bytes());
        }
        context.update(&number.to_be_bytes());
        context.sign()
    }
}

impl Default for StickyKey {
    fn default() -> Self {
        Self::random()
    }
}

impl fmt::Debug for StickyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StickyKey(secret)")
    }
}

fn push_hex(text: &mut String, before: &str, byte: u8) {
    // Writing to memory does not fail.
    let _ = write!(text, "{before}{byte:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "correct horse battery staple";

    #[test]
    fn the_same_replica_has_the_same_token_after_a_restart() {
        let token = StickyKey::from_secret(SECRET).token("shop", "web", 3);
        assert_eq!(token, StickyKey::from_secret(SECRET).token("shop", "web", 3));
        assert_ne!(token, StickyKey::random().token("shop", "web", 3));
        let parts: Vec<_> = token.split('.').collect();
        assert_eq!(parts[..2], ["web", "3"]);
        assert!(parts.len() == 3 && parts[2].len() == 32 && parts[2].bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn it_is_the_hmac_that_others_compute() {
        // printf '\0\0\0\0\0\0\0\4shop\0\0\0\0\0\0\0\3web\0\0\0\3' | openssl dgst -sha256 -hmac "$SECRET"
        let token = StickyKey::from_secret(SECRET).token("shop", "web", 3);
        assert_eq!(token, "web.3.74ae6fa91cfb998ea79cc652fb1be186");
    }

    #[test]
    fn no_two_replicas_are_signed_as_one() {
        let key = StickyKey::random();
        let long = "x".repeat(200);
        let mut tokens = Vec::new();
        for (project, service) in
            [("a", "b"), ("", "ab"), ("ab", ""), ("a", "b.1"), ("a", "B"), ("a", &long), ("a", &long[1..])]
        {
            tokens.extend((1..=11).map(|number| key.token(project, service, number)));
        }
        let count = tokens.len();
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), count);
    }

    #[test]
    fn it_may_stand_in_a_cookie_whatever_the_service_is_called() {
        let token = StickyKey::random().token("p", "a.b;c=d \"\r\nü,\\", 7);
        assert!(token.starts_with("a%2eb%3bc%3dd%20%22%0d%0a%c3%bc%2c%5c.7."), "{token}");
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%.-_".contains(&byte)), "{token}");
        assert!(StickyKey::random().token("p", &"\n".repeat(100_000), u32::MAX).len() < 256);
    }

    #[test]
    fn the_secret_is_not_shown() {
        let shown = format!("{:?}", StickyKey::from_secret(SECRET));
        assert!(!shown.contains("horse"), "{shown}");
    }
}
