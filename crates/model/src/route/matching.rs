//! Whether a rule holds for a request, and which part of it does not.

use super::asked::Asked;
use super::host::{self, HostName};
use super::rule::Rule;
use super::{path, query};

/// A request whose host was looked at once.
pub(crate) struct Question<'a, A> {
    pub(crate) asked: &'a A,
    pub(crate) is_secure: bool,
    host: Option<HostName>,
}

impl<'a, A: Asked> Question<'a, A> {
    pub(crate) fn new(asked: &'a A) -> Self {
        Self { asked, is_secure: asked.is_secure(), host: HostName::of(asked.host()) }
    }

    /// As if it came inside TLS.
    pub(crate) fn inside_tls(self) -> Self {
        Self { is_secure: true, ..self }
    }

    /// None where it is longer than any name.
    pub(crate) fn host(&self) -> Option<&[u8]> {
        self.host.as_ref().map(HostName::as_bytes)
    }
}

impl Rule {
    /// Whether the rule holds for that request.
    pub(crate) fn holds<A: Asked>(&self, question: &Question<'_, A>) -> bool {
        let asked = question.asked;
        match self {
            Self::Host(name) => question.host() == Some(name.as_bytes()),
            Self::HostWildcard { suffix, deep } => {
                question.host().is_some_and(|host| host::is_below(host, suffix.as_bytes(), *deep))
            }
            Self::HostRegexp(pattern) => question.host().is_some_and(|host| pattern.is_in(host)),
            Self::Path(path) => asked.path() == &**path,
            Self::PathWithin(base) => path::is_within(asked.path(), base),
            Self::PathPrefix(prefix) => asked.path().starts_with(prefix),
            Self::PathRegexp(pattern) => pattern.is_in(asked.path()),
            Self::Method(name) => asked.method() == name.as_bytes(),
            Self::Header { name, value } => asked.any_header(name, &mut |found| found == value.as_bytes()),
            Self::HeaderRegexp { name, value } => asked.any_header(name, &mut |found| value.is_in(found)),
            Self::Query { name, value: None } => query::values(asked.query(), name).next().is_some(),
            Self::Query { name, value: Some(value) } => {
                query::values(asked.query(), name).any(|found| query::is_text(found, value))
            }
            Self::QueryRegexp { name, value } => {
                query::values(asked.query(), name).any(|found| value.is_in(&query::text(found)))
            }
            // An IPv4 client at a socket for both is mapped into IPv6.
            Self::ClientIp(network) => network.contains(&asked.client().to_canonical()),
            Self::Alpn(protocol) => asked.offers(protocol.as_bytes()),
            Self::All(rules) => rules.iter().all(|rule| rule.holds(question)),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(question)),
            Self::Not(rule) => !rule.holds(question),
        }
    }

    /// The first part that does not hold but would have to.
    pub(crate) fn obstacle<A: Asked>(&self, question: &Question<'_, A>) -> Option<&Self> {
        match self {
            Self::All(rules) => rules.iter().find_map(|rule| rule.obstacle(question)),
            rule if rule.holds(question) => None,
            rule => Some(rule),
        }
    }
}
