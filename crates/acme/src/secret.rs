//! Bytes that nobody is to read in a log.

use std::fmt;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

/// A key, which shows as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Decodes what authorities give in base64 for URLs (RFC 8555 7.3.4), or in the usual one. None for what is neither.
    pub fn from_base64(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('=');
        let decoded = BASE64_URL_SAFE_NO_PAD.decode(text).or_else(|_| BASE64_STANDARD_NO_PAD.decode(text));
        decoded.ok().filter(|bytes| !bytes.is_empty()).map(Self)
    }

    /// What it is, for whoever computes with it.
    pub(crate) fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
