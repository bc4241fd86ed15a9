//! What certificates there are, for people and programs that ask.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use crate::certificate::Certificate;
use crate::keyring::{Demand, Keyring};

/// What certificates there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Every name that has a certificate, waits for one or has none because of a problem; in order.
    pub names: Vec<Listing>,
}

/// How one name stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The name, `*.name` for one label more, or `default` for all others.
    pub name: Arc<str>,
    /// Its certificate.
    pub certificate: Option<Seen>,
    /// Whether the first one is on its way.
    pub is_coming: bool,
    /// What kept it from its certificate, or from a newer one.
    pub problem: Option<Arc<str>>,
    /// The file with the authorities one of which must have signed a client's certificate.
    pub client_authority: Option<Arc<str>>,
}

/// A certificate, without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its kind of source: `file`, `local`, `acme`.
    pub kind: &'static str,
    /// Where it comes from, in words.
    pub source: String,
    /// Who signed it.
    pub issuer: Arc<str>,
    /// The names that stand in it.
    pub names: Vec<Arc<str>>,
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// Until when.
    pub not_after: SystemTime,
}

/// What the default certificate is listed as.
const DEFAULT: &str = "default";

impl Status {
    pub(crate) fn of(ring: &Keyring) -> Self {
        let mut names: BTreeMap<Arc<str>, Listing> = BTreeMap::new();
        for (name, certificate) in &ring.certificates {
            listing(&mut names, name).certificate = Some(Seen::of(certificate));
        }
        if let Some(default) = &ring.default {
            listing(&mut names, &DEFAULT.into()).certificate = Some(Seen::of(default));
        }
        for name in &ring.coming {
            listing(&mut names, name).is_coming = true;
        }
        for (name, problem) in &ring.problems {
            listing(&mut names, name).problem = Some(Arc::clone(problem));
        }
        for (name, demand) in &ring.demands {
            let listing = listing(&mut names, name);
            match demand {
                Demand::Signed(authority) => listing.client_authority = Some(Arc::clone(authority.name())),
                Demand::Unknown(why) => listing.problem = Some(Arc::clone(why)),
            }
        }
        Self { names: names.into_values().collect() }
    }
}

fn listing<'a>(names: &'a mut BTreeMap<Arc<str>, Listing>, name: &Arc<str>) -> &'a mut Listing {
    names.entry(Arc::clone(name)).or_insert_with(|| Listing {
        name: Arc::clone(name),
        certificate: None,
        is_coming: false,
        problem: None,
        client_authority: None,
    })
}

impl Seen {
    fn of(certificate: &Certificate) -> Self {
        Self {
            kind: certificate.source().kind(),
            source: certificate.source().to_string(),
            issuer: Arc::clone(certificate.issuer()),
            names: certificate.names().to_vec(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
        }
    }
}
