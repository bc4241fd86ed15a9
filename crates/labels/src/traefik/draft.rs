//! Routers, services and middlewares while they are read.

use std::collections::BTreeMap;

use divisi_model::Spec;

use super::fields::{self, Found, Place};
use super::key::Key;
use super::middlewares::Part;
use super::routers::{self, Router};
use super::services::Service;
use super::tcp::Tcp;
use super::{middlewares, scalar};
use crate::native::network_name;
use crate::nearest::nearest;
use crate::verdict::{Outcome, Verdict};
use crate::wish::Exposed;

/// Most regular expressions of one container.
const MOST_EXPRESSIONS: usize = 256;

fn is_rule(label: &str) -> bool {
    label.to_lowercase().ends_with(".rule")
}

/// What is read so far.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) base: Spec,
    pub(crate) exposed: Exposed,
    pub(crate) network: Option<String>,
    pub(crate) routers: Named<Router>,
    pub(crate) services: Named<Service>,
    pub(crate) middlewares: Named<Vec<Part>>,
    pub(crate) tcp: Tcp,
    /// Whether there is something for TCP or UDP.
    pub(crate) is_tcp: bool,
    /// How many regular expressions there are in its rules, at most.
    expressions: usize,
    pub(crate) verdicts: Vec<Verdict>,
}

/// One label for whom it concerns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    /// The label.
    pub(crate) label: &'a str,
    /// Its value.
    pub(crate) value: &'a str,
    /// What stands in brackets in it.
    pub(crate) index: &'a str,
}

