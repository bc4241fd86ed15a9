//! A condition on requests: what users wrote, typed. Every part is checked when it is made, so a rule that exists can be
//! matched against anything.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::error::RuleError;
use super::pattern::Pattern;
use super::{host, hosts, path};

/// How deep rules may be nested: they are walked recursively.
pub const MOST_DEPTH: usize = 32;

/// Most conditions in one rule.
pub const MOST_PARTS: usize = 1024;

/// A condition on requests. Outside of this crate it is made by the functions below, which check what is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The host is that one; in lower case, without port and trailing dot.
    #[non_exhaustive]
    Host(Box<str>),
    /// The host ends in `.suffix`.
    #[non_exhaustive]
    HostWildcard {
        /// What follows the first dot, in lower case.
        suffix: Box<str>,
        /// Any number of labels before it, instead of one.
        deep: bool,
    },
    /// The expression is found in the host, which is in lower case and without port and trailing dot.
    #[non_exhaustive]
    HostRegexp(Pattern),
    /// The path is that one.
    #[non_exhaustive]
    Path(Box<[u8]>),
    /// The path is that one or lies below it: `/api` has `/api` and `/api/x`, but not `/apiary`.
    #[non_exhaustive]
    PathWithin(Box<[u8]>),
    /// The path begins with these bytes, as Traefik has it: `/api` has `/apiary`, too.
    #[non_exhaustive]
    PathPrefix(Box<[u8]>),
    /// The expression is found in the path.
    #[non_exhaustive]
    PathRegexp(Pattern),
    /// The method is that one; in upper case.
    #[non_exhaustive]
    Method(Box<str>),
    /// One of the header's values is that one.
    #[non_exhaustive]
    Header {
        /// In lower case.
        name: Box<str>,
        /// All of it.
        value: Box<str>,
    },
    /// The expression is found in one of the header's values.
    #[non_exhaustive]
    HeaderRegexp {
        /// In lower case.
        name: Box<str>,
        /// What is to be found.
        value: Pattern,
    },
    /// The query has that parameter, with that value if one is given; an empty value is one, too.
    #[non_exhaustive]
    Query {
        /// Decoded.
        name: Box<str>,
        /// Decoded.
        value: Option<Box<str>>,
    },
    /// The expression is found in one of the parameter's values.
    #[non_exhaustive]
    QueryRegexp {
        /// Decoded.
        name: Box<str>,
        /// What is to be found in the decoded value.
        value: Pattern,
    },
    /// The client is in that network.
    #[non_exhaustive]
    ClientIp(IpNet),
    /// The client offers that protocol in its handshake of TLS. Never so for a request of HTTP.
    #[non_exhaustive]
    Alpn(Box<str>),
    /// All of them hold; always true where there is none.
    #[non_exhaustive]
    All(Vec<Self>),
    /// One of them holds; never true where there is none.
    #[non_exhaustive]
    Any(Vec<Self>),
    /// It does not hold.
    #[non_exhaustive]
    Not(Box<Self>),
}

