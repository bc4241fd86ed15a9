//! Which router leads to which service, and at which ports.

use divisi_model::route::{Door, Rule};
use divisi_model::spec::Question;
use divisi_model::speech::Scheme;
use divisi_model::{Spec, Speech};

use super::Tcp;
use super::routers::Router;
use super::services::Service;
use crate::dialect::Dialect;
use crate::stream::{StreamRoute, StreamService, Streams, spec_of};
use crate::traefik::Options;
use crate::traefik::services::did_you_mean;
use crate::verdict::{Outcome, Verdict};

/// Most ports to which one router may lead.
const MOST: usize = 64;

/// What the labels about TCP come to; `own` is what Traefik calls a service of the container that has no name.
pub(crate) fn link(mut tcp: Tcp, own: &str, base: &Spec, options: &Options, verdicts: &mut [Verdict]) -> Streams {
    if tcp.services.len() == 0 && tcp.routers.len() > 0 {
        tcp.services.entry(own, Service::default);
    }
    let Tcp { routers, services, middlewares } = &tcp;
    let mut linker = Linker { services, middlewares, options, verdicts };
    let routes = routers.iter().flat_map(|(name, router)| linker.routes(name, router)).collect();
    Streams { routes, services: services.iter().map(|(name, service)| stream_service(name, service, base)).collect() }
}

fn stream_service(name: &str, service: &Service, base: &Spec) -> StreamService {
    let scheme = if service.is_secure { Scheme::Https } else { Scheme::Http };
    let speech = Speech { proxy_header: service.proxy_header, scheme, ..Speech::default() };
    let mut spec = spec_of(base);
    if service.is_checked {
        spec.check.question = Question::Tcp;
    }
    StreamService { dialect: Dialect::Traefik, name: name.to_owned(), port: service.port, speech, spec }
}

struct Linker<'a> {
    services: &'a super::super::draft::Named<Service>,
    middlewares: &'a super::super::draft::Named<super::middlewares::Middleware>,
    options: &'a Options,
    verdicts: &'a mut [Verdict],
}

