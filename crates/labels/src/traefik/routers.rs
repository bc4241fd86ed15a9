//! What the fields of a router put in its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use divisi_model::route::{Door, Protection, Redirect, When};

use super::draft::Said;
use super::rule::{self, Parsed};
use super::scalar;
use crate::door;
use crate::verdict::Outcome;

/// A router while it is read.
#[derive(Debug, Default)]
pub(crate) struct Router {
    /// Its rule, if it has one.
    pub(crate) rule: RouterRule,
    /// The label of the rule, or the first one that was read.
    pub(crate) label: String,
    pub(crate) entrypoints: Vec<String>,
    pub(crate) middlewares: Vec<String>,
    pub(crate) priority: Option<i64>,
    pub(crate) service: Option<String>,
    pub(crate) tls: Tls,
    /// A label that cannot be read, without which it would be too open.
    pub(crate) broken: Option<String>,
}

/// The rule of a router.
#[derive(Debug, Default)]
pub(crate) enum RouterRule {
    #[default]
    Unsaid,
    Read(Parsed, String),
    /// It cannot be read, so the router leads nowhere.
    Broken,
}

/// What a router says of TLS.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    is_off: bool,
    is_on: bool,
    domains: Domains,
}

/// The names of certificates, by what stands in the brackets, in the order of its text.
pub(crate) type Domains = BTreeMap<String, Domain>;

/// The names of one certificate: the first, and others.
type Domain = (Option<Arc<str>>, Vec<Arc<str>>);

/// All of them.
pub(crate) fn names_of(domains: &Domains) -> Vec<Arc<str>> {
    domains.values().flat_map(|(main, others)| main.iter().chain(others).cloned()).collect()
}

impl Tls {
    fn domain(&mut self, said: Said<'_>) -> &mut Domain {
        self.domains.entry(said.index.to_owned()).or_default()
    }
}

impl Router {
    /// By which door its requests come in, and where those go that come by the other one.
    ///
    /// A router with `tls` is for requests inside TLS and one without for the others. An entry point may say `http.tls` for all
    /// its routers, in files that are not read: one at entry points that are named after TLS is taken for one of these.
    pub(crate) fn door(&self) -> (Door, Option<Redirect>) {
        let secure = self.entrypoints.iter().filter(|name| is_for_tls(name)).count();
        let door = match self.tls {
            Tls { is_off: true, .. } => Door::Plain,
            Tls { is_on: true, .. } => Door::Secure,
            _ if secure == 0 => Door::Plain,
            _ if secure == self.entrypoints.len() => Door::Secure,
            _ => Door::Any,
        };
        (door, (door == Door::Secure).then_some(Redirect::permanent(When::Always)))
    }

    /// What is wanted of TLS.
    pub(crate) fn protection(&self) -> Protection {
        Protection { names: names_of(&self.tls.domains), ..Protection::default() }
    }
}

/// Whether an entry point is one for TLS, by what people call those.
fn is_for_tls(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("https") || name.contains("secure") && !name.contains("insecure")
}

pub(crate) fn rule(router: &mut Router, said: Said<'_>) -> Outcome {
    said.label.clone_into(&mut router.label);
    match rule::parse(said.value) {
        Ok(parsed) => {
            let notes = parsed.notes.join("; ");
            router.rule = RouterRule::Read(parsed, said.value.to_owned());
            if notes.is_empty() { Outcome::Used } else { Outcome::Approximated(notes) }
        }
        Err(fault) => {
            router.rule = RouterRule::Broken;
            Outcome::wrong(fault.to_string())
        }
    }
}

