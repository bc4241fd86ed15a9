//! Hosts and paths as nginx-proxy writes them into the configuration of nginx.

use divisi_model::route::{Rule, RuleError};

use crate::native::STEP;

/// A part of a rule, how narrow it is, and its text.
pub(super) struct Part {
    pub(super) rule: Option<Rule>,
    pub(super) rank: i64,
}

/// nginx looks for the host, and then for the path: no path is as much as a better host.
const HOST_FIRST: i64 = 1_000_000;

/// A name for many hosts: after all that name theirs, in whatever language.
fn wide(rank: i64) -> i64 {
    (rank - 1000) * HOST_FIRST
}

/// A `server_name`: an exact one wins over `*.x`, that one over `x.*`, and expressions come last. Exact ones stand among those of
/// our own labels and of Traefik, so that a narrower route of these gets its requests.
pub(super) fn host(text: &str) -> Result<Part, String> {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let written = |rule: Result<Rule, RuleError>| rule.map(Some).map_err(|error| error.to_string());
    let (rule, rank) = if let Some(expression) = text.strip_prefix('~') {
        (written(Rule::host_regexp(expression)), wide(0))
    } else if let Some(suffix) = text.strip_prefix("*.") {
        // Any number of labels, where Traefik has one.
        (written(Rule::host(&format!("**.{suffix}"))), wide(length + 300))
    } else if let Some(name) = text.strip_prefix('.') {
        let both = [Rule::host(name), Rule::host(&format!("**.{name}"))].into_iter().collect::<Result<Vec<_>, _>>();
        (written(both.and_then(Rule::any)), wide(length + 300))
    } else if let Some(prefix) = text.strip_suffix(".*") {
        let checked = Rule::host(prefix);
        let expression = format!("^{}[.].+$", prefix.to_ascii_lowercase().replace('.', "[.]"));
        (written(checked.and_then(|_| Rule::host_regexp(&expression))), wide(length))
    } else {
        (written(Rule::host(text)), length + STEP)
    };
    Ok(Part { rule: rule?, rank })
}

/// A `location`: `/api` is the beginning of a path, letter by letter. The longest wins, and expressions win over all of them.
pub(super) fn path(text: &str) -> Result<Part, String> {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let (rule, rank) = if let Some(expression) = text.strip_prefix("~*") {
        (Rule::path_regexp(&format!("(?i:{})", expression.trim())), 10_000 + length)
    } else if let Some(expression) = text.strip_prefix('~') {
        (Rule::path_regexp(expression.trim()), 10_000 + length)
    } else if let Some(exact) = text.strip_prefix('=') {
        (Rule::path(exact.trim()), 20_000 + length)
    } else if let Some(prefix) = text.strip_prefix("^~") {
        (Rule::path_prefix(prefix.trim()), 15_000 + length)
    } else if text == "/" {
        return Ok(Part { rule: None, rank: 0 });
    } else {
        (Rule::path_prefix(text), length + STEP)
    };
    Ok(Part { rule: Some(rule.map_err(|error| error.to_string())?), rank })
}

/// Whether the path is plain text of which something can be taken away.
pub(super) fn is_plain(path: &str) -> bool {
    path.starts_with('/')
}