impl Linker<'_> {
    /// A router at several entry points is a route at each of their ports.
    fn routes(&mut self, name: &str, router: &Router) -> Vec<StreamRoute> {
        let Some((rule, text)) = &router.rule else {
            self.leave_out(name, "its router is left out, because it has no rule that can be read");
            return Vec::new();
        };
        let door = if router.is_secure() { Door::Secure } else { Door::Plain };
        if door == Door::Plain && asks_for_name(rule) {
            let why = "names are known inside TLS only; write tls.passthrough=true (or tls=true), or HostSNI(`*`)";
            self.amend(&router.label, &Outcome::wrong(format!("{why}; its router is left out")));
            return Vec::new();
        }
        let Some((service, missing)) = self.service(name, router) else { return Vec::new() };
        let (rule, guarded) = self.guard(rule.clone(), &router.middlewares);
        let ports = self.ports(name, router);
        // So it is in Traefik.
        let rank = if text == "HostSNI(`*`)" { -1 } else { i64::try_from(text.len()).unwrap_or(i64::MAX) };
        let route = |port: u16| StreamRoute {
            dialect: Dialect::Traefik,
            name: format!("{name}@{port}"),
            label: router.label.clone(),
            port,
            rule: rule.clone(),
            text: text.clone(),
            priority: router.priority.unwrap_or(rank),
            door,
            passes_tls: router.passes_tls(),
            names: router.names(),
            service: service.clone(),
            closed: router.broken.clone().or_else(|| guarded.clone()).or_else(|| missing.clone()),
        };
        ports.into_iter().map(route).collect()
    }

    /// The ports of its entry points; without any, those of all.
    fn ports(&mut self, name: &str, router: &Router) -> Vec<u16> {
        let port_of = |name: &str| {
            let found = self.options.ports.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, port)| *port)
        };
        if router.entrypoints.is_empty() {
            let all: Vec<u16> = self.options.ports.iter().map(|(_, port)| *port).take(MOST).collect();
            if all.is_empty() {
                let why = "it names no entry point, and none has a port here; write \
                           traefik.tcp.routers.NAME.entrypoints=postgres and --entrypoints postgres=5432";
                let why = why.replace("NAME", name);
                self.amend(&router.label, &Outcome::Approximated(format!("{why}. Until then nothing leads there")));
            }
            return all;
        }
        let (known, unknown): (Vec<&String>, Vec<&String>) =
            router.entrypoints.iter().partition(|name| port_of(name).is_some());
        let mut ports: Vec<u16> = known.into_iter().filter_map(|name| port_of(name)).take(MOST).collect();
        ports.sort_unstable();
        ports.dedup();
        if let Some(other) = unknown.first() {
            let more = if ports.is_empty() { ". Until then nothing leads there" } else { "; the others have one" };
            let why = format!("entry point {other:?} has no port here; write --entrypoints {other}=PORT{more}");
            self.amend(&self.label_of(name, "entrypoints"), &Outcome::Approximated(why));
        }
        ports
    }

    /// The service of a router, and why it leads nowhere if it does not.
    fn service(&mut self, name: &str, router: &Router) -> Option<(String, Option<String>)> {
        let names: Vec<&str> = self.services.iter().map(|(name, _)| name).collect();
        let Some(said) = &router.service else {
            if let [only] = names.as_slice() {
                return Some(((*only).to_owned(), None));
            }
            let several = names.join(", ");
            let why =
                format!("the container has several services ({several}); write traefik.tcp.routers.{name}.service");
            self.amend(&router.label, &Outcome::wrong(why));
            return None;
        };
        let label = self.label_of(name, "service");
        let bare = match said.split_once('@') {
            None => said.as_str(),
            Some((bare, "docker")) => bare,
            Some((_, provider)) => {
                let why = format!("service {said:?} is one of provider {provider}, which is not read");
                self.amend(&label, &Outcome::Approximated(format!("{why}; the route is closed")));
                return Some((said.clone(), Some(why)));
            }
        };
        if !self.services.has(bare) {
            let meant = did_you_mean(bare, names.iter().copied());
            let why =
                format!("this container has no service {bare:?}{meant}; one of another container must have that name");
            self.amend(&label, &Outcome::Approximated(why));
        }
        Some((bare.to_owned(), None))
    }

    /// The rule with what guards it, or why nobody may be served.
    fn guard(&self, rule: Rule, names: &[String]) -> (Rule, Option<String>) {
        let mut parts = vec![rule.clone()];
        for name in names {
            let bare = name.strip_suffix("@docker").unwrap_or(name);
            let found = self.middlewares.iter().find(|(known, _)| *known == bare).map(|(_, middleware)| middleware);
            match found {
                Some(middleware) if middleware.broken.is_some() => return (rule, middleware.broken.clone()),
                Some(middleware) => parts.extend(middleware.clients.clone()),
                None => {
                    let why = format!("middleware {name:?} is not one of this container, and might guard it");
                    return (rule, Some(why));
                }
            }
        }
        match Rule::all(parts) {
            Ok(guarded) => (guarded, None),
            Err(error) => (rule, Some(error.to_string())),
        }
    }

    fn leave_out(&mut self, router: &str, why: &str) {
        let begin = format!("traefik.tcp.routers.{router}.").to_lowercase();
        let is_vain = |verdict: &&mut Verdict| {
            matches!(verdict.outcome, Outcome::Used | Outcome::Approximated(_))
                && verdict.label.to_lowercase().starts_with(&begin)
        };
        self.verdicts.iter_mut().filter(is_vain).for_each(|verdict| verdict.outcome = Outcome::Ignored(why.to_owned()));
    }

    fn label_of(&self, router: &str, field: &str) -> String {
        let wanted = format!("traefik.tcp.routers.{router}.{field}");
        let found = self.verdicts.iter().find(|verdict| verdict.label.eq_ignore_ascii_case(&wanted));
        found.map(|verdict| verdict.label.clone()).unwrap_or(wanted)
    }

    /// A label that could be read turns out to say less beside the others.
    fn amend(&mut self, label: &str, outcome: &Outcome) {
        for verdict in self.verdicts.iter_mut().filter(|verdict| verdict.label == label && !verdict.is_wrong()) {
            verdict.outcome = outcome.clone();
        }
    }
}

/// Whether a rule asks for what only TLS tells. Without any name or with every one it does not.
fn asks_for_name(rule: &Rule) -> bool {
    match rule {
        Rule::All { 0: rules, .. } | Rule::Any { 0: rules, .. } => rules.iter().any(asks_for_name),
        Rule::ClientIp { .. } => false,
        Rule::Not { 0: rule, .. } => asks_for_name(rule),
        _ => true,
    }
}
