//! The environment variables of nginx-proxy, read unchanged: of the container, so those of its image count, too.
//!
//! | module | job |
//! |---|---|
//! | `address` | hosts and paths as nginx has them |
//! | `checks` | whether a value that does nothing here is one |
//! | `multiports` | `VIRTUAL_HOST_MULTIPORTS` |
//! | `tls` | what they say of TLS |
//! | `variables` | every variable and label there is, one row each |
//! | `yaml` | as much of YAML as that needs |
//!
//! A prefix is one of text here, as in nginx: `/api` has `/apiary`, too. A host in an expression comes after all others.

mod address;
mod checks;
mod multiports;
mod tls;
mod variables;
mod yaml;

use std::sync::Arc;

use divisi_model::route::{Protection, Rule};
use divisi_model::speech::{Scheme, Trust};
use divisi_model::{Spec, Speech};

use crate::dialect::Dialect;
use crate::verdict::{Outcome, Verdict};
use crate::wish::{Exposed, Rewrite, RouteSpec, ServiceSpec, Words};

use variables::Draft;
#[cfg(test)]
pub(crate) use variables::rows;

/// What the variables of one container say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NginxProxy {
    pub(crate) exposed: Exposed,
    pub(crate) routes: Vec<RouteSpec>,
    pub(crate) services: Vec<ServiceSpec>,
    pub(crate) verdicts: Vec<Verdict>,
}

/// Most regular expressions of one container: each takes time to compile.
const MOST_EXPRESSIONS: usize = 256;

/// One path of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    host: String,
    path: String,
    dest: String,
    port: Option<u16>,
    proto: Proto,
}

/// How a container is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Proto {
    #[default]
    Http,
    Https,
    Grpc,
    Grpcs,
    /// Not HTTP at all.
    Other(&'static str),
}

impl Proto {
    fn read(text: &str) -> Result<Self, String> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "http" => Self::Http,
            "https" => Self::Https,
            "grpc" => Self::Grpc,
            "grpcs" => Self::Grpcs,
            "uwsgi" => Self::Other("uwsgi"),
            "fastcgi" => Self::Other("fastcgi"),
            _ => return Err("neither http, https, grpc, grpcs, uwsgi nor fastcgi".to_owned()),
        })
    }

    fn scheme(self) -> Scheme {
        match self {
            Self::Http | Self::Other(_) => Scheme::Http,
            Self::Https => Scheme::Https,
            Self::Grpc => Scheme::H2c,
            Self::Grpcs => Scheme::H2,
        }
    }

    /// nginx believes whoever answers.
    fn speech(self) -> Speech {
        Speech { scheme: self.scheme(), trust: Trust::Unproven, ..Speech::default() }
    }

    /// Why nobody is served.
    fn obstacle(self) -> Option<String> {
        match self {
            Self::Other(name) => Some(format!("its replicas are to be spoken to by {name}, which is not built yet")),
            _ => None,
        }
    }
}

/// Whether a label is to be read as one of nginx-proxy's, or as a variable in the wrong place.
pub(crate) fn is_label(name: &str) -> bool {
    name.starts_with(variables::PREFIX) || name.starts_with("VIRTUAL_")
}

/// Whether a variable of the environment is to be read.
pub(crate) fn is_variable(name: &str) -> bool {
    variables::is_known(name)
}

/// Reads them. What they want of a service comes on top of `base`.
pub(crate) fn read(words: &Words<'_>, base: &Arc<Spec>) -> NginxProxy {
    let mut draft = Draft::new(base);
    for (name, value) in sorted(words.environment) {
        let outcome = if name.starts_with(variables::PREFIX) { None } else { draft.put(name, value) };
        draft.judge(name, value, outcome);
    }
    for (name, value) in sorted(words.labels) {
        let outcome =
            if name.starts_with(variables::PREFIX) { draft.put(name, value) } else { variables::misplaced(name) };
        draft.judge(name, value, outcome);
    }
    finish(draft)
}

/// The same ones in whatever order come to the same.
fn sorted<'a>(said: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut said: Vec<_> = said.iter().map(|(name, value)| (*name, value.trim())).collect();
    said.sort_unstable();
    said
}

