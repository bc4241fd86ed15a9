//! Which requests lead to which service, across all of them: a route of one may lead to another, and name middlewares of a
//! third.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use divisi_compose::{Level, Place};
use divisi_labels::middleware::apply;
use divisi_labels::{Dialect, Effect, Middleware, RouteSpec, ServiceSpec};
use divisi_model::route::{self, Conflict, Door, Origin, Redirect, Route, RoutingTable, When};

use super::cast::{self, Player};
use super::finding::Finding;
use crate::settings::Routing;

/// A route of the project.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// The service whose label says it.
    pub(crate) service: String,
    pub(crate) dialect: Dialect,
    /// What it is called among those of its language.
    pub(crate) name: String,
    /// Which requests, as the user wrote it.
    pub(crate) rule: String,
    /// Where they go: `web:80`, or `web` where the port is for its image to say; None where nobody is.
    pub(crate) target: Option<String>,
    /// By which door its requests come in.
    pub(crate) door: Door,
    /// Where those are sent that come without TLS.
    pub(crate) redirect: Option<Redirect>,
    /// Why it serves nobody.
    pub(crate) closed: Option<String>,
    /// The service that gets its requests, because it asks for the same ones and comes first.
    pub(crate) behind: Option<String>,
    /// The label that says it.
    pub(crate) label: String,
    pub(crate) place: Place,
}