impl Rule {
    /// The host is `text`: a name, an address, `*.name` for one label more, `**.name` for one or more, `*` for every host.
    ///
    /// # Errors
    /// It is none of these.
    pub fn host(text: &str) -> Result<Self, RuleError> {
        let fail = |fault| Err(RuleError::Host { text: text.to_owned(), fault });
        let name = text.trim();
        if name == "*" {
            return Ok(Self::All(Vec::new()));
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        let (suffix, deep) = match (name.strip_prefix("**."), name.strip_prefix("*.")) {
            (Some(suffix), _) => (Some(suffix), true),
            (None, suffix) => (suffix, false),
        };
        let mut rest: Box<str> = suffix.unwrap_or(name).into();
        rest.make_ascii_lowercase();
        if let Some(fault) = host::fault(&rest) {
            return fail(fault);
        }
        Ok(if suffix.is_some() { Self::HostWildcard { suffix: rest, deep } } else { Self::Host(rest) })
    }

    /// The expression is found in the host; upper and lower case are the same.
    ///
    /// # Errors
    /// It cannot be compiled.
    pub fn host_regexp(text: &str) -> Result<Self, RuleError> {
        Ok(Self::HostRegexp(Pattern::new(text, true)?))
    }

    /// The path is `text`, which may be percent-encoded or not.
    ///
    /// # Errors
    /// It does not begin with `/`, or no request has it.
    pub fn path(text: &str) -> Result<Self, RuleError> {
        Ok(Self::Path(literal(text)?))
    }

    /// The path is `text` or lies below it. A slash at the end says nothing more.
    ///
    /// # Errors
    /// It does not begin with `/`, or no request has it.
    pub fn path_within(text: &str) -> Result<Self, RuleError> {
        let mut path = literal(text)?.into_vec();
        path.pop_if(|last| *last == b'/');
        Ok(Self::PathWithin(path.into()))
    }

    /// The path begins with the bytes of `text`, as Traefik's `PathPrefix` has it.
    ///
    /// # Errors
    /// It does not begin with `/`, or no request has it.
    pub fn path_prefix(text: &str) -> Result<Self, RuleError> {
        Ok(Self::PathPrefix(literal(text)?))
    }

    /// The expression is found in the path.
    ///
    /// # Errors
    /// It cannot be compiled.
    pub fn path_regexp(text: &str) -> Result<Self, RuleError> {
        Ok(Self::PathRegexp(Pattern::new(text, false)?))
    }

    /// The method is `text`, in whatever case.
    ///
    /// # Errors
    /// It is no token.
    pub fn method(text: &str) -> Result<Self, RuleError> {
        let method = text.trim();
        if !is_token(method) {
            return Err(RuleError::Method(text.to_owned()));
        }
        Ok(Self::Method(method.to_ascii_uppercase().into()))
    }

    /// The header has that value.
    ///
    /// # Errors
    /// The name is no token.
    pub fn header(name: &str, value: &str) -> Result<Self, RuleError> {
        Ok(Self::Header { name: header_name(name)?, value: value.into() })
    }

    /// The expression is found in a value of the header.
    ///
    /// # Errors
    /// The name is no token, or the expression cannot be compiled.
    pub fn header_regexp(name: &str, value: &str) -> Result<Self, RuleError> {
        Ok(Self::HeaderRegexp { name: header_name(name)?, value: Pattern::new(value, false)? })
    }

    /// The query has that parameter, with that value or with any. Traefik's ``Query(`name`)`` is the empty value.
    pub fn query(name: &str, value: Option<&str>) -> Self {
        Self::Query { name: name.into(), value: value.map(Into::into) }
    }

    /// The expression is found in a value of the parameter.
    ///
    /// # Errors
    /// It cannot be compiled.
    pub fn query_regexp(name: &str, value: &str) -> Result<Self, RuleError> {
        Ok(Self::QueryRegexp { name: name.into(), value: Pattern::new(value, false)? })
    }

    /// The client is `text`, or in it: an address or a network.
    ///
    /// # Errors
    /// It is neither.
    pub fn client_ip(text: &str) -> Result<Self, RuleError> {
        let trimmed = text.trim();
        let address = || trimmed.parse::<IpAddr>().ok().map(IpNet::from);
        let network = trimmed.parse().ok().or_else(address).ok_or_else(|| RuleError::Network(text.to_owned()))?;
        Ok(Self::ClientIp(network.trunc()))
    }

    /// The client offers the protocol `text` in its handshake of TLS (RFC 7301 3.1).
    ///
    /// # Errors
    /// No protocol is called so.
    pub fn alpn(text: &str) -> Result<Self, RuleError> {
        let is_name = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_name { Ok(Self::Alpn(text.into())) } else { Err(RuleError::Protocol(text.to_owned())) }
    }

    /// All of them hold.
    ///
    /// # Errors
    /// The rule becomes too deep or too long.
    pub fn all(rules: Vec<Self>) -> Result<Self, RuleError> {
        let mut flat = Vec::with_capacity(rules.len());
        for rule in rules {
            match rule {
                Self::All(inner) if flat.is_empty() => flat = inner,
                Self::All(inner) => flat.extend(inner),
                rule => flat.push(rule),
            }
        }
        checked(if flat.len() == 1 { flat.remove(0) } else { Self::All(flat) })
    }

    /// One of them holds.
    ///
    /// # Errors
    /// The rule becomes too deep or too long.
    pub fn any(rules: Vec<Self>) -> Result<Self, RuleError> {
        let mut flat = Vec::with_capacity(rules.len());
        for rule in rules {
            match rule {
                Self::Any(inner) if flat.is_empty() => flat = inner,
                Self::Any(inner) => flat.extend(inner),
                rule => flat.push(rule),
            }
        }
        checked(if flat.len() == 1 { flat.remove(0) } else { Self::Any(flat) })
    }

    /// It does not hold.
    ///
    /// # Errors
    /// The rule becomes too deep.
    pub fn negated(rule: Self) -> Result<Self, RuleError> {
        match rule {
            Self::Not(inner) => Ok(*inner),
            rule => checked(Self::Not(Box::new(rule))),
        }
    }

    /// The hosts that it names: a name, `*.name` for one label more, `**.name` for one or more. None where it may hold for every
    /// host, or names them by an expression.
    pub fn named_hosts(&self) -> BTreeSet<Arc<str>> {
        hosts::hosts(self)
    }

    /// How many wildcards and expressions it has: the fewer, the more its author meant just these requests.
    pub(crate) fn patterns(&self) -> usize {
        match self {
            Self::HostWildcard { .. }
            | Self::HostRegexp(_)
            | Self::PathRegexp(_)
            | Self::HeaderRegexp { .. }
            | Self::QueryRegexp { .. } => 1,
            Self::All(rules) | Self::Any(rules) => rules.iter().map(Self::patterns).sum(),
            Self::Not(rule) => rule.patterns(),
            _ => 0,
        }
    }

    /// How deep it is nested, and how many conditions it has.
    fn measure(&self) -> (usize, usize) {
        match self {
            Self::All(rules) | Self::Any(rules) => {
                let inner = rules.iter().map(Self::measure);
                let (depth, parts) = inner.fold((0, 0), |(most, sum), (depth, parts)| (most.max(depth), sum + parts));
                (depth + 1, parts)
            }
            Self::Not(rule) => {
                let (depth, parts) = rule.measure();
                (depth + 1, parts)
            }
            _ => (1, 1),
        }
    }
}

fn checked(rule: Rule) -> Result<Rule, RuleError> {
    match rule.measure() {
        (depth, _) if depth > MOST_DEPTH => Err(RuleError::Deep),
        (_, parts) if parts > MOST_PARTS => Err(RuleError::Long),
        _ => Ok(rule),
    }
}

fn literal(text: &str) -> Result<Box<[u8]>, RuleError> {
    let fail = |fault| RuleError::Path { text: text.to_owned(), fault };
    if !text.starts_with('/') {
        return Err(fail("does not begin with `/`"));
    }
    let mut buffer = Vec::new();
    let canonical = path::canonical(text.as_bytes(), &mut buffer);
    canonical.map(Into::into).map_err(|_| fail("has a segment `.` or `..`, which no request may have"))
}

fn header_name(text: &str) -> Result<Box<str>, RuleError> {
    let name = text.trim();
    if is_token(name) { Ok(name.to_ascii_lowercase().into()) } else { Err(RuleError::Header(text.to_owned())) }
}

/// RFC 9110 5.6.2.
fn is_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}
