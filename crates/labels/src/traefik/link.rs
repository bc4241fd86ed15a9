//! Which router leads to which service, as Traefik decides it (`features.md` 2.3).

use std::sync::Arc;

use divisi_model::Speech;

use super::draft::{Draft, Named};
use super::routers::{Router, RouterRule};
use super::rule::{self, Parsed};
use super::services::{Service, did_you_mean};
use super::{Options, Traefik, middlewares, name};
use crate::dialect::Dialect;
use crate::middleware::{Middleware, after_all_others};
use crate::stream::Streams;
use crate::verdict::{Outcome, Verdict};
use crate::wish::{Exposed, RouteSpec, ServiceSpec, Words};

pub(super) fn link(mut draft: Draft, words: &Words<'_>, options: &Options) -> Traefik {
    let has_rule = |draft: &Draft| draft.routers.iter().any(|(_, router)| matches!(router.rule, RouterRule::Read(..)));
    if draft.exposed == Exposed::Unsaid && (has_rule(&draft) || options.exposed_by_default) {
        draft.exposed = Exposed::Yes;
    }
    let is_http = draft.routers.len() + draft.services.len() + draft.middlewares.len() > 0;
    let own = name::service(words);
    if draft.services.len() == 0 && (is_http || !draft.is_tcp) {
        draft.services.entry(&own, || Service::new(&draft.base));
    }
    if draft.routers.len() == 0 && draft.services.len() == 1 && draft.exposed == Exposed::Yes {
        draft.routers.entry(&own, Router::default);
    }
    let mut linker = Linker { services: &draft.services, verdicts: draft.verdicts, words, options };
    let routers = draft.routers.into_iter();
    let routes: Vec<_> = routers.filter_map(|(name, router)| linker.route(name, router)).collect();
    let verdicts = linker.verdicts;
    let mut verdicts = verdicts;
    if draft.exposed == Exposed::Unsaid {
        without_effect(&mut verdicts, "no router leads there: there is neither traefik.enable=true nor a rule");
    } else if draft.exposed == Exposed::Yes && routes.is_empty() && draft.services.len() > 1 {
        without_effect(&mut verdicts, "no router leads there; write traefik.http.routers.NAME.rule and .service");
    }
    let exposed = exposed(draft.exposed, &routes, &verdicts);
    let is_exposed = exposed == Exposed::Yes;
    Traefik {
        exposed,
        network: draft.network,
        routes: if is_exposed { routes } else { Vec::new() },
        services: if is_exposed { draft.services.into_iter().map(service).collect() } else { Vec::new() },
        streams: Streams::default(),
        middlewares: draft.middlewares.into_iter().map(|(name, parts)| middleware(name, &parts)).collect(),
        verdicts,
    }
}

/// A container whose labels say which requests lead to it, and in vain, is not one that says nothing: it is not to be found by
/// all requests.
fn exposed(said: Exposed, routes: &[RouteSpec], verdicts: &[Verdict]) -> Exposed {
    let starts = |verdict: &&Verdict, begin: &str| verdict.label.to_lowercase().starts_with(begin);
    let first = |begin: &str| verdicts.iter().find(|verdict| starts(verdict, begin));
    match said {
        Exposed::Yes if !routes.is_empty() => Exposed::Yes,
        Exposed::No(label) => Exposed::No(label),
        Exposed::Yes | Exposed::Unsaid => {
            let wrong = verdicts.iter().find(|verdict| verdict.is_wrong() && starts(verdict, "traefik.http.routers."));
            let others =
                ["traefik.http.routers.", "traefik.tcp.", "traefik.udp."].iter().find_map(|begin| first(begin));
            let blamed = wrong.or(others).map(|verdict| verdict.label.clone());
            let is_meant = (said == Exposed::Yes).then(|| "the labels of Traefik, of which no route comes".to_owned());
            blamed.or(is_meant).map_or(Exposed::Unsaid, Exposed::No)
        }
    }
}

/// What could be read of routers and services does nothing all the same.
fn without_effect(verdicts: &mut [Verdict], why: &str) {
    let is_part =
        |label: &str| ["traefik.http.routers.", "traefik.http.services."].iter().any(|of| label.starts_with(of));
    let is_vain = |verdict: &&mut Verdict| verdict.outcome == Outcome::Used && is_part(&verdict.label.to_lowercase());
    verdicts.iter_mut().filter(is_vain).for_each(|verdict| verdict.outcome = Outcome::Ignored(why.to_owned()));
}

fn service((name, service): (String, Service)) -> ServiceSpec {
    let spec = Arc::new(service.spec());
    let closed = service.closed();
    let Service { port, scheme, pass_host, middlewares, .. } = service;
    let speech = Speech { scheme, ..Speech::default() };
    ServiceSpec { dialect: Dialect::Traefik, name, port, speech, pass_host, middlewares, closed, spec }
}

fn middleware(name: String, parts: &[middlewares::Part]) -> Middleware {
    Middleware { name, effect: middlewares::effect(parts) }
}

struct Linker<'a> {
    services: &'a Named<Service>,
    verdicts: Vec<Verdict>,
    words: &'a Words<'a>,
    options: &'a Options,
}

