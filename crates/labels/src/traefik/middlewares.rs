//! What kinds of middlewares there are, and what is done about each.

use super::draft::Said;
use super::{https, scalar};
use crate::middleware::Effect;
use crate::nearest::nearest;
use crate::verdict::Outcome;
use crate::wish::Rewrite;

/// One field of a middleware.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// In lower case.
    kind: String,
    /// In lower case.
    field: String,
    value: String,
}

/// What a type of them is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It lets only some through. Without it, its route would be open to all.
    Guards,
    /// It changes what goes through. Without it, its route serves the same people.
    Shapes,
    /// It changes the path, by the field of that name.
    Rewrites(&'static str),
    /// It is about https, in part at least.
    Https,
    /// It names others.
    Chains,
}

/// Every type of Traefik 3, and `ipwhitelist` of 2. One that is not here might be a guard.
const KINDS: &[(&str, Kind)] = &[
    ("addprefix", Kind::Rewrites("prefix")),
    ("basicauth", Kind::Guards),
    ("buffering", Kind::Shapes),
    ("chain", Kind::Chains),
    ("circuitbreaker", Kind::Shapes),
    ("compress", Kind::Shapes),
    ("contenttype", Kind::Shapes),
    ("digestauth", Kind::Guards),
    // It lets those paths through that have no odd characters.
    ("encodedcharacters", Kind::Guards),
    ("errors", Kind::Shapes),
    ("forwardauth", Kind::Guards),
    ("grpcweb", Kind::Shapes),
    ("headers", Kind::Https),
    ("inflightreq", Kind::Shapes),
    ("ipallowlist", Kind::Guards),
    ("ipwhitelist", Kind::Guards),
    // The container takes its header for who the client is. Without it, any client may say so.
    ("passtlsclientcert", Kind::Guards),
    ("plugin", Kind::Guards),
    ("ratelimit", Kind::Shapes),
    ("redirectregex", Kind::Shapes),
    ("redirectscheme", Kind::Https),
    ("redirecttrailingslash", Kind::Shapes),
    ("replacepath", Kind::Rewrites("path")),
    ("replacepathregex", Kind::Shapes),
    ("retry", Kind::Shapes),
    ("stripprefix", Kind::Rewrites("prefixes")),
    ("stripprefixregex", Kind::Shapes),
];

/// Their names.
#[cfg(test)]
pub(super) fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(kind, _)| *kind)
}

fn kind_of(name: &str) -> Option<Kind> {
    KINDS.iter().find(|(kind, _)| *kind == name).map(|(_, kind)| *kind)
}

/// What becomes of one field; `parts` are its type and what follows.
pub(crate) fn put(middleware: &mut Vec<Part>, parts: &[&str], said: Said<'_>) -> Outcome {
    let kind = parts.first().map(|kind| kind.to_lowercase()).unwrap_or_default();
    let field = parts.get(1..).unwrap_or_default().join(".").to_lowercase();
    let known = kind_of(&kind);
    let outcome = match known {
        None => {
            let accepted = format!("Traefik has no middleware {:?}; routes that name it are closed", shown(&kind));
            let meant = nearest(&kind, KINDS.iter().map(|(name, _)| *name));
            Outcome::Wrong { accepted, meant: meant.map(|meant| with_kind(said.label, meant)) }
        }
        Some(_) if closes_hosts(&kind, &field) => {
            Outcome::Approximated("it refuses hosts, which is not built yet; routes that name it are closed".to_owned())
        }
        Some(Kind::Guards) => {
            Outcome::Approximated(format!("{kind} guards and is not built yet; routes that name it are closed"))
        }
        Some(Kind::Https) => https::field(&kind, &field, said.value),
        Some(Kind::Shapes) => Outcome::Approximated(format!("{kind} is not built yet; routes are served without it")),
        Some(Kind::Chains) => field_of(&kind, &field, "middlewares", said.value),
        Some(Kind::Rewrites("path")) if field == "path" && !said.value.starts_with('/') => {
            Outcome::wrong("not a path that begins with / (/app); routes that name it are closed")
        }
        Some(Kind::Rewrites(_)) if field == "forceslash" => Outcome::Ignored("a path always begins with /".to_owned()),
        Some(Kind::Rewrites(wanted)) => field_of(&kind, &field, wanted, said.value),
    };
    middleware.push(Part { kind, field, value: said.value.to_owned() });
    outcome
}