/// Things with names. Two names that differ in case only are one, spelled as the first (`features.md` 2.1).
#[derive(Debug)]
pub(crate) struct Named<T>(BTreeMap<String, (String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Named<T> {
    pub(crate) fn entry(&mut self, name: &str, new: impl FnOnce() -> T) -> &mut T {
        &mut self.0.entry(name.to_lowercase()).or_insert_with(|| (name.to_owned(), new())).1
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.values().map(|(name, thing)| (name.as_str(), thing))
    }

    pub(crate) fn into_iter(self) -> impl Iterator<Item = (String, T)> {
        self.0.into_values()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// References are exact where names are not.
    pub(crate) fn has(&self, reference: &str) -> bool {
        self.0.get(&reference.to_lowercase()).is_some_and(|(name, _)| name == reference)
    }
}

impl Draft {
    pub(crate) fn new(base: &Spec) -> Self {
        Self {
            base: base.clone(),
            exposed: Exposed::Unsaid,
            network: None,
            routers: Named::default(),
            services: Named::default(),
            middlewares: Named::default(),
            tcp: Tcp::default(),
            is_tcp: false,
            expressions: 0,
            verdicts: Vec::new(),
        }
    }

    /// What becomes of one label.
    pub(crate) fn put(&mut self, key: &Key<'_>, label: &str, value: &str) -> Outcome {
        let Some(found) = fields::find(key) else {
            return self.unknown(key, label, value, "Traefik 3 has no such label".to_owned());
        };
        if found.name.contains('@') {
            return Outcome::wrong("a name has no @ where it is defined; only references have");
        }
        if value.is_empty() && !found.may_be_empty {
            return self.empty(&found, label);
        }
        let said = Said { label, value, index: found.index };
        match found.place {
            Place::Enable => self.enable(label, value),
            Place::Network => network_name(value).map(|name| self.network = Some(name)).into(),
            Place::Router(_) if is_rule(label) && self.has_too_many_expressions(value) => {
                routers::leave_out(self.routers.entry(found.name, Router::default), label);
                Outcome::wrong(format!("more than {MOST_EXPRESSIONS} regular expressions on one container"))
            }
            Place::Router(set) => set(self.routers.entry(found.name, Router::default), said),
            Place::Service(set) => {
                let base = &self.base;
                set(self.services.entry(found.name, || Service::new(base)), said)
            }
            Place::Middleware => middlewares::put(self.middlewares.entry(found.name, Vec::new), &key.parts[3..], said),
            Place::TcpRouter(_) if is_rule(label) && self.has_too_many_expressions(value) => {
                self.is_tcp = true;
                self.tcp.routers.entry(found.name, Default::default).close(label, "cannot be read");
                Outcome::wrong(format!("more than {MOST_EXPRESSIONS} regular expressions on one container"))
            }
            Place::TcpRouter(set) => {
                self.is_tcp = true;
                let router = self.tcp.routers.entry(found.name, Default::default);
                if router.label.is_empty() {
                    label.clone_into(&mut router.label);
                }
                set(router, said)
            }
            Place::TcpService(set) => {
                self.is_tcp = true;
                set(self.tcp.services.entry(found.name, Default::default), said)
            }
            Place::TcpMiddleware(set) => set(self.tcp.middlewares.entry(found.name, Default::default), said),
            Place::Udp => {
                self.is_tcp = true;
                Outcome::Ignored("UDP is not supported".to_owned())
            }
            Place::Nowhere(check, why) => match check(value) {
                Ok(()) => Outcome::Ignored(why.to_owned()),
                Err(accepted) => Outcome::wrong(accepted),
            },
        }
    }

    /// That is how Compose writes a variable that is not set. To Traefik it is a label that is not there; what keeps something
    /// from clients is not given up so lightly here.
    fn empty(&mut self, found: &Found<'_>, label: &str) -> Outcome {
        if !found.guards {
            return Outcome::Ignored("it is empty, which counts as not set".to_owned());
        }
        let why = || format!("{label} is empty, and might have guarded it");
        let done = match found.place {
            Place::Enable => {
                self.exposed = Exposed::No(label.to_owned());
                "the container is not exposed"
            }
            Place::Service(_) => {
                let base = &self.base;
                self.services.entry(found.name, || Service::new(base)).broken.get_or_insert_with(why);
                "its routes are closed, for it might have guarded them"
            }
            Place::TcpRouter(_) => {
                self.is_tcp = true;
                self.tcp.routers.entry(found.name, Default::default).close(label, "is empty");
                "the route is closed, for it might have guarded it"
            }
            _ if is_rule(label) => {
                routers::leave_out(self.routers.entry(found.name, Router::default), label);
                "its router is left out, for the default rule might be more open"
            }
            _ => {
                self.routers.entry(found.name, Router::default).broken.get_or_insert_with(why);
                "the route is closed, for it might have guarded it"
            }
        };
        Outcome::wrong(format!("it is empty: is the variable set? Until it is, or the label is gone, {done}"))
    }

    /// Each takes time to compile, and containers are read one after the other. A brace may begin one of Traefik 2.
    fn has_too_many_expressions(&mut self, rule: &str) -> bool {
        self.expressions += rule.to_ascii_lowercase().matches("regexp").count() + rule.matches('{').count();
        self.expressions > MOST_EXPRESSIONS
    }

    /// Who cannot be understood here is not exposed: the other way round, `flase` would publish the container.
    fn enable(&mut self, label: &str, value: &str) -> Outcome {
        match scalar::boolean(value) {
            Ok(true) => self.exposed = Exposed::Yes,
            Ok(false) => self.exposed = Exposed::No(label.to_owned()),
            Err(accepted) => {
                self.exposed = Exposed::No(label.to_owned());
                return Outcome::wrong(format!("{accepted}; until then the container is not exposed"));
            }
        }
        Outcome::Used
    }

    /// A label that there is not; `accepted` says why it is none.
    pub(crate) fn unknown(&mut self, key: &Key<'_>, label: &str, value: &str, mut accepted: String) -> Outcome {
        let meant = fields::meant(key);
        if meant.as_deref() == Some("traefik.enable") && scalar::boolean(value) != Ok(true) {
            self.exposed = Exposed::No(label.to_owned());
        }
        if let Some(old) = elsewhere(key) {
            accepted.push_str(old);
        } else if let Some(closed) = self.suspect(key, label) {
            accepted.push_str(&closed);
        }
        Outcome::Wrong { accepted, meant }
    }

    /// Where a guard might have been meant, its route is closed.
    fn suspect(&mut self, key: &Key<'_>, label: &str) -> Option<String> {
        let [http, kind, name, field @ ..] = key.parts.as_slice() else { return None };
        if http.eq_ignore_ascii_case("tcp") && nearest(kind, ["routers", "router"]).is_some() {
            self.is_tcp = true;
            self.tcp.routers.entry(name, Default::default).close(label, "cannot be read");
            return Some("; the route is closed, for it might have guarded it".to_owned());
        }
        nearest(http, ["http"])?;
        let is_like = |words: &[&str]| field.iter().any(|part| nearest(part, words.iter().copied()).is_some());
        let guards = is_like(&["middlewares", "middleware", "options", "parentrefs", "entrypoints"]);
        let why = || format!("{label} cannot be read, and might have guarded it");
        match nearest(kind, ["routers", "router", "services", "service", "middlewares"])? {
            "routers" | "router" if is_like(&["rule"]) => {
                routers::leave_out(self.routers.entry(name, Router::default), label);
                Some("; its router is left out, for the default rule might be more open".to_owned())
            }
            "routers" | "router" if guards => {
                self.routers.entry(name, Router::default).broken.get_or_insert_with(why);
                Some("; the route is closed, for it might have guarded it".to_owned())
            }
            "services" | "service" if guards => {
                let base = &self.base;
                self.services.entry(name, || Service::new(base)).broken.get_or_insert_with(why);
                Some("; its routes are closed, for it might have guarded them".to_owned())
            }
            _ => None,
        }
    }
}

/// What Traefik 1 had, and what Traefik 3 has in other places.
fn elsewhere(key: &Key<'_>) -> Option<&'static str> {
    const IN_FILES: &[&str] = &["weighted", "mirroring", "failover", "highestrandomweight"];
    let is_in_files = |part: &&str| IN_FILES.iter().any(|word| word.eq_ignore_ascii_case(part));
    if key.parts.get(3).is_some_and(is_in_files) {
        return Some("; it is one for files, which are not read");
    }
    match *key.parts.first()? {
        "frontend" => Some("; this is one of Traefik 1: write traefik.http.routers.NAME.rule=Host(`example.com`)"),
        "port" | "backend" => {
            Some("; this is one of Traefik 1: write traefik.http.services.NAME.loadbalancer.server.port")
        }
        _ => None,
    }
}
