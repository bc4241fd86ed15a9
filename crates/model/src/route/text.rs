//! A rule in the words of Traefik's language, which most users of rules know. What Traefik does not have is named so that it
//! has the same length: a route's priority is the length of its rule.

use std::borrow::Cow;
use std::fmt;

use super::rule::Rule;

impl Rule {
    /// The rule as text, in which the order of parts says nothing: two rules with the same parts have the same text.
    pub(crate) fn sorted_text(&self) -> String {
        match self {
            Self::All(rules) => joined(rules, " && ", "All()"),
            Self::Any(rules) => joined(rules, " || ", "Any()"),
            Self::Not(rule) => format!("!{}", rule.nested_text()),
            leaf => Leaf(leaf).to_string(),
        }
    }

    fn nested_text(&self) -> String {
        match self {
            Self::All(rules) | Self::Any(rules) if !rules.is_empty() => format!("({})", self.sorted_text()),
            rule => rule.sorted_text(),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sorted_text())
    }
}

fn joined(rules: &[Rule], between: &str, empty: &str) -> String {
    let mut texts: Vec<String> = rules.iter().map(Rule::nested_text).collect();
    // By kind first: Host before PathPrefix before Query, as people write them.
    texts.sort_unstable();
    texts.dedup();
    if texts.is_empty() { empty.to_owned() } else { texts.join(between) }
}

/// A single condition.
struct Leaf<'a>(&'a Rule);

impl fmt::Display for Leaf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Rule::Host(name) => write!(f, "Host(`{name}`)"),
            Rule::HostWildcard { suffix, deep: false } => write!(f, "Host(`*.{suffix}`)"),
            Rule::HostWildcard { suffix, deep: true } => write!(f, "Host(`**.{suffix}`)"),
            Rule::HostRegexp(pattern) => write!(f, "HostRegexp({})", Quoted(pattern.as_str())),
            Rule::Path(path) => write!(f, "Path({})", Quoted(&path_text(path))),
            Rule::PathWithin(path) if path.is_empty() => write!(f, "PathWithin(`/`)"),
            Rule::PathWithin(path) => write!(f, "PathWithin({})", Quoted(&path_text(path))),
            Rule::PathPrefix(path) => write!(f, "PathPrefix({})", Quoted(&path_text(path))),
            Rule::PathRegexp(pattern) => write!(f, "PathRegexp({})", Quoted(pattern.as_str())),
            Rule::Method(name) => write!(f, "Method({})", Quoted(name)),
            Rule::Header { name, value } => write!(f, "Header({}, {})", Quoted(name), Quoted(value)),
            Rule::HeaderRegexp { name, value } => {
                write!(f, "HeaderRegexp({}, {})", Quoted(name), Quoted(value.as_str()))
            }
            Rule::Query { name, value: Some(value) } => write!(f, "Query({}, {})", Quoted(name), Quoted(value)),
            Rule::Query { name, value: None } => write!(f, "Query({})", Quoted(name)),
            Rule::QueryRegexp { name, value } => {
                write!(f, "QueryRegexp({}, {})", Quoted(name), Quoted(value.as_str()))
            }
            Rule::ClientIp(network) => write!(f, "ClientIP(`{network}`)"),
            Rule::Alpn(protocol) => write!(f, "ALPN({})", Quoted(protocol)),
            Rule::All(_) | Rule::Any(_) | Rule::Not(_) => f.write_str(&self.0.sorted_text()),
        }
    }
}

/// A value between backticks, or where it could not stand there on one line between double quotes. Different values have
/// different texts: rules are the same when their texts are.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = !self.0.chars().any(|char| char == '`' || char.is_control());
        if is_plain { write!(f, "`{}`", self.0) } else { write!(f, "{:?}", self.0) }
    }
}

/// What is no text gets its escapes back; a canonical path has no such escapes, so they mean nothing else.
fn path_text(path: &[u8]) -> Cow<'_, str> {
    let escape = |byte: &u8| if byte.is_ascii() { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    std::str::from_utf8(path).map_or_else(|_| path.iter().map(escape).collect(), Cow::Borrowed)
}
