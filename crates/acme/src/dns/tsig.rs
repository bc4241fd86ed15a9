//! Signs an update with a shared key (RFC 8945), so that the server knows that we may.

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use thiserror::Error;

use super::DnsError;
use super::message::{ANY, TSIG, put_name, put_record};
use crate::secret::Secret;

/// How far the server's clock may be from ours, in seconds (RFC 8945 10).
const FUDGE: u16 = 300;

/// A shared key. Its secret never shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tsig {
    name: String,
    algorithm: Algorithm,
    secret: Secret,
}

/// How it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// hmac-sha256, which every server has.
    Sha256,
    /// hmac-sha512
    Sha512,
}

/// A text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a key for updates; write NAME:ALGORITHM:SECRET with hmac-sha256 or hmac-sha512, and the secret in base64")]
pub struct TsigError;

impl FromStr for Tsig {
    type Err = TsigError;

    /// Reads `NAME:ALGORITHM:SECRET`.
    fn from_str(text: &str) -> Result<Self, TsigError> {
        let mut parts = text.splitn(3, ':');
        let (Some(name), Some(algorithm), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(TsigError);
        };
        let algorithm = match algorithm.to_ascii_lowercase().as_str() {
            "hmac-sha256" => Algorithm::Sha256,
            "hmac-sha512" => Algorithm::Sha512,
            _ => return Err(TsigError),
        };
        let secret = Secret::from_base64(secret).ok_or(TsigError)?;
        put_name(&mut Vec::new(), name).map_err(|_| TsigError)?;
        Ok(Self { name: name.to_ascii_lowercase(), algorithm, secret })
    }
}

impl Tsig {
    /// Adds the signature to a message, as its last record.
    pub(super) fn sign(&self, message: &mut Vec<u8>, now: SystemTime) -> Result<(), DnsError> {
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // 48 bits
        let time = &seconds.to_be_bytes()[2..];
        let algorithm = self.algorithm_name()?;
        let (error, other_length) = ([0; 2], [0; 2]);
        // RFC 8945 4.3.3: the message without the record, and the parts of the record that say something.
        let mut signed = message.clone();
        put_name(&mut signed, &self.name)?;
        signed.extend(ANY.to_be_bytes());
        signed.extend(0_u32.to_be_bytes());
        signed.extend(&algorithm);
        signed.extend(time);
        signed.extend(FUDGE.to_be_bytes());
        signed.extend([error, other_length].concat());
        let mac = hmac::sign(&self.key(), &signed);
        let mut data = algorithm;
        data.extend(time);
        data.extend(FUDGE.to_be_bytes());
        let length = u16::try_from(mac.as_ref().len()).expect("a code has at most 64 bytes");
        data.extend(length.to_be_bytes());
        data.extend(mac.as_ref());
        data.extend(&message[..2]);
        data.extend([error, other_length].concat());
        put_record(message, &self.name, (TSIG, ANY, 0), &data)?;
        // One more in the section of additional records.
        let count = u16::from_be_bytes([message[10], message[11]]) + 1;
        message[10..12].copy_from_slice(&count.to_be_bytes());
        Ok(())
    }

    fn algorithm_name(&self) -> Result<Vec<u8>, DnsError> {
        let mut name = Vec::new();
        put_name(
            &mut name,
            match self.algorithm {
                Algorithm::Sha256 => "hmac-sha256",
                Algorithm::Sha512 => "hmac-sha512",
            },
        )?;
        Ok(name)
    }

    fn key(&self) -> hmac::Key {
        let algorithm = match self.algorithm {
            Algorithm::Sha256 => hmac::HMAC_SHA256,
            Algorithm::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::Key::new(algorithm, self.secret.reveal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_and_does_not_show() {
        let key: Tsig = "Key.Example:HMAC-SHA512:c2VjcmV0Kys=".parse().unwrap();
        assert_eq!((key.name.as_str(), key.algorithm), ("key.example", Algorithm::Sha512));
        assert_eq!(key.secret.reveal(), b"secret++");
        assert!(!format!("{key:?}").contains("secret+"), "{key:?}");
        for wrong in
            ["", "a", "a:b", "a:hmac-md5:c2VjcmV0", "a:hmac-sha256:", "a:hmac-sha256:!!", ":hmac-sha256:c2VjcmV0"]
        {
            assert_eq!(wrong.parse::<Tsig>(), Err(TsigError), "{wrong}");
        }
    }
}
