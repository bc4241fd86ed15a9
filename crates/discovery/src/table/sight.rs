//! What is known of each container, for people.

use std::collections::HashSet;

use divisi_labels::{Exposed, RouteSpec, StreamRoute, Wish};
use divisi_model::route::Conflict;
use divisi_model::{Name, Slot};

use super::owner::Owner;
use super::{Table, streams};
use crate::container::{Health, Life};
use crate::entry::{Entry, Place, Unroutable};
use crate::network::{self, Why};
use crate::report::{self, Advice, Reason, RouteSighting, Sighting};

impl Table {
    /// What is known of each container, sorted by project, service and number.
    pub(crate) fn sightings(&self) -> Vec<Sighting> {
        let conflicts = self.routes.conflicts();
        let mut used = self.owners.used();
        used.extend(self.fallback.as_ref().ok());
        let mut all: Vec<_> = self.entries.values().map(|entry| self.sighting(entry, &used, &conflicts)).collect();
        all.sort_by(|a, b| {
            let rank = |sighting: &Sighting| (sighting.project.is_empty(), sighting.number);
            let names = |sighting: &Sighting| (sighting.project.clone(), sighting.service.clone());
            (rank(a).0, names(a), rank(a).1, &a.name).cmp(&(rank(b).0, names(b), rank(b).1, &b.name))
        });
        all
    }

    fn sighting(&self, entry: &Entry, used: &HashSet<Slot>, conflicts: &[Conflict]) -> Sighting {
        let (key, container) = (&entry.identity.key, &entry.container);
        let wish = entry.wish.wish.as_deref();
        Sighting {
            id: container.id.clone(),
            name: container.name.clone(),
            project: key.project.to_string(),
            service: if key.is_composed() { key.service.to_string() } else { String::new() },
            number: if key.is_composed() { entry.identity.number } else { 0 },
            created: container.created,
            state: state(entry),
            places: entry.places.iter().filter_map(|place| self.place_sighting(entry, place)).collect(),
            unrouted: self.unrouted(entry, wish, used),
            verdicts: wish.map(|wish| wish.verdicts.clone()).unwrap_or_default(),
            routes: wish.map(|wish| self.route_sightings(entry, wish, conflicts)).unwrap_or_default(),
        }
    }

    fn place_sighting(&self, entry: &Entry, place: &Place) -> Option<report::Place> {
        let served = self.services.get(place.slot)?;
        let path = network::choose(&self.own.standpoint, &entry.container.networking, entry.network());
        let obstacle = entry.addr(place.port, &self.own.standpoint).err();
        Some(report::Place {
            service: served.name().clone(),
            port: entry.port(place.port).ok().map(|port| Reason { choice: port, why: why_port(place).to_owned() }),
            network: path.ok().map(|path| Reason { choice: path.network.to_owned(), why: why_network(&path.why) }),
            addr: entry.addr(place.port, &self.own.standpoint).ok(),
            replica: place.replica.clone(),
            obstacle: obstacle.map(|why| advice(&why)),
        })
    }

    /// Why no request comes to a container, whatever its state is.
    fn unrouted(&self, entry: &Entry, wish: Option<&Wish>, used: &HashSet<Slot>) -> Option<Advice> {
        let key = &entry.identity.key;
        if !entry.seen {
            return Some(advice(&Unroutable::Unseen));
        }
        if let Some(Exposed::No(label)) = wish.map(|wish| &wish.exposed)
            && entry.places.is_empty()
        {
            let write = format!("change or remove {label}");
            return Some(Advice { why: format!("{label} says that it is not to be reached"), write });
        }
        if entry.places.is_empty() {
            return Some(entry.out_of_reach.as_ref().map_or_else(|| self.stranger(entry), advice));
        }
        if let [place] = entry.places.as_slice()
            && let Err(why) = entry.addr(place.port, &self.own.standpoint)
        {
            return Some(advice(&why));
        }
        let why = "no route leads to it".to_owned();
        let write = format!("the label divisi.host=HOST (or divisi.path=/PATH) at service {:?}", key.service);
        (!entry.places.iter().any(|place| used.contains(&place.slot))).then_some(Advice { why, write })
    }