impl Linker<'_> {
    fn route(&mut self, name: String, router: Router) -> Option<RouteSpec> {
        let ((door, redirect), protection) = (router.door(), router.protection());
        let label = if router.label.is_empty() { self.any_label(&name) } else { router.label };
        let (parsed, text) = match router.rule {
            RouterRule::Read(parsed, text) => (parsed, text),
            RouterRule::Unsaid => self.default_rule(&label)?,
            RouterRule::Broken => {
                self.leave_out(&name);
                return None;
            }
        };
        let (service, missing) = self.service(&name, &label, router.service)?;
        let behind = self.services.iter().find(|(known, _)| *known == service).map(|(_, service)| service);
        let mut middlewares = router.middlewares;
        middlewares.extend(behind.iter().flat_map(|service| service.middlewares.iter().cloned()));
        // Asked even where there is another reason, for its label is told what becomes of it.
        let elsewhere = self.elsewhere(&name, &router.entrypoints);
        let priority = router.priority.or_else(|| i64::try_from(text.len()).ok());
        // Who comes to divisi would not come to it. It answers them only where no other route does.
        let priority = if elsewhere.is_some() { Some(after_all_others(priority)) } else { priority };
        let closed = router.broken.or(missing).or(elsewhere).or_else(|| behind.and_then(Service::closed));
        Some(RouteSpec {
            dialect: Dialect::Traefik,
            label: label.into(),
            rule: Arc::new(parsed.rule),
            priority,
            text: text.into(),
            service,
            rewrites: Vec::new(),
            middlewares,
            closed,
            entrypoints: router.entrypoints,
            door,
            redirect,
            protection: Arc::new(protection),
            name: name.into(),
        })
    }

    /// Why a router is not meant for those who come to divisi, where that is so.
    fn elsewhere(&mut self, router: &str, names: &[String]) -> Option<String> {
        let is_ours = |name: &str| self.options.entrypoints.iter().any(|ours| ours.eq_ignore_ascii_case(name));
        let ours: Vec<_> = names.iter().filter(|name| is_ours(name)).collect();
        let theirs = names.iter().find(|name| !is_ours(name));
        if names.is_empty() {
            return None;
        }
        let label = self.label_of(router, "entrypoints");
        match (ours.as_slice(), theirs) {
            ([], Some(name)) => {
                let why = format!("entry point {name:?} is not one of divisi's (--entrypoints)");
                self.amend(&label, &Outcome::Approximated(format!("{why}; the route is closed")));
                return Some(why);
            }
            (_, Some(name)) => {
                let why = format!("entry point {name:?} is not one of divisi's (--entrypoints); the others are");
                self.amend(&label, &Outcome::Approximated(why));
            }
            (_, None) => {}
        }
        None
    }

    /// The rest of a router without a rule that can be read.
    fn leave_out(&mut self, router: &str) {
        let begin = format!("traefik.http.routers.{router}.").to_lowercase();
        let is_vain = |verdict: &&mut Verdict| {
            matches!(verdict.outcome, Outcome::Used | Outcome::Approximated(_))
                && verdict.label.to_lowercase().starts_with(&begin)
        };
        for verdict in self.verdicts.iter_mut().filter(is_vain) {
            verdict.outcome = Outcome::Ignored("its router is left out, because its rule cannot be read".to_owned());
        }
    }

    /// The label to blame for a router without a rule.
    fn any_label(&self, name: &str) -> String {
        let begin = format!("traefik.http.routers.{name}.").to_lowercase();
        let found = self.verdicts.iter().find(|verdict| verdict.label.to_lowercase().starts_with(&begin));
        found.map_or_else(|| "traefik.enable".to_owned(), |verdict| verdict.label.clone())
    }

    fn default_rule(&mut self, label: &str) -> Option<(Parsed, String)> {
        let made = name::default_rule(&self.options.default_rule, self.words);
        let read = made.and_then(|text| match rule::parse(&text) {
            Ok(parsed) => Ok((parsed, text)),
            Err(fault) => Err(format!("the default rule {text:?} is {fault}")),
        });
        read.map_err(|why| self.amend(label, &Outcome::Ignored(why))).ok()
    }

    /// The service of a router, and why it leads nowhere if it does not.
    fn service(&mut self, router: &str, label: &str, said: Option<String>) -> Option<(String, Option<String>)> {
        let Some(said) = said else { return self.only_service(router, label).map(|name| (name, None)) };
        match said.split_once('@') {
            None | Some((_, "docker")) => {}
            Some((_, provider)) => {
                let why = format!("service {said:?} is one of provider {provider}, which is not read");
                let outcome = Outcome::Approximated(format!("{why}; the route is closed"));
                self.amend(&self.label_of(router, "service"), &outcome);
                return Some((said, Some(why)));
            }
        }
        let bare = said.strip_suffix("@docker").unwrap_or(&said);
        if !self.services.has(bare) {
            let names: Vec<&str> = self.services.iter().map(|(name, _)| name).collect();
            let meant = did_you_mean(bare, names.iter().copied());
            let why =
                format!("this container has no service {bare:?}{meant}; one of another container must have that name");
            self.amend(&self.label_of(router, "service"), &Outcome::Approximated(why));
        }
        Some((bare.to_owned(), None))
    }

    fn only_service(&mut self, router: &str, label: &str) -> Option<String> {
        let names: Vec<&str> = self.services.iter().map(|(name, _)| name).collect();
        if let [only] = names.as_slice() {
            return Some((*only).to_owned());
        }
        let several = names.join(", ");
        let why =
            format!("the container has several services ({several}); write traefik.http.routers.{router}.service");
        self.amend(label, &Outcome::wrong(why));
        None
    }

    fn label_of(&self, router: &str, field: &str) -> String {
        let wanted = format!("traefik.http.routers.{router}.{field}");
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