/// No rule is better than one that might be wider.
pub(crate) fn leave_out(router: &mut Router, label: &str) {
    if matches!(router.rule, RouterRule::Unsaid) {
        label.clone_into(&mut router.label);
        router.rule = RouterRule::Broken;
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
    match scalar::list(said.value) {
        Ok(names) => router.entrypoints = names,
        Err(accepted) => {
            router.broken.get_or_insert_with(|| format!("{} cannot be read, and might have guarded it", said.label));
            return Outcome::wrong(format!("{accepted}; the route is closed"));
        }
    }
    Outcome::Used
}

/// A list that cannot be read might have had a guard in it.
pub(crate) fn middlewares(router: &mut Router, said: Said<'_>) -> Outcome {
    match scalar::list(said.value) {
        Ok(names) => router.middlewares = names,
        Err(accepted) => {
            router.broken.get_or_insert_with(|| format!("{} cannot be read, and might have guarded it", said.label));
            return Outcome::wrong(format!("{accepted}; the route is closed"));
        }
    }
    Outcome::Used
}

pub(crate) fn priority(router: &mut Router, said: Said<'_>) -> Outcome {
    match said.value.parse::<i64>() {
        // Zero is how Traefik says that nothing is said.
        Ok(number) => router.priority = Some(number).filter(|number| *number != 0),
        Err(_) => return Outcome::wrong("not a whole number; write one like 100, or 0 for the length of the rule"),
    }
    Outcome::Used
}

/// Whatever this was meant to be, the container's only service might be another one.
pub(crate) fn service(router: &mut Router, said: Said<'_>) -> Outcome {
    if said.value.contains(|char: char| char == ',' || char.is_whitespace()) {
        router.broken.get_or_insert_with(|| format!("{} does not name one service", said.label));
        return Outcome::wrong("not the name of one service; the route is closed");
    }
    router.service = Some(said.value.to_owned());
    Outcome::Used
}

pub(crate) fn tls(router: &mut Router, said: Said<'_>) -> Outcome {
    let is_on = scalar::turns_on(said.value);
    router.tls.is_off = !is_on;
    router.tls.is_on = is_on;
    match is_on {
        true => Outcome::Used,
        false if scalar::boolean(said.value) == Ok(false) => Outcome::Used,
        false => Outcome::wrong("not true; Traefik reads everything else as no TLS"),
    }
}

/// What becomes of a resolver of certificates.
pub(crate) const RESOLVER: &str =
    "whatever its name, certificates come by ACME as the flags of divisi say (--acme-email)";

pub(crate) fn resolver(router: &mut Router, _: Said<'_>) -> Outcome {
    match within_tls(router, |_| ()) {
        Outcome::Used => Outcome::Approximated(RESOLVER.to_owned()),
        outcome => outcome,
    }
}

/// Options are made in files, and they are where clients are asked for certificates.
pub(crate) fn tls_options(router: &mut Router, said: Said<'_>) -> Outcome {
    if router.tls.is_off || said.value == "default" || said.value.starts_with("default@") {
        return within_tls(router, |_| ());
    }
    router.tls.is_on = true;
    let why = format!("the TLS options {:?} are not known here, and might ask clients for certificates", said.value);
    router.broken.get_or_insert(why);
    Outcome::Approximated("not known here; they might ask clients for certificates, so the route is closed".to_owned())
}

pub(crate) fn domain(router: &mut Router, said: Said<'_>) -> Outcome {
    match door::names([said.value]) {
        Ok(mut names) => within_tls(router, |tls| tls.domain(said).0 = names.pop()),
        Err(accepted) => Outcome::wrong(accepted),
    }
}

pub(crate) fn sans(router: &mut Router, said: Said<'_>) -> Outcome {
    match scalar::list(said.value).and_then(|names| door::names(names.iter().map(String::as_str))) {
        Ok(names) => within_tls(router, |tls| tls.domain(said).1 = names),
        Err(accepted) => Outcome::wrong(accepted),
    }
}

fn within_tls(router: &mut Router, put: impl FnOnce(&mut Tls)) -> Outcome {
    if router.tls.is_off {
        return Outcome::Ignored("the router's tls is turned off".to_owned());
    }
    router.tls.is_on = true;
    put(&mut router.tls);
    Outcome::Used
}
