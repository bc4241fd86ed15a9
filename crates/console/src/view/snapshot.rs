//! What there is.

use std::time::SystemTime;

use divisi_discovery::Sighting;
use divisi_labels::{Outcome, Verdict};
use divisi_model::route::{self, Route, When};
use divisi_model::{EngineState, Moment, Published};

use super::certificate::certificate;
use super::ports;
use super::world::{Group, World};
use crate::api::snapshot::{
    Certificate, Claim, Conflict, Engine, Fallback, Mistake, Requests, Service, Snapshot, Unrouted,
};
use crate::api::{self, Advice};

/// What there is.
pub(crate) fn snapshot(world: &World, published: &Published, version: &str) -> Snapshot {
    let (snapshot, now) = (&world.snapshot, world.now);
    Snapshot {
        version: version.to_owned(),
        age_seconds: now.since(snapshot.made_at()).as_secs_f64(),
        engine: engine(published.engine(), now),
        fallback: fallback(world),
        services: world.groups().iter().map(|group| service(group, now)).collect(),
        routes: snapshot.routes().routes().into_iter().map(|route| self::route(route)).collect(),
        ports: ports::ports(snapshot, published.listening()),
        conflicts: snapshot.routes().conflicts().iter().map(conflict).chain(ports::conflicts(snapshot)).collect(),
        unrouted: unrouted(world),
        mistakes: mistakes(world),
        certificates: certificates(world),
    }
}

fn engine(engine: &EngineState, now: Moment) -> Engine {
    Engine {
        wanted: engine.is_wanted(),
        connected: engine.is_connected(),
        listed: engine.is_listed(),
        since_seconds: now.since(engine.since()).as_secs_f64(),
        losses: engine.losses(),
    }
}

fn fallback(world: &World) -> Fallback {
    match world.snapshot.route() {
        Ok(service) => Fallback { service: Some(service.state().name().to_string()), reason: None },
        Err(unrouted) => Fallback { service: None, reason: Some(unrouted.reason) },
    }
}

fn service(group: &Group<'_>, now: Moment) -> Service {
    let service = group.service;
    let (state, counts) = (service.state(), service.state().counts());
    Service {
        project: state.name().project.to_string(),
        name: state.name().service.to_string(),
        policy: service.spec().policy.name().to_owned(),
        state: group.state(now).to_owned(),
        waiting: state.waiting() as u64,
        known: service.known() as u64,
        retries: counts.retries,
        held: counts.held,
        held_seconds: counts.held_time.as_secs_f64(),
        ejections: counts.ejections,
        own_answers: Requests::of(state.meter().read()),
        replicas: group.members.iter().map(|member| member.tell(service, now)).collect(),
    }
}

/// What people are told of a route.
pub(super) fn route(route: &Route) -> api::snapshot::Route {
    let way = route.way();
    api::snapshot::Route {
        name: route.name().to_string(),
        rule: route.text().to_owned(),
        priority: route.priority(),
        service: route.service().to_string(),
        container: route.origin().container.to_string(),
        label: route.origin().label.to_string(),
        closed: way.closed.as_deref().map(str::to_owned),
        door: way.door.name().to_owned(),
        redirect: way.redirect.map(|redirect| api::snapshot::Redirect {
            status: redirect.status,
            needs_certificate: redirect.when != When::Always,
        }),
        hsts: way.protection.hsts.as_deref().map(str::to_owned),
        client_authority: way.protection.client_authority.as_deref().map(str::to_owned),
    }
}

/// One of two that want the same.
pub(super) fn claim(route: &Route) -> Claim {
    Claim {
        service: route.service().to_string(),
        container: route.origin().container.to_string(),
        label: route.origin().label.to_string(),
    }
}

fn conflict(conflict: &route::Conflict) -> Conflict {
    Conflict { rule: conflict.winner.text().to_owned(), winner: claim(&conflict.winner), loser: claim(&conflict.loser) }
}

/// Containers that get no requests because of what they are; those that only must wait are replicas of their services.
fn unrouted(world: &World) -> Vec<Unrouted> {
    let mut unrouted = Vec::new();
    for sighting in &world.sightings {
        let mut add = |service: String, advice: Advice| {
            unrouted.push(Unrouted { container: sighting.name.clone(), service, advice });
        };
        if let Some(advice) = &sighting.unrouted {
            add(name(&sighting.project, &sighting.service), advice.into());
        }
        for place in sighting.places.iter().filter(|place| place.replica.is_none()) {
            if let Some(advice) = &place.obstacle {
                add(place.service.to_string(), advice.into());
            }
        }
    }
    unrouted
}

fn mistakes(world: &World) -> Vec<Mistake> {
    let of = |sighting: &Sighting| {
        let mistake = |verdict: &Verdict| match &verdict.outcome {
            Outcome::Wrong { accepted, meant } => Some(Mistake {
                container: sighting.name.clone(),
                label: verdict.label.clone(),
                why: accepted.clone(),
                meant: meant.clone(),
            }),
            Outcome::Used | Outcome::Approximated(_) | Outcome::Ignored(_) => None,
        };
        sighting.verdicts.iter().filter_map(mistake).collect::<Vec<_>>()
    };
    world.sightings.iter().flat_map(of).collect()
}

fn certificates(world: &World) -> Vec<Certificate> {
    let now = SystemTime::now();
    world.certificates.names.iter().map(|listing| certificate(listing, now)).collect()
}

fn name(project: &str, service: &str) -> String {
    if project.is_empty() { service.to_owned() } else { format!("{project}/{service}") }
}
