//! What the fields of a router of TCP put in its place.

use std::sync::Arc;

use divisi_model::route::Rule;

use crate::door;
use crate::traefik::draft::Said;
use crate::traefik::routers::{Domains, RESOLVER, names_of};
use crate::traefik::{rule, scalar};
use crate::verdict::Outcome;

/// A router of TCP while it is read.
#[derive(Debug, Default)]
pub(crate) struct Router {
    pub(crate) rule: Option<(Rule, String)>,
    /// The label of the rule, or the first one that was read.
    pub(crate) label: String,
    pub(crate) entrypoints: Vec<String>,
    pub(crate) middlewares: Vec<String>,
    pub(crate) service: Option<String>,
    pub(crate) priority: Option<i64>,
    is_off: bool,
    is_on: bool,
    passes: bool,
    domains: Domains,
    /// A label that cannot be read, without which it would be too open.
    pub(crate) broken: Option<String>,
}

impl Router {
    /// Whether it is for connections inside TLS; traefik reads anything but `true` as no TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.is_on && !self.is_off
    }

    /// Whether TLS is the replica's business.
    pub(crate) fn passes_tls(&self) -> bool {
        self.is_secure() && self.passes
    }

    /// The names of its certificate; empty for those of its rule.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        names_of(&self.domains)
    }

    /// One of its labels cannot be read.
    pub(crate) fn close(&mut self, label: &str, what: &str) {
        if self.label.is_empty() {
            label.clone_into(&mut self.label);
        }
        self.broken.get_or_insert_with(|| format!("{label} {what}, and might have guarded it"));
    }
}

pub(crate) fn rule(router: &mut Router, said: Said<'_>) -> Outcome {
    said.label.clone_into(&mut router.label);
    match rule::parse_tcp(said.value) {
        Ok(parsed) => {
            router.rule = Some((parsed.rule, said.value.to_owned()));
            let notes = parsed.notes.join("; ");
            if notes.is_empty() { Outcome::Used } else { Outcome::Approximated(notes) }
        }
        Err(fault) => {
            router.close(said.label, "cannot be read");
            Outcome::wrong(fault.to_string())
        }
    }
}

pub(crate) fn syntax(_: &mut Router, said: Said<'_>) -> Outcome {
    match said.value {
        "v2" | "v3" => {
            Outcome::Approximated("rules of Traefik 2 and 3 are told apart by how they are written".to_owned())
        }
        _ => Outcome::wrong("neither v2 nor v3"),
    }
}

pub(crate) fn entrypoints(router: &mut Router, said: Said<'_>) -> Outcome {
    names(router, said, |router, names| router.entrypoints = names)
}

pub(crate) fn middlewares(router: &mut Router, said: Said<'_>) -> Outcome {
    names(router, said, |router, names| router.middlewares = names)
}

fn names(router: &mut Router, said: Said<'_>, put: impl FnOnce(&mut Router, Vec<String>)) -> Outcome {
    match scalar::list(said.value) {
        Ok(names) => put(router, names),
        Err(accepted) => {
            router.close(said.label, "cannot be read");
            return Outcome::wrong(format!("{accepted}; the route is closed"));
        }
    }
    Outcome::Used
}

pub(crate) fn service(router: &mut Router, said: Said<'_>) -> Outcome {
    if said.value.contains(|char: char| char == ',' || char.is_whitespace()) {
        router.close(said.label, "does not name one service");
        return Outcome::wrong("not the name of one service; the route is closed");
    }
    router.service = Some(said.value.to_owned());
    Outcome::Used
}

pub(crate) fn priority(router: &mut Router, said: Said<'_>) -> Outcome {
    // Zero is none.
    let read = crate::values::number(said.value, &(i64::MIN..=i64::MAX));
    read.map(|priority| router.priority = (priority != 0).then_some(priority)).into()
}

pub(crate) fn tls(router: &mut Router, said: Said<'_>) -> Outcome {
    let is_on = scalar::turns_on(said.value);
    (router.is_on, router.is_off) = (is_on, !is_on);
    if is_on || scalar::boolean(said.value) == Ok(false) {
        return Outcome::Used;
    }
    Outcome::wrong("not true; Traefik reads everything else as no TLS")
}

pub(crate) fn passthrough(router: &mut Router, said: Said<'_>) -> Outcome {
    router.is_on = true;
    match scalar::boolean(said.value) {
        Ok(passes) => router.passes = passes,
        Err(accepted) => {
            // Ended here or not: one of the two is not what its owner wants to be seen.
            router.close(said.label, "cannot be read");
            return Outcome::wrong(format!("{accepted}; the route is closed"));
        }
    }
    Outcome::Used
}

/// Options are made in files, and they are where clients are asked for certificates.
pub(crate) fn options(router: &mut Router, said: Said<'_>) -> Outcome {
    router.is_on = true;
    if said.value == "default" || said.value.starts_with("default@") {
        return Outcome::Used;
    }
    router.close(said.label, "names TLS options that are not known here");
    Outcome::Approximated("not known here; they might ask clients for certificates, so the route is closed".to_owned())
}

/// Certificates come from wherever divisi has them.
pub(crate) fn resolver(router: &mut Router, _: Said<'_>) -> Outcome {
    router.is_on = true;
    Outcome::Approximated(RESOLVER.to_owned())
}

pub(crate) fn domain(router: &mut Router, said: Said<'_>) -> Outcome {
    router.is_on = true;
    let read = door::names([said.value]);
    read.map(|mut names| router.domains.entry(said.index.to_owned()).or_default().0 = names.pop()).into()
}

pub(crate) fn sans(router: &mut Router, said: Said<'_>) -> Outcome {
    router.is_on = true;
    let read = scalar::list(said.value).and_then(|names| door::names(names.iter().map(String::as_str)));
    read.map(|names| router.domains.entry(said.index.to_owned()).or_default().1 = names).into()
}
