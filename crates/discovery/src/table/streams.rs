//! From what containers say of TCP to the ports that are open.

use std::sync::Arc;
use std::time::Instant;

use divisi_labels::{Dialect, StreamRoute, Wish};
use divisi_model::route::{Origin, Protection, Route, Way};
use divisi_model::tcp::Ports;
use tracing::warn;

use super::Table;
use super::owner::{Drawn, Lead};
use super::place::Stake;
use super::served::{Key, Terms};
use crate::compose::ServiceKey;
use crate::entry::Entry;

impl Table {
    /// The services of TCP of which a container is to be a replica.
    pub(super) fn stream_stakes(&self, entry: &Entry, wish: &Wish) -> Vec<Stake> {
        let key = &entry.identity.key;
        let is_led_to = |dialect: Dialect, name: &str| {
            // One of Traefik that nothing here leads to may be meant for a router of another container.
            dialect == Dialect::Traefik
                || wish.streams.routes.iter().any(|route| (route.dialect, route.service.as_str()) == (dialect, name))
        };
        let meant = wish.streams.services.iter().filter(|service| is_led_to(service.dialect, &service.name));
        meant
            .map(|service| Stake {
                key: self.stream_key(key, service.dialect, &service.name),
                port: service.port,
                speech: Arc::new(service.speech.clone()),
                is_native: service.dialect == Dialect::Native,
                spec: Arc::new(service.spec.clone()),
                terms: Terms::default(),
                is_asked: true,
            })
            .collect()
    }

    /// The routes of an owner, as its lead wants them, each with its port.
    pub(super) fn draw_streams(
        &mut self,
        key: &ServiceKey,
        id: &Arc<str>,
        lead: &Lead,
        now: Instant,
    ) -> Vec<(u16, Route)> {
        let (mut routes, mut drawn) = (Vec::new(), Vec::new());
        for spec in &lead.wish.streams.routes {
            let service = self.stream_key(key, spec.dialect, &spec.service);
            let slot = self.services.slot_or_new(&service, &self.spec, &self.tuning, now);
            drawn.push(Drawn { name: spec.name.as_str().into(), slot, closed: spec.closed.clone(), is_asked: true });
            let closed = spec.closed.as_deref().map(Arc::from);
            let protection = Arc::new(Protection { names: spec.names.clone(), ..Protection::default() });
            let way = Way { slot, closed, door: spec.door, passes_tls: spec.passes_tls, protection, ..Way::default() };
            let origin =
                Origin { id: Arc::clone(id), container: Arc::clone(&lead.name), label: spec.label.as_str().into() };
            let route = Route::new(spec.name.as_str(), spec.rule.clone(), self.title(slot), origin);
            routes.push((spec.port, route.with_priority(spec.priority).with_way(way)));
        }
        self.tell_closed(key, lead, &drawn);
        self.owners.set_streams(key, drawn);
        routes
    }

    /// Owners want no ports any more, or just these.
    pub(super) fn patch_ports(&mut self, none: &[Arc<str>], routes: Vec<(u16, Route)>) {
        if none.is_empty() && routes.is_empty() {
            return;
        }
        let none: Vec<&str> = none.iter().map(|id| &**id).collect();
        let (next, conflicts) = Ports::patch(&self.ports, &none, routes);
        self.ports = Arc::new(next);
        conflicts.iter().for_each(|conflict| warn!("{conflict}"));
    }

    /// The service of TCP that a container of that owner means by a name. It is none of HTTP, whatever that is called.
    fn stream_key(&self, owner: &ServiceKey, dialect: Dialect, name: &str) -> Key {
        match dialect {
            Dialect::Traefik => {
                let project = if self.reader.traefik.strict { "" } else { &owner.project };
                Key::of_traefik(project, &format!("{name}/tcp"))
            }
            Dialect::Native | Dialect::NginxProxy => Key { owner: owner.clone(), name: name.to_owned() },
        }
    }
}

/// What people are told of a route: its port stands in it.
pub(super) fn text(route: &StreamRoute) -> String {
    format!("port {} {}", route.port, route.text)
}
