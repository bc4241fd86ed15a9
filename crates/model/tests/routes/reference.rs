//! What routes mean, as plainly as it can be said and without any of the table's shortcuts.

use std::cmp::Reverse;

use divisi_model::route::{Asked, Door, Route, Rule};

use crate::request::Request;

/// The service of the first route, in the documented order, whose rule holds; with the route's container.
pub(crate) fn find(routes: &[Route], request: &Request) -> Option<(String, String)> {
    let is_for = |route: &&Route| is_admitted(route.way().door, request.is_secure) && holds(route.rule(), request);
    let mut routes: Vec<_> = routes.iter().filter(is_for).collect();
    routes.sort_by_key(|route| {
        let names = (route.service().to_string(), route.name().to_string(), route.origin().id.to_string());
        let is_wide = route.way().door == Door::Any;
        (Reverse(route.priority()), patterns(route.rule()), route.text().to_owned(), is_wide, names)
    });
    routes.first().map(|route| (route.service().to_string(), route.origin().id.to_string()))
}

fn is_admitted(door: Door, is_secure: bool) -> bool {
    matches!((door, is_secure), (Door::Any, _) | (Door::Plain, false) | (Door::Secure, true))
}

pub(crate) fn holds(rule: &Rule, request: &Request) -> bool {
    let path = String::from_utf8_lossy(&request.path).into_owned();
    let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    match rule {
        Rule::Host { 0: name, .. } => host(request).as_deref() == Some(name),
        Rule::HostWildcard { suffix, deep, .. } => host(request).is_some_and(|host| {
            let labels: Vec<_> = host.split('.').collect();
            let below: Vec<_> = suffix.split('.').collect();
            let more = labels.len().saturating_sub(below.len());
            let has_labels = labels.iter().take(more).all(|label| !label.is_empty());
            labels.ends_with(&below) && has_labels && (more == 1 || (*deep && more > 1))
        }),
        Rule::HostRegexp { 0: pattern, .. } => host(request).is_some_and(|host| found(pattern.as_str(), true, &host)),
        Rule::Path { 0: wanted, .. } => path == text(wanted),
        Rule::PathWithin { 0: wanted, .. } => path == text(wanted) || path.starts_with(&format!("{}/", text(wanted))),
        Rule::PathPrefix { 0: wanted, .. } => path.starts_with(&text(wanted)),
        Rule::PathRegexp { 0: pattern, .. } => found(pattern.as_str(), false, &path),
        Rule::Method { 0: name, .. } => request.method == **name,
        Rule::Header { name, value, .. } => headers(request, name).any(|found| found == &**value),
        Rule::HeaderRegexp { name, value, .. } => {
            headers(request, name).any(|header| found(value.as_str(), false, header))
        }
        Rule::Query { name, value, .. } => {
            let mut values = parameters(request).filter(|(found, _)| *found == &**name);
            values.any(|(_, found)| value.as_ref().is_none_or(|value| found == &**value))
        }
        Rule::QueryRegexp { name, value, .. } => {
            parameters(request).any(|(key, text)| key == &**name && found(value.as_str(), false, text))
        }
        Rule::ClientIp { 0: network, .. } => network.contains(&request.client()),
        Rule::All { 0: rules, .. } => rules.iter().all(|rule| holds(rule, request)),
        Rule::Any { 0: rules, .. } => rules.iter().any(|rule| holds(rule, request)),
        Rule::Alpn { .. } => false,
        Rule::Not { 0: rule, .. } => !holds(rule, request),
    }
}

fn host(request: &Request) -> Option<String> {
    let name = request.host.split(':').next().unwrap_or_default();
    let name = name.strip_suffix('.').unwrap_or(name);
    (name.len() <= 253).then(|| name.to_ascii_lowercase())
}

fn headers<'a>(request: &'a Request, name: &'a str) -> impl Iterator<Item = &'a str> {
    request.headers.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
}

/// The random queries have no escapes.
fn parameters(request: &Request) -> impl Iterator<Item = (&str, &str)> {
    let pairs = request.query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn found(pattern: &str, ignore_case: bool, text: &str) -> bool {
    let regex = regex::RegexBuilder::new(pattern).unicode(false).case_insensitive(ignore_case).build();
    regex.expect("a pattern that was accepted").is_match(text)
}

fn patterns(rule: &Rule) -> usize {
    match rule {
        Rule::All { 0: rules, .. } | Rule::Any { 0: rules, .. } => rules.iter().map(patterns).sum(),
        Rule::Not { 0: rule, .. } => patterns(rule),
        Rule::HostWildcard { .. }
        | Rule::HostRegexp { .. }
        | Rule::PathRegexp { .. }
        | Rule::HeaderRegexp { .. }
        | Rule::QueryRegexp { .. } => 1,
        _ => 0,
    }
}
