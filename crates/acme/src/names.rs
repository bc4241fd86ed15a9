//! A set of names that share one certificate.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use thiserror::Error;

/// Let's Encrypt and most others take no more in one certificate.
const MOST: usize = 100;

/// Names that share one certificate: lower case, sorted, each once, none that a wildcard among them covers anyway (which an
/// authority would refuse as redundant).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameSet(Arc<[String]>);

/// No certificate can be had for this.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing was named.
    #[error("no names")]
    Empty,
    /// More than authorities take.
    #[error("{0} names, and a certificate has at most {MOST}")]
    TooMany(usize),
    /// An authority knows no such name.
    #[error("{0:?} is no name that an ACME authority certifies: {1}")]
    Unfit(String, &'static str),
}

impl NameSet {
    /// The set of `names`.
    ///
    /// # Errors
    /// When one of them can have no certificate, or there are none, or too many.
    pub fn new<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Self, NameError> {
        let mut all = BTreeSet::new();
        for name in names {
            all.insert(fit(name.as_ref())?);
        }
        let kept: Vec<String> = all.iter().filter(|name| !is_covered(name, &all)).cloned().collect();
        match kept.len() {
            0 => Err(NameError::Empty),
            1..=MOST => Ok(Self(kept.into())),
            count => Err(NameError::TooMany(count)),
        }
    }

    /// The names, sorted.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// What its files are called: the first name, so that people find it, and for several a digest of all.
    pub(crate) fn key(&self) -> String {
        let first = self.0[0].replace('*', "_");
        if self.0.len() == 1 {
            return first;
        }
        let digest = digest(&SHA256, self.0.join(",").as_bytes());
        digest.as_ref()[..8].iter().fold(first + "+", |key, byte| format!("{key}{byte:02x}"))
    }
}

impl fmt::Display for NameSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl fmt::Debug for NameSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// RFC 6125 6.4.3: a wildcard stands for exactly one label.
fn is_covered(name: &str, all: &BTreeSet<String>) -> bool {
    !name.starts_with("*.") && name.split_once('.').is_some_and(|(_, rest)| all.contains(&format!("*.{rest}")))
}

fn fit(written: &str) -> Result<String, NameError> {
    let name = written.strip_suffix('.').unwrap_or(written).to_ascii_lowercase();
    let unfit = |why| Err(NameError::Unfit(written.to_owned(), why));
    let bare = name.strip_prefix("*.").unwrap_or(&name);
    if bare.parse::<IpAddr>().is_ok() {
        return unfit("it is an address");
    }
    if !bare.contains('.') {
        return unfit("it has only one label");
    }
    if bare.ends_with(".localhost") {
        return unfit("it means this machine wherever it is used (RFC 6761)");
    }
    // RFC 1035 2.3.4
    if name.len() > 253 || !bare.split('.').all(is_label) {
        return unfit("it is not a name of the DNS");
    }
    Ok(name)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &[&str]) -> Vec<String> {
        NameSet::new(text).unwrap().iter().map(str::to_owned).collect()
    }

    #[test]
    fn order_case_and_repetition_do_not_matter() {
        assert_eq!(names(&["b.example.", "A.example", "a.example"]), ["a.example", "b.example"]);
        assert_eq!(NameSet::new(["x.a", "y.a"]), NameSet::new(["Y.a", "x.A"]));
    }

    #[test]
    fn what_a_wildcard_covers_is_not_named_again() {
        assert_eq!(
            names(&["*.a.example", "x.a.example", "a.example", "x.y.a.example"]),
            ["*.a.example", "a.example", "x.y.a.example"]
        );
    }

    #[test]
    fn what_no_authority_certifies_is_refused() {
        let long = format!("{}.example", "a".repeat(64));
        for name in
            ["", ".", "localhost", "web", "web.localhost", "10.0.0.1", "::1", "a..b", "-a.b", "a.b-.c", "*", &long]
        {
            assert!(matches!(NameSet::new([name]), Err(NameError::Unfit(..))), "{name:?}");
        }
        for name in ["a.*.example", "*.*.example", "a b.example", "../../etc.passwd", "a/b.example", "a\0b.example"] {
            assert!(matches!(NameSet::new([name]), Err(NameError::Unfit(..))), "{name:?}");
        }
        assert_eq!(NameSet::new::<&str>([]), Err(NameError::Empty));
        assert_eq!(NameSet::new((0..101).map(|n| format!("n{n}.example"))), Err(NameError::TooMany(101)));
    }

    #[test]
    fn keys_are_names_of_files_and_differ() {
        assert_eq!(NameSet::new(["a.example"]).unwrap().key(), "a.example");
        assert_eq!(NameSet::new(["*.a.example"]).unwrap().key(), "_.a.example");
        let (two, three) =
            (NameSet::new(["a.x", "b.x"]).unwrap().key(), NameSet::new(["a.x", "b.x", "c.x"]).unwrap().key());
        assert!(two.starts_with("a.x+") && two.len() == 20, "{two}");
        assert_ne!(two, three);
    }
}
