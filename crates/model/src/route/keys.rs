//! Under which host and path a rule is to be looked for.
//!
//! A rule gets one key or several, of which one fits whenever the rule holds. So a rule of any shape is found by the host and
//! the path that it asks for, however they stand in it; what the key does not say is checked when it was found.

use super::rule::Rule;

/// Most keys that may come of multiplying: two hosts and three paths are six keys. Beyond, only one side is used.
const MOST: usize = 256;

/// Where the hosts that fit a rule are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum HostKey<'a> {
    /// With every host.
    Every,
    /// With that one.
    Name(&'a str),
    /// With those one label below.
    Child(&'a str),
    /// With those any number of labels below.
    Below(&'a str),
}

impl<'a> HostKey<'a> {
    pub(crate) fn name(self) -> &'a [u8] {
        match self {
            Self::Every => b"",
            Self::Name(name) | Self::Child(name) | Self::Below(name) => name.as_bytes(),
        }
    }
}

/// What the path must be, once its beginning is known to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PathTest {
    /// Anything more may follow.
    Prefix,
    /// Nothing more, or a slash.
    Within,
    /// Nothing more.
    Exact,
}

impl PathTest {
    /// Whether a path fits of which `length` bytes are known to be the same.
    pub(crate) fn fits(self, path: &[u8], length: usize) -> bool {
        match self {
            Self::Prefix => true,
            Self::Within => matches!(path.get(length), None | Some(b'/')),
            Self::Exact => path.len() == length,
        }
    }
}

/// Where a rule is to be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key<'a> {
    pub(crate) host: HostKey<'a>,
    pub(crate) path: &'a [u8],
    pub(crate) test: PathTest,
    /// Where the key fits the rule holds; there is nothing more to check.
    pub(crate) is_all: bool,
}

impl<'a> Key<'a> {
    const EVERY: Self = Self { host: HostKey::Every, path: b"", test: PathTest::Prefix, is_all: true };

    fn of_host(host: HostKey<'a>) -> Self {
        Self { host, ..Self::EVERY }
    }

    fn of_path(path: &'a [u8], test: PathTest) -> Self {
        Self { path, test, ..Self::EVERY }
    }

    /// A key that fits wherever both fit.
    fn and(self, other: Self) -> Self {
        let (host, has_hosts) = match (self.host, other.host) {
            (HostKey::Every, host) | (host, HostKey::Every) => (host, true),
            (host, second) => (host, host == second),
        };
        let (path, test, has_paths) = match ((self.path, self.test), (other.path, other.test)) {
            ((b"", PathTest::Prefix), (path, test)) | ((path, test), (b"", PathTest::Prefix)) => (path, test, true),
            ((path, test), (second, other)) if second.len() <= path.len() => {
                (path, test, path == second && test == other)
            }
            (_, (path, test)) => (path, test, false),
        };
        Self { host, path, test, is_all: self.is_all && other.is_all && has_hosts && has_paths }
    }

    fn in_part(self) -> Self {
        Self { is_all: false, ..self }
    }
}

/// The keys of a rule; none where it never holds.
pub(crate) fn keys(rule: &Rule) -> Vec<Key<'_>> {
    match rule {
        Rule::All(rules) => rules.iter().fold(vec![Key::EVERY], |found, rule| match rule {
            Rule::All(_) | Rule::Any(_) => both(found, &keys(rule)),
            single => both(found, &[key(single)]),
        }),
        Rule::Any(rules) => {
            let mut found: Vec<_> = rules.iter().flat_map(keys).collect();
            drop_repeated(&mut found);
            found
        }
        single => vec![key(single)],
    }
}

/// The key of a single condition.
fn key(rule: &Rule) -> Key<'_> {
    match rule {
        Rule::Host(name) => Key::of_host(HostKey::Name(name)),
        Rule::HostWildcard { suffix, deep: false } => Key::of_host(HostKey::Child(suffix)),
        Rule::HostWildcard { suffix, deep: true } => Key::of_host(HostKey::Below(suffix)),
        Rule::Path(path) => Key::of_path(path, PathTest::Exact),
        Rule::PathWithin(path) => Key::of_path(path, PathTest::Within),
        Rule::PathPrefix(path) => Key::of_path(path, PathTest::Prefix),
        _ => Key::EVERY.in_part(),
    }
}

fn both<'a>(first: Vec<Key<'a>>, second: &[Key<'a>]) -> Vec<Key<'a>> {
    if first.len() * second.len() > MOST {
        let is_vague = |keys: &[Key<'_>]| (keys.iter().any(|key| key.host == HostKey::Every), keys.len());
        let better = if is_vague(second) < is_vague(&first) { second.to_vec() } else { first };
        return better.into_iter().map(Key::in_part).collect();
    }
    let mut found: Vec<_> = match second {
        // Most have one, and then everything stays where it lies.
        [only] => first.into_iter().map(|key| key.and(*only)).collect(),
        _ => first.iter().flat_map(|key| second.iter().map(|other| key.and(*other))).collect(),
    };
    drop_repeated(&mut found);
    found
}

fn drop_repeated(keys: &mut Vec<Key<'_>>) {
    if keys.len() < 2 {
        return;
    }
    let mut seen = std::collections::HashSet::with_capacity(keys.len());
    keys.retain(|key| seen.insert(*key));
}