/// The names of all services of Traefik: a route may lead to that of another container.
pub(crate) fn names<'a>(players: &'a [Player<'_>]) -> HashSet<&'a str> {
    let specs = players.iter().flat_map(|player| &player.wish.services);
    specs.filter(|spec| spec.dialect == Dialect::Traefik).map(|spec| spec.name.as_str()).collect()
}

/// What is to be known of a route that demands TLS of a divisi that speaks none.
const OUTSIDE: &str = "is meant for requests inside TLS, and divisi speaks none (--listen-tls off): whoever reaches it is served, so \
                       let nobody reach it but the one who ends TLS before it";

/// Whether nobody is served without TLS, where divisi speaks it. A route that sends everybody into it stands beside one that does.
fn demands_tls(route: &RouteSpec) -> bool {
    let is_sent = route.redirect.is_some_and(|redirect| redirect.when == When::Always);
    route.door == Door::Secure || route.door == Door::Any && is_sent
}

/// All routes, and what is wrong with them.
pub(crate) fn ways(players: &[Player<'_>], routing: &Routing) -> (Vec<Way>, Vec<Finding>) {
    let known = middlewares(players);
    let servers = servers(players);
    let (mut ways, mut findings, mut routes) = (Vec::new(), Vec::new(), Vec::new());
    for player in players {
        for spec in &player.wish.routes {
            let mut spec = spec.clone();
            let meant = |middleware: &str| meant(&known, &player.service.name, middleware);
            let mut within_tls = spec.clone();
            apply(&mut within_tls, meant, &routing.passed_over, true);
            apply(&mut spec, meant, &routing.passed_over, routing.reader.has_tls);
            let place = player.place(&spec.label).clone();
            let target = servers.target(player, &spec);
            let name = &player.service.name;
            if let Some(why) = &spec.closed {
                let text = format!("{} serves nobody: {why}", spec.text);
                findings.push(Finding::new(Level::Error, &place, name, text).about(&spec.label));
            } else if !routing.reader.has_tls && demands_tls(&within_tls) {
                let text = format!("{} {OUTSIDE}", spec.text);
                findings.push(Finding::new(Level::Warning, &place, name, text).about(&spec.label));
            }
            routes.push(route(player, &spec, target.as_deref()));
            ways.push(Way {
                service: name.clone(),
                dialect: spec.dialect,
                name: spec.name.to_string(),
                rule: spec.text.to_string(),
                target,
                door: spec.door,
                redirect: spec.redirect,
                closed: spec.closed,
                behind: None,
                label: spec.label.to_string(),
                place,
            });
        }
    }
    let (_, conflicts) = RoutingTable::build(routes);
    findings.extend(settle(&conflicts, &mut ways));
    (ways, findings)
}

impl Way {
    /// What becomes of requests because of the door by which they come, where that is more than that they are served; None, too,
    /// where it depends on the certificates that there are.
    pub(crate) fn door_note(&self) -> Option<String> {
        let sent = self.redirect.filter(|redirect| redirect.when == When::Always);
        match (self.door, sent) {
            (Door::Plain, Some(redirect)) => Some(format!("without TLS: sent into it with {}", redirect.status)),
            (_, Some(redirect)) => Some(format!("inside TLS; others are sent there with {}", redirect.status)),
            (Door::Secure, None) => Some("only inside TLS".to_owned()),
            (Door::Plain | Door::Any, None) => None,
        }
    }
}

/// Notes which routes get no requests, and tells it at their places.
fn settle(conflicts: &[Conflict], ways: &mut [Way]) -> Vec<Finding> {
    let index = ways.iter().enumerate();
    let index: HashMap<_, _> =
        index.map(|(at, way)| ((way.service.clone(), way.label.clone(), way.name.clone()), at)).collect();
    let mut findings = Vec::new();
    for conflict in conflicts {
        let (origin, name) = (conflict.loser.origin(), conflict.loser.name());
        let id = (origin.id.to_string(), origin.label.to_string(), name.to_string());
        let Some(way) = index.get(&id).and_then(|at| ways.get_mut(*at)) else { continue };
        way.behind = Some(conflict.winner.service().to_string());
        let finding = Finding::new(Level::Warning, &way.place, &way.service, conflict.to_string());
        findings.push(finding.about(&way.label));
    }
    findings
}

/// All middlewares by name, each with the service that says it.
type Known<'a> = HashMap<&'a str, Vec<(&'a str, &'a Middleware)>>;

fn middlewares<'a>(players: &'a [Player<'_>]) -> Known<'a> {
    let mut known = Known::new();
    for player in players {
        for middleware in &player.wish.middlewares {
            known.entry(middleware.name.as_str()).or_default().push((player.service.name.as_str(), middleware));
        }
    }
    known
}

/// What a name means to a service: what it says itself, or else what the others say, if they say the same.
fn meant(known: &Known<'_>, service: &str, name: &str) -> Option<Middleware> {
    let all = known.get(name)?;
    if let Some((_, own)) = all.iter().find(|(owner, _)| *owner == service) {
        return Some((*own).clone());
    }
    let (_, first) = all.first()?;
    if all.iter().all(|(_, other)| other.effect == first.effect) {
        return Some((*first).clone());
    }
    let who: Vec<_> = all.iter().map(|(owner, _)| *owner).collect();
    let why = format!("means different things to {}; give each a name of its own", who.join(" and "));
    Some(Middleware { name: name.to_owned(), effect: Effect::Closes(why) })
}

/// Who has which service of Traefik. The names of all others are their container's own.
struct Servers<'a> {
    traefik: HashMap<&'a str, Vec<(&'a Player<'a>, &'a ServiceSpec)>>,
}

fn servers<'a>(players: &'a [Player<'_>]) -> Servers<'a> {
    let mut traefik: HashMap<&str, Vec<_>> = HashMap::new();
    for player in players {
        for spec in player.wish.services.iter().filter(|spec| spec.dialect == Dialect::Traefik) {
            traefik.entry(spec.name.as_str()).or_default().push((player, spec));
        }
    }
    Servers { traefik }
}

impl Servers<'_> {
    /// Where a route leads, as the table of routes shows it. Two names for the same port of the same service are one.
    fn target(&self, player: &Player<'_>, route: &RouteSpec) -> Option<String> {
        if route.dialect == Dialect::Traefik {
            let found = self.traefik.get(route.service.as_str())?;
            let mut all: Vec<_> = found.iter().map(|(player, spec)| shown(player, spec)).collect();
            all.sort_unstable();
            all.dedup();
            return Some(all.join(" + "));
        }
        let is_it = |spec: &&ServiceSpec| spec.dialect == route.dialect && spec.name == route.service;
        player.wish.services.iter().find(is_it).map(|spec| shown(player, spec))
    }
}

fn shown(player: &Player<'_>, spec: &ServiceSpec) -> String {
    cast::target(player.service, spec.port.or_else(|| player.port()))
}

fn route(player: &Player<'_>, spec: &RouteSpec, target: Option<&str>) -> Route {
    let name = player.service.name.as_str();
    let origin =
        Origin { id: name.into(), container: player.service.container.as_str().into(), label: Arc::clone(&spec.label) };
    let service = target.unwrap_or(&spec.service);
    let way = route::Way { door: spec.door, ..route::Way::default() };
    let route = Route::new(Arc::clone(&spec.name), Arc::clone(&spec.rule), service, origin).with_way(way);
    match spec.priority {
        Some(priority) => route.with_priority(priority),
        None => route,
    }
}
