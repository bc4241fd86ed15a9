//! From what containers say to the routing table.

use std::sync::Arc;
use std::time::Instant;

use divisi_labels::{Exposed, RouteSpec, ServiceSpec, middleware};
use divisi_model::Slot;
use divisi_model::route::{Conflict, Origin, Route, Rule, Way};
use tracing::warn;

use super::Table;
use super::owner::{Drawn, Lead, Owner};
use crate::compose::ServiceKey;

/// What everybody asks for stands before what is there without anybody's asking.
const BY_DEFAULT: i64 = i64::MIN / 2;

impl Table {
    /// Brings the routing table in line with what is said by now. Returns whether it is another one.
    pub(super) fn draw(&mut self, now: Instant) -> bool {
        let (mut again, mut dirty) = (self.owners.take_again(), self.owners.take_dirty());
        for key in &dirty {
            if let Some(lead) = self.owners.get(key).and_then(Owner::in_force) {
                again.extend(self.guards.set(key, &lead.wish.middlewares));
            }
        }
        dirty.extend(again.iter().cloned());
        let (mut routes, mut none) = (Vec::new(), Vec::new());
        let (mut streams, mut no_ports) = (Vec::new(), Vec::new());
        let mut is_any = false;
        for key in dirty {
            let Some(owner) = self.owners.get(&key) else { continue };
            let Some(lead) = owner.in_force().filter(|lead| again.contains(&key) || owner.is_other(lead)) else {
                continue;
            };
            is_any = true;
            let (id, lead, had_ports) = (Arc::clone(&owner.id), lead.clone(), !owner.streams.is_empty());
            if had_ports || !lead.wish.streams.is_empty() {
                let ports = self.draw_streams(&key, &id, &lead, now);
                if ports.is_empty() {
                    no_ports.push(Arc::clone(&id));
                }
                streams.extend(ports);
            }
            let before = routes.len();
            self.draw_one(&key, &id, lead, &mut routes, now);
            if routes.len() == before {
                none.push(id);
            }
        }
        if is_any {
            self.patch(&none, routes);
            self.patch_ports(&no_ports, streams);
        }
        is_any
    }

    /// Owners are gone, or have these routes and no others.
    pub(super) fn patch(&mut self, none: &[Arc<str>], routes: Vec<Route>) {
        let none: Vec<&str> = none.iter().map(|id| &**id).collect();
        let (next, conflicts) = self.routes.patch(&none, routes);
        self.routes = next;
        conflicts.iter().for_each(tell);
    }

    fn draw_one(&mut self, key: &ServiceKey, id: &Arc<str>, lead: Lead, routes: &mut Vec<Route>, now: Instant) {
        let (mut drawn, mut asked) = (Vec::with_capacity(lead.wish.routes.len()), Vec::new());
        for spec in &lead.wish.routes {
            let mut spec = spec.clone();
            let slot = self.target(key, &lead, &spec, now);
            self.add_terms(&mut spec, &lead, slot);
            let known = |name: &str| {
                asked.push(name.to_owned());
                self.guards.find(key, name)
            };
            middleware::apply(&mut spec, known, &self.passed_over, self.reader.has_tls);
            drawn.push(Drawn { name: Arc::clone(&spec.name), slot, closed: spec.closed.clone(), is_asked: true });
            let origin =
                Origin { id: Arc::clone(id), container: Arc::clone(&lead.name), label: Arc::clone(&spec.label) };
            routes.push(self.route(spec, &lead, slot, origin));
        }
        if self.local_hosts
            && self.is_home(key)
            && !matches!(lead.wish.exposed, Exposed::No(_))
            && (lead.wish.streams.is_empty() || !lead.wish.routes.is_empty())
            && self.tallies.get(key).is_some_and(|tally| tally.ported > 0)
            && let Some(rule) = local_host(key)
        {
            let name: Arc<str> = format!("{}.localhost", key.service).into();
            drawn.push(Drawn { name: Arc::clone(&name), slot: lead.main, closed: None, is_asked: false });
            let origin = Origin { id: Arc::clone(id), container: Arc::clone(&lead.name), label: "(its name)".into() };
            let way = Way { slot: lead.main, ..Way::default() };
            routes.push(Route::new(name, rule, self.title(lead.main), origin).with_priority(BY_DEFAULT).with_way(way));
        }
        self.tell_closed(key, &lead, &drawn);
        self.guards.note_asked(key, asked);
        self.owners.set_routes(key, lead, drawn);
    }

