//! A rule in the words of Traefik's language, which most users of rules know. What Traefik does not have is named so that it
//! has the same length: a route's priority is the length of its rule.

use std::borrow::Cow;
use std::fmt;

use super::rule::Rule;

impl Rule {
    /// The rule as text, in which the order of parts says nothing: two rules with the same parts have the same text.
    pub(crate) fn sorted_text(&self) -> String {
        match self {
            Self::Host(name) => condition("Host", &[name]),
            Self::HostWildcard { suffix, deep } => {
                condition("Host", &[&[if *deep { "**." } else { "*." }, suffix].concat()])
            }
            Self::HostRegexp(pattern) => condition("HostRegexp", &[pattern.as_str()]),
            Self::Path(path) => condition("Path", &[&path_text(path)]),
            Self::PathWithin(path) if path.is_empty() => condition("PathWithin", &["/"]),
            Self::PathWithin(path) => condition("PathWithin", &[&path_text(path)]),
            Self::PathPrefix(path) => condition("PathPrefix", &[&path_text(path)]),
            Self::PathRegexp(pattern) => condition("PathRegexp", &[pattern.as_str()]),
            Self::Method(name) => condition("Method", &[name]),
            Self::Header { name, value } => condition("Header", &[name, value]),
            Self::HeaderRegexp { name, value } => condition("HeaderRegexp", &[name, value.as_str()]),
            Self::Query { name, value: Some(value) } => condition("Query", &[name, value]),
            Self::Query { name, value: None } => condition("Query", &[name]),
            Self::QueryRegexp { name, value } => condition("QueryRegexp", &[name, value.as_str()]),
            Self::ClientIp(network) => condition("ClientIP", &[&network.to_string()]),
            Self::Alpn(protocol) => condition("ALPN", &[protocol]),
            Self::All(rules) => joined(rules, " && ", "All()"),
            Self::Any(rules) => joined(rules, " || ", "Any()"),
            Self::Not(rule) => ["!", &rule.nested_text()].concat(),
        }
    }

    fn nested_text(&self) -> String {
        match self {
            Self::All(rules) | Self::Any(rules) if !rules.is_empty() => ["(", &self.sorted_text(), ")"].concat(),
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

/// A single condition. Put together by hand: ten thousand routes have twice as many, and formatting allocates again and again.
fn condition(name: &str, values: &[&str]) -> String {
    let room = values.iter().map(|value| value.len() + 4).sum::<usize>();
    let mut text = String::with_capacity(name.len() + room);
    text.push_str(name);
    for (at, value) in values.iter().enumerate() {
        text.push_str(if at == 0 { "(" } else { ", " });
        push_quoted(&mut text, value);
    }
    text.push(')');
    text
}

/// A value between backticks, or where it could not stand there on one line between double quotes. Different values have
/// different texts: rules are the same when their texts are.
fn push_quoted(text: &mut String, value: &str) {
    let is_plain = !value.chars().any(|char| char == '`' || char.is_control());
    if is_plain { text.extend(["`", value, "`"]) } else { text.push_str(&format!("{value:?}")) }
}

/// What is no text gets its escapes back; a canonical path has no such escapes, so they mean nothing else.
fn path_text(path: &[u8]) -> Cow<'_, str> {
    let escape = |byte: &u8| if byte.is_ascii() { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    std::str::from_utf8(path).map_or_else(|_| path.iter().map(escape).collect(), Cow::Borrowed)
}
