//! All certificates by name, as they are at one moment.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::certificate::Certificate;
use crate::client_authority::ClientAuthority;
use crate::name::parent;

/// What clients of a host must show.
#[derive(Clone, Debug)]
pub enum Demand {
    /// A certificate that one of these has signed.
    Signed(Arc<ClientAuthority>),
    /// One that nobody can check by now, and why: they are all refused.
    Unknown(Arc<str>),
}

/// All certificates by name. Names are in their [`normal`](crate::name::normal) form; `*.name` is for one label more.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    /// Which certificate is for which name.
    pub certificates: HashMap<Arc<str>, Arc<Certificate>>,
    /// For names without one, and for who names none.
    pub default: Option<Arc<Certificate>>,
    /// Nothing is known of hosts and their demands yet: whoever comes waits.
    pub is_early: bool,
    /// Names whose first certificate is on its way.
    pub coming: HashSet<Arc<str>>,
    /// Names that get a certificate as soon as somebody asks for it: patterns as in `demands`, and `*` for names without a dot.
    pub on_demand: HashSet<Arc<str>>,
    /// What clients must show, by name; `**.name` is for one label more and for several.
    pub demands: HashMap<Arc<str>, Demand>,
    /// What kept a name from its certificate, or from a newer one.
    pub problems: HashMap<Arc<str>, Arc<str>>,
}

impl Keyring {
    /// The certificate for a connection: of that name, of the wildcard one label up, the default; for who names none the
    /// default, that of `localhost` (who comes by an address comes from near), or the only one.
    pub fn find(&self, name: Option<&str>) -> Option<&Arc<Certificate>> {
        match name {
            Some(name) => self.own(name).or(self.default.as_ref()),
            None => self.default.as_ref().or_else(|| self.certificates.get("localhost")).or_else(|| self.only()),
        }
    }

    /// The certificate that was made for a name, or for the wildcard one label up.
    pub fn own(&self, name: &str) -> Option<&Arc<Certificate>> {
        self.certificates.get(name).or_else(|| wildcard(&self.certificates, "*.", parent(name)?))
    }

    /// Whether the first certificate for a name is on its way.
    pub fn is_coming(&self, name: &str) -> bool {
        let is_below = |parent| self.coming.contains(format!("*.{parent}").as_str());
        !self.coming.is_empty() && (self.coming.contains(name) || parent(name).is_some_and(is_below))
    }

    /// Whether a name that has no certificate gets one because somebody asks.
    pub fn is_on_demand(&self, name: &str) -> bool {
        let Some(parent_of_name) = parent(name) else { return self.on_demand.contains("*") };
        let mut above = std::iter::successors(Some(parent_of_name), |name| parent(name));
        !self.on_demand.is_empty()
            && (among(&self.on_demand, "*.", parent_of_name)
                || above.any(|parent| among(&self.on_demand, "**.", parent)))
    }

    /// What clients of that host must show.
    pub fn demand(&self, name: &str) -> Option<&Demand> {
        if self.demands.is_empty() {
            return None;
        }
        let of_parent = || wildcard(&self.demands, "*.", parent(name)?);
        let mut above = std::iter::successors(parent(name), |name| parent(name));
        let of_any = || above.find_map(|parent| wildcard(&self.demands, "**.", parent));
        self.demands.get(name).or_else(of_parent).or_else(of_any)
    }

    /// The one certificate that there is, under however many names.
    fn only(&self) -> Option<&Arc<Certificate>> {
        let mut all = self.certificates.values();
        let first = all.next()?;
        all.all(|other| Arc::ptr_eq(first, other)).then_some(first)
    }
}

/// What stands under `prefix` and `suffix`.
fn wildcard<'a, T>(map: &'a HashMap<Arc<str>, T>, prefix: &str, suffix: &str) -> Option<&'a T> {
    joined(&mut [0; 256], prefix, suffix).and_then(|name| map.get(name))
}

fn among(set: &HashSet<Arc<str>>, prefix: &str, suffix: &str) -> bool {
    joined(&mut [0; 256], prefix, suffix).is_some_and(|name| set.contains(name))
}

/// Both in one, on the stack.
fn joined<'a>(bytes: &'a mut [u8; 256], prefix: &str, suffix: &str) -> Option<&'a str> {
    let room = bytes.get_mut(..prefix.len() + suffix.len())?;
    let (first, second) = room.split_at_mut(prefix.len());
    first.copy_from_slice(prefix.as_bytes());
    second.copy_from_slice(suffix.as_bytes());
    std::str::from_utf8(room).ok()
}