    fn route(&self, spec: RouteSpec, lead: &Lead, slot: Slot, origin: Origin) -> Route {
        let hides_host = match own_service(lead, &spec) {
            Some(service) => !service.pass_host,
            None => self.services.get(slot).is_some_and(|served| served.terms().hides_host),
        };
        let closed = spec.closed.map(Arc::from);
        let (door, redirect, protection) = (spec.door, spec.redirect, spec.protection);
        let way =
            Way { slot, rewrites: spec.rewrites, closed, hides_host, door, redirect, protection, passes_tls: false };
        let route = Route::new(spec.name, spec.rule, self.title(slot), origin).with_way(way);
        match spec.priority {
            Some(priority) => route.with_priority(priority),
            None => route,
        }
    }

    /// A route to a service of its own container has what stands before that already; for one of another's it is added here.
    fn add_terms(&self, spec: &mut RouteSpec, lead: &Lead, slot: Slot) {
        let Some(served) = self.services.get(slot).filter(|_| own_service(lead, spec).is_none()) else { return };
        let terms = served.terms();
        spec.middlewares.extend(terms.middlewares.iter().cloned());
        if spec.closed.is_none() {
            spec.closed.clone_from(&terms.closed);
        }
    }

    /// The service to which a route leads. One that nobody is a replica of yet is waited for like any other.
    fn target(&mut self, key: &ServiceKey, lead: &Lead, spec: &RouteSpec, now: Instant) -> Slot {
        let key = self.key_of(key, &lead.name, spec.dialect, &spec.service);
        self.services.slot_or_new(&key, &self.spec, &self.tuning, now)
    }

    pub(super) fn title(&self, slot: Slot) -> Arc<str> {
        self.services.get(slot).map_or_else(Arc::default, |served| served.name().whole())
    }

    /// Says of each route that is closed so, unless it was before.
    pub(super) fn tell_closed(&self, key: &ServiceKey, lead: &Lead, drawn: &[Drawn]) {
        let before = |route: &Drawn| {
            let owner = self.owners.get(key);
            owner.is_some_and(|owner| owner.routes.iter().chain(&owner.streams).any(|old| old == route))
        };
        for route in drawn {
            if let Some(why) = route.closed.as_ref().filter(|_| !before(route)) {
                warn!("route {} of {} serves nobody: {why}", route.name, lead.name);
            }
        }
    }
}

/// The service that a route names, where its own container says it.
fn own_service<'a>(lead: &'a Lead, spec: &RouteSpec) -> Option<&'a ServiceSpec> {
    lead.wish.services.iter().find(|service| (service.dialect, &service.name) == (spec.dialect, &spec.service))
}

fn tell(conflict: &Conflict) {
    warn!("{conflict}");
}

/// From where names lead to services: this machine and networks that are not the internet (RFC 1918, 4193, 6598, 3927, 4291).
/// Nobody has asked for these routes, and a stranger can write any name into a request.
const NEAR: [&str; 9] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

/// `web.localhost` and `web.shop.localhost`, for those who are near; None where the name is none for a host.
fn local_host(key: &ServiceKey) -> Option<Rule> {
    let names = [format!("{}.localhost", key.service), format!("{}.{}.localhost", key.service, key.project)];
    let hosts: Vec<_> = names.iter().filter_map(|name| Rule::host(name).ok()).collect();
    let near = NEAR.iter().filter_map(|network| Rule::client_ip(network).ok()).collect();
    Rule::all(vec![Rule::any(hosts).ok()?, Rule::any(near).ok()?]).ok()
}
