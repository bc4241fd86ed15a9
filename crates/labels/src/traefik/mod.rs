//! Labels of Traefik 3, read unchanged.
//!
//! | module | job |
//! |---|---|
//! | `key` | a label's name in its parts, as Traefik takes it apart |
//! | `fields` | every label there is, one row each |
//! | `draft` | routers, services and middlewares while they are read |
//! | `routers`, `services`, `middlewares` | what each field puts in its place |
//! | `scalar` | yes and no, times and lists as Go writes them |
//! | [`rule`] | the language of rules |
//! | `name` | what Traefik calls a container, and its default rule |
//! | `link` | which router leads to which service |
//!
//! **Where this is not Traefik**: a label that cannot be read costs itself and not the whole container; containers are not
//! exposed unless a label says so. [`Options`] turns both back. What would leave a route more open than its owner wrote it
//! closes the route: see [`crate::middleware`].

mod draft;
mod fields;
mod key;
mod link;
mod middlewares;
mod name;
mod routers;
pub mod rule;
mod scalar;
mod services;

use divisi_model::Spec;

use crate::dialect::Dialect;
use crate::middleware::Middleware;
use crate::verdict::{Outcome, Verdict};
use crate::wish::{Exposed, RouteSpec, ServiceSpec, Words};

pub use name::service as own_service;

use draft::Draft;
use key::Key;

/// What Traefik's own flags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether a container without a label is exposed, as with `--providers.docker.exposedbydefault`.
    pub exposed_by_default: bool,
    /// The rule of a router without one, as with `--providers.docker.defaultrule`.
    pub default_rule: String,
    /// Whether one label that cannot be read costs the whole container.
    pub strict: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { exposed_by_default: false, default_rule: "Host(`{{ normalize .Name }}`)".to_owned(), strict: false }
    }
}

/// What the labels of one container say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traefik {
    pub(crate) exposed: Exposed,
    pub(crate) network: Option<String>,
    pub(crate) routes: Vec<RouteSpec>,
    pub(crate) services: Vec<ServiceSpec>,
    pub(crate) middlewares: Vec<Middleware>,
    pub(crate) verdicts: Vec<Verdict>,
}

/// The template of a default rule, tried on a container as there may be.
///
/// # Errors
/// What cannot be read in it.
pub fn check_default_rule(template: &str) -> Result<String, String> {
    let words = Words { service: "web", project: "shop", container: "shop-web-1", ..Words::default() };
    let text = name::default_rule(template, &words)?;
    match rule::parse(&text) {
        Ok(_) => Ok(template.to_owned()),
        Err(fault) => Err(format!("for service web of project shop it comes to {text:?}, which is {fault}")),
    }
}

/// Reads every label whose name begins with `traefik.`, in whatever case. What they want of a service comes on top of `base`.
pub(crate) fn read(words: &Words<'_>, base: &Spec, options: &Options) -> Traefik {
    let mut labels: Vec<_> = words.labels.iter().copied().filter(|(label, _)| is_ours(label)).collect();
    labels.sort_unstable();
    let mut draft = Draft::new(base);
    for (label, value) in labels {
        let value = value.trim();
        let outcome = Key::read(label).map_or_else(Outcome::wrong, |key| draft.put(&key, label, value));
        let (label, value) = (label.to_owned(), value.to_owned());
        draft.verdicts.push(Verdict { dialect: Dialect::Traefik, label, value, outcome });
    }
    let is_strict = options.strict && draft.verdicts.iter().any(Verdict::is_wrong);
    let mut found = link::link(draft, words, options);
    if is_strict {
        found.exposed = Exposed::No("a label that cannot be read, with --strict-traefik".to_owned());
        found.routes.clear();
        found.services.clear();
        found.middlewares.clear();
    }
    found
}

fn is_ours(label: &str) -> bool {
    label.get(..8).is_some_and(|begin| begin.eq_ignore_ascii_case("traefik."))
}
