//! Labels of Traefik 3, read unchanged.
//!
//! | module | job |
//! |---|---|
//! | `key` | a label's name in its parts, as Traefik takes it apart |
//! | `fields` | every label there is, one row each |
//! | `draft` | routers, services and middlewares while they are read |
//! | `routers`, `services`, `middlewares` | what each field puts in its place |
//! | `tcp` | the same for TCP |
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
mod https;
mod key;
mod link;
mod middlewares;
mod name;
mod routers;
pub mod rule;
mod scalar;
mod services;
mod tcp;

use divisi_model::Spec;

use crate::dialect::Dialect;
use crate::middleware::Middleware;
use crate::nearest::is_slip_of;
use crate::stream::Streams;
use crate::verdict::Verdict;
use crate::wish::{Exposed, RouteSpec, ServiceSpec, Words};

pub use name::service as own_service;

use draft::Draft;
#[cfg(test)]
pub(crate) use fields::{row_of, rows};
use key::Key;

/// What Traefik's own flags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether a container without a label is exposed, as with `--providers.docker.exposedbydefault`.
    pub exposed_by_default: bool,
    /// The rule of a router without one, as with `--providers.docker.defaultrule`.
    pub default_rule: String,
    /// Which entry points are divisi's. A router that is only at others is not meant for those who come to this one.
    pub entrypoints: Vec<String>,
    /// The ports of those at which TCP comes in, by name.
    pub ports: Vec<(String, u16)>,
    /// Whether one label that cannot be read costs the whole container.
    pub strict: bool,
}

impl Options {
    /// Checks a default rule before there is a container that it is for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_default_rule(text: &str) -> Result<(), String> {
        let example = Words { service: "web", project: "shop", container: "shop-web-1", ..Words::default() };
        // Labels are those of a container; what they say is not known yet.
        if text.is_empty() || text.contains(".Labels") {
            return name::default_rule(text, &example).map(drop);
        }
        rule::parse(&name::default_rule(text, &example)?).map(drop).map_err(|fault| fault.to_string())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            exposed_by_default: false,
            default_rule: "Host(`{{ normalize .Name }}`)".to_owned(),
            // What people call them who have one for everybody.
            entrypoints: ["web", "http", "websecure", "https"].map(str::to_owned).to_vec(),
            ports: Vec::new(),
            strict: false,
        }
    }
}

/// What the labels of one container say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traefik {
    pub(crate) exposed: Exposed,
    pub(crate) network: Option<String>,
    pub(crate) routes: Vec<RouteSpec>,
    pub(crate) services: Vec<ServiceSpec>,
    pub(crate) streams: Streams,
    pub(crate) middlewares: Vec<Middleware>,
    pub(crate) verdicts: Vec<Verdict>,
}

/// Reads every label whose name begins with `traefik.`, in whatever case, or nearly so. What they want of a service comes on top of `base`.
pub(crate) fn read(words: &Words<'_>, base: &Spec, options: &Options) -> Traefik {
    let mut labels: Vec<_> = words.labels.iter().copied().filter(|(label, _)| is_ours(label)).collect();
    labels.sort_unstable();
    let mut draft = Draft::new(base);
    for (label, value) in labels {
        let value = value.trim();
        let outcome = match Key::read(label) {
            Ok(key) => draft.put(&key, label, value),
            Err(accepted) => draft.unknown(&Key::rest_of(label), label, value, accepted),
        };
        let (label, value) = (label.to_owned(), value.to_owned());
        draft.verdicts.push(Verdict { dialect: Dialect::Traefik, label, value, outcome });
    }
    let is_strict = options.strict && draft.verdicts.iter().any(Verdict::is_wrong);
    let (about_tcp, said) = (std::mem::take(&mut draft.tcp), draft.exposed.clone());
    let mut found = link::link(draft, words, options);
    let streams = tcp::link(about_tcp, &name::service(words), base, options, &mut found.verdicts);
    expose(&mut found, streams, &said);
    if is_strict {
        found.exposed = Exposed::No("a label that cannot be read, with --strict-traefik".to_owned());
        found.routes.clear();
        found.services.clear();
        found.streams = Streams::default();
        found.middlewares.clear();
    }
    found
}

/// A router of TCP exposes a container as one of HTTP does, unless a label says that it is not to be.
fn expose(found: &mut Traefik, streams: Streams, said: &Exposed) {
    if !streams.is_empty() && !matches!(said, Exposed::No(_)) {
        (found.exposed, found.streams) = (Exposed::Yes, streams);
    }
}

/// With a letter wrong in its first word, it is still to be heard of.
pub(crate) fn is_ours(label: &str) -> bool {
    label.split_once('.').is_some_and(|(root, _)| is_slip_of(root, "traefik"))
}