fn finish(mut draft: Draft) -> NginxProxy {
    let (label, places) = match draft.multiports.take() {
        Some(places) => {
            let why = "VIRTUAL_HOST_MULTIPORTS says it all";
            let hidden = ["VIRTUAL_HOST", "VIRTUAL_PORT", "VIRTUAL_PATH", "VIRTUAL_DEST", "VIRTUAL_PROTO"];
            let hidden = |verdict: &&mut Verdict| hidden.contains(&verdict.label.as_str()) && !verdict.is_wrong();
            for verdict in draft.verdicts.iter_mut().filter(hidden) {
                verdict.outcome = Outcome::Ignored(why.to_owned());
            }
            (multiports::NAME, places)
        }
        None => ("VIRTUAL_HOST", draft.places()),
    };
    if places.iter().any(|place| !place.dest.is_empty() && !address::is_plain(&place.path)) {
        draft.dest_is_lost();
    }
    let mut problems = Vec::new();
    let mut routes: Vec<RouteSpec> = Vec::new();
    let mut services: Vec<ServiceSpec> = Vec::new();
    let mut expressions = 0;
    for place in &places {
        expressions += usize::from(place.host.starts_with('~')) + usize::from(place.path.starts_with('~'));
        if expressions > MOST_EXPRESSIONS {
            problems.push(format!("more than {MOST_EXPRESSIONS} regular expressions; the others are left out"));
            break;
        }
        match route(place, label, &draft) {
            Ok(route) => {
                if services.iter().all(|service| service.name != route.service) {
                    services.push(service(place, &route.service, &draft.spec));
                }
                routes.push(route);
            }
            Err(problem) => problems.push(problem),
        }
    }
    draft.blame(label, &problems);
    let is_said = draft.verdicts.iter().any(|verdict| verdict.label == label);
    let exposed = match routes.is_empty() {
        false => Exposed::Yes,
        true if is_said => Exposed::No(label.to_owned()),
        true => Exposed::Unsaid,
    };
    if !is_said {
        draft.forget_others();
    }
    NginxProxy { exposed, routes, services, verdicts: draft.verdicts }
}

fn route(place: &Place, label: &str, draft: &Draft) -> Result<RouteSpec, String> {
    let host = address::host(&place.host)?;
    let path = address::path(&place.path).map_err(|error| format!("{}: {error}", place.host))?;
    let parts = host.rule.into_iter().chain(path.rule).collect();
    let shown = if place.path == "/" { String::new() } else { place.path.clone() };
    let (protection, unguarded) = match draft.tls.protection(place) {
        Ok(protection) => (protection, None),
        Err(why) => (Protection::default(), Some(why)),
    };
    Ok(RouteSpec {
        dialect: Dialect::NginxProxy,
        name: format!("{}{shown}", place.host).into(),
        label: label.into(),
        rule: Arc::new(Rule::all(parts).map_err(|error| error.to_string())?),
        text: format!("{}{shown}", place.host).into(),
        priority: Some(host.rank + path.rank),
        service: service_name(place),
        rewrites: rewrites(place),
        middlewares: Vec::new(),
        closed: draft.broken.clone().or(unguarded).or_else(|| place.proto.obstacle()),
        entrypoints: Vec::new(),
        door: draft.tls.door(),
        redirect: draft.tls.redirect(),
        protection: Arc::new(protection),
    })
}

/// nginx puts `VIRTUAL_DEST` in the place of `VIRTUAL_PATH`, letter by letter; no slash becomes two here.
fn rewrites(place: &Place) -> Vec<Rewrite> {
    if place.dest.is_empty() || !address::is_plain(&place.path) {
        return Vec::new();
    }
    let mut rewrites = Vec::new();
    if place.path != "/" {
        rewrites.push(Rewrite::Strip { prefixes: vec![place.path.clone()], whole: false });
    }
    let dest = place.dest.trim_end_matches('/');
    if !dest.is_empty() {
        rewrites.push(Rewrite::Add(dest.to_owned()));
    }
    rewrites
}

/// Ports are services: all of a container's hosts that lead to the same one share it.
fn service_name(place: &Place) -> String {
    let port = place.port.map_or_else(String::new, |port| port.to_string());
    match place.proto.scheme() {
        Scheme::Http => port,
        scheme => format!("{port}/{}", scheme.name()),
    }
}

fn service(place: &Place, name: &str, spec: &Arc<Spec>) -> ServiceSpec {
    ServiceSpec {
        dialect: Dialect::NginxProxy,
        name: name.to_owned(),
        port: place.port,
        speech: place.proto.speech(),
        pass_host: true,
        middlewares: Vec::new(),
        closed: place.proto.obstacle(),
        spec: Arc::clone(spec),
    }
}