/// Of all that `headers` does this alone lets only some through.
fn closes_hosts(kind: &str, field: &str) -> bool {
    kind == "headers" && nearest(field, ["allowedhosts"]).is_some()
}

fn field_of(kind: &str, field: &str, wanted: &str, value: &str) -> Outcome {
    // Without its prefixes, stripprefix takes nothing away.
    let rest = if wanted == "prefixes" { "" } else { "; routes that name it are closed" };
    if field != wanted {
        return Outcome::wrong(format!("{kind} has no such field; write {kind}.{wanted}{rest}"));
    }
    match scalar::list(value) {
        Ok(names) if names.is_empty() => Outcome::wrong(format!("it is empty: is the variable set?{rest}")),
        Ok(_) => Outcome::Used,
        Err(accepted) => Outcome::wrong(format!("{accepted}{rest}")),
    }
}

/// The label with another type of middleware in it.
fn with_kind(label: &str, kind: &str) -> String {
    let parts = label.split('.').enumerate().map(|(at, part)| if at == 4 { kind } else { part });
    parts.collect::<Vec<_>>().join(".")
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

/// What is done about a middleware.
pub(crate) fn effect(parts: &[Part]) -> Effect {
    let Some(first) = parts.first() else { return Effect::Closes("says nothing".to_owned()) };
    if parts.iter().any(|part| part.kind != first.kind) {
        return Effect::Closes("is of several types at once".to_owned());
    }
    let kind = &first.kind;
    let value = |field: &str| parts.iter().find(|part| part.field == field).map_or("", |part| part.value.as_str());
    let list = |field: &str| scalar::list(value(field)).unwrap_or_default();
    match kind_of(kind) {
        None => Effect::Closes(format!("is of a type that is not known ({}), and might guard it", shown(kind))),
        Some(Kind::Guards) => Effect::Closes(format!("guards it ({kind}), which is not built yet")),
        Some(Kind::Https) if parts.iter().any(|part| closes_hosts(kind, &part.field)) => {
            Effect::Closes("refuses hosts (headers.allowedHosts), which is not built yet".to_owned())
        }
        Some(Kind::Https) => https::effect(kind, value),
        Some(Kind::Shapes) => Effect::Left,
        Some(Kind::Chains) => match list("middlewares") {
            names if names.is_empty() => Effect::Closes("is a chain of nothing that can be read".to_owned()),
            names => Effect::Chain(names),
        },
        Some(Kind::Rewrites(field)) => rewrite(kind, value(field), list(field)),
    }
}

/// A rewrite that cannot be read leaves more of the container within reach, but for one that takes something away.
fn rewrite(kind: &str, value: &str, list: Vec<String>) -> Effect {
    let is_path = value.starts_with('/');
    match kind {
        "stripprefix" if list.is_empty() => Effect::Left,
        "stripprefix" => Effect::Rewrite(Rewrite::Strip { prefixes: list, whole: false }),
        "addprefix" if is_path => Effect::Rewrite(Rewrite::Add(value.to_owned())),
        // Traefik puts the slash before it.
        "addprefix" if !value.is_empty() => Effect::Rewrite(Rewrite::Add(format!("/{value}"))),
        "replacepath" if is_path => Effect::Rewrite(Rewrite::Replace(value.to_owned())),
        _ => Effect::Closes(format!("has nothing that can be read ({kind}), and would leave more within reach")),
    }
}