    /// It is not at home here, and no label of it asks for requests.
    fn stranger(&self, entry: &Entry) -> Advice {
        let (key, own) = (&entry.identity.key, self.own.identity.as_ref());
        if own.is_some_and(|own| own.key == *key) {
            return Advice { why: "it is divisi itself".to_owned(), write: String::new() };
        }
        if !key.is_composed() {
            let why = "it belongs to no Compose project, and no label of it asks for requests".to_owned();
            return Advice { why, write: "--label divisi.host=HOST where it is started".to_owned() };
        }
        let why = format!("it is of another project ({}), and no label of it asks for requests", key.project);
        let write = format!(
            "the label divisi.host=HOST at service {:?}, or start divisi with --project {}",
            key.service, key.project
        );
        Advice { why, write }
    }

    fn route_sightings(&self, entry: &Entry, wish: &Wish, conflicts: &[Conflict]) -> Vec<RouteSighting> {
        let owner = self.owners.get(&entry.identity.key);
        let lead = owner.and_then(|owner| owner.lead.as_ref());
        let is_lead = lead.is_some_and(|lead| Some(&lead.age) == entry.wish.age.as_ref());
        let sighting = |route: &RouteSpec| {
            let drawn =
                owner.and_then(|owner| owner.routes.iter().find(|drawn| drawn.name == route.name && drawn.is_asked));
            let slot = drawn.map(|drawn| drawn.slot);
            let service = slot.and_then(|slot| self.services.get(slot)).map(|served| served.name().clone());
            let is_loser = |conflict: &&Conflict| {
                *conflict.loser.name() == route.name
                    && owner.is_some_and(|owner| conflict.loser.origin().id == owner.id)
            };
            RouteSighting {
                name: route.name.to_string(),
                text: route.text.to_string(),
                label: route.label.to_string(),
                service: service.unwrap_or_else(|| Name { project: "".into(), service: route.service.as_str().into() }),
                closed: drawn.map_or_else(|| route.closed.clone(), |drawn| drawn.closed.clone()),
                is_used: is_lead,
                conflict: conflicts.iter().find(is_loser).map(ToString::to_string),
            }
        };
        let streams = wish.streams.routes.iter().map(|route| self.stream_sighting(owner, is_lead, route));
        wish.routes.iter().map(sighting).chain(streams).collect()
    }
}

impl Table {
    fn stream_sighting(&self, owner: Option<&Owner>, is_used: bool, route: &StreamRoute) -> RouteSighting {
        let drawn = owner.and_then(|owner| owner.streams.iter().find(|drawn| *drawn.name == *route.name));
        let served = drawn.and_then(|drawn| self.services.get(drawn.slot));
        let (port, name) = (route.port, route.name.as_str());
        let conflicts = self.ports.get(port).map(|port| port.conflicts()).unwrap_or_default();
        let is_loser = |conflict: &&Conflict| {
            &**conflict.loser.name() == name && owner.is_some_and(|owner| conflict.loser.origin().id == owner.id)
        };
        RouteSighting {
            name: route.name.clone(),
            text: streams::text(route),
            label: route.label.clone(),
            service: served.map_or_else(
                || Name { project: "".into(), service: route.service.as_str().into() },
                |served| served.name().clone(),
            ),
            closed: route.closed.clone(),
            is_used,
            conflict: conflicts.iter().find(is_loser).map(|conflict| format!("port {port}: {conflict}")),
        }
    }
}

/// What a container is doing, in one word.
fn state(entry: &Entry) -> &'static str {
    match (entry.container.life, entry.container.health) {
        _ if entry.draining.is_some() => "stopping",
        (Life::Ended, _) => "ended",
        (Life::Paused, _) => "paused",
        (Life::Running, Health::Healthy) => "healthy",
        (Life::Running, Health::Unhealthy) => "unhealthy",
        (Life::Running, Health::Starting) => "starting",
        (Life::Running, Health::Unknown | Health::Unchecked) => "running",
    }
}

fn why_port(place: &Place) -> &'static str {
    if place.port.is_some() { "a label says so" } else { "it is the lowest that the container exposes" }
}

fn why_network(why: &Why<'_>) -> String {
    match why {
        Why::Wanted => "a label says so".to_owned(),
        Why::First(1) => "it is the only one that divisi shares with it".to_owned(),
        Why::First(count) => format!("it is the first by name of {count} that divisi shares with it"),
        Why::Instead(wanted) => {
            format!("a label says {wanted}, which the two do not share; this is the first by name that they do")
        }
        Why::OfHost => "the container has the host's network".to_owned(),
    }
}

/// The reasons end in what to write.
fn advice(why: &Unroutable) -> Advice {
    let text = why.to_string();
    let (why, write) = text.split_once(": ").unwrap_or((&text, ""));
    Advice { why: why.to_owned(), write: write.trim_start_matches("write ").to_owned() }
}
