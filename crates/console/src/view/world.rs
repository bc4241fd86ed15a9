//! The snapshot and what discovery tells of containers, put together.
//!
//! The snapshot has the replicas that get requests, discovery also those that do not. With replicas at fixed addresses there is
//! only the snapshot.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use divisi_discovery::{Advice as Sighted, Sighting};
use divisi_model::spec::Question;
use divisi_model::{Health, Moment, Name, Readiness, Replica, Service, Snapshot, sorting};
use divisi_tls::{Keyring, Status};

use crate::api::Advice;
use crate::api::snapshot;

/// What there is, at one moment.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) sightings: Vec<Sighting>,
    pub(crate) certificates: Status,
    pub(crate) ring: Arc<Keyring>,
    pub(crate) now: Moment,
}

/// A service with all of its replicas, ready or not.
pub(crate) struct Group<'a> {
    pub(crate) service: &'a Arc<Service>,
    /// By number.
    pub(crate) members: Vec<Member<'a>>,
}

/// A replica, and what discovery says is in its way.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) replica: &'a Arc<Replica>,
    sighted: Option<&'a Sighted>,
}

impl World {
    /// All services, by project and name.
    pub(crate) fn groups(&self) -> Vec<Group<'_>> {
        let mut sighted = self.sighted();
        let mut services: Vec<_> = self.snapshot.services().collect();
        sorting::sort_by(&mut services, |a, b| a.state().name().cmp(b.state().name()));
        let more = |service: &Arc<Service>| sighted.remove(service.state().name()).unwrap_or_default();
        let mores: Vec<_> = services.iter().copied().map(more).collect();
        services.into_iter().zip(mores).map(|(service, more)| Group::of(service, more)).collect()
    }

    /// One service.
    pub(crate) fn group<'a>(&'a self, service: &'a Arc<Service>) -> Group<'a> {
        Group::of(service, self.sighted().remove(service.state().name()).unwrap_or_default())
    }

    fn sighted(&self) -> BTreeMap<&Name, Vec<Member<'_>>> {
        let mut members: BTreeMap<&Name, Vec<Member<'_>>> = BTreeMap::new();
        for place in self.sightings.iter().flat_map(|sighting| &sighting.places) {
            if let Some(replica) = &place.replica {
                members.entry(&place.service).or_default().push(Member { replica, sighted: place.obstacle.as_ref() });
            }
        }
        members
    }
}

impl<'a> Group<'a> {
    fn of(service: &'a Arc<Service>, sighted: Vec<Member<'a>>) -> Self {
        let ready = service.ready().iter().map(|replica| Member { replica, sighted: None });
        let mut members: Vec<_> = sighted.into_iter().chain(ready).collect();
        let mut seen = HashSet::new();
        members.retain(|member| seen.insert(member.replica.id()));
        sorting::sort_by(&mut members, |a, b| a.order().cmp(&b.order()));
        Self { service, members }
    }

    /// Whether a replica gets requests now, were there any.
    pub(crate) fn has_usable(&self, now: Moment) -> bool {
        self.members.iter().any(|member| member.obstacle(self.service, now).is_none())
    }

    /// `serving`, `holding`, `refusing` or `forgotten`.
    pub(crate) fn state(&self, now: Moment) -> &'static str {
        if self.has_usable(now) {
            "serving"
        } else if self.service.is_forgotten() {
            "forgotten"
        } else if self.service.spec().hold.time.is_zero() || self.service.spec().hold.requests == 0 {
            "refusing"
        } else {
            "holding"
        }
    }
}

impl Member<'_> {
    fn order(&self) -> (u32, &str, u64) {
        (self.replica.number(), self.replica.name(), self.replica.id().number())
    }

    /// Why it gets no requests; None where it does, as far as its limit allows.
    pub(crate) fn obstacle(&self, service: &Service, now: Moment) -> Option<Advice> {
        let readiness = self.replica.readiness();
        match self.sighted {
            Some(sighted) if readiness != Readiness::Ready => Some(sighted.into()),
            _ => unready(self.replica, readiness).or_else(|| unwell(self.replica, service, now)),
        }
    }

    /// The same for one request more, which the replica's limit may not allow.
    pub(crate) fn obstacle_now(&self, service: &Service, now: Moment) -> Option<Advice> {
        self.obstacle(service, now).or_else(|| {
            let (limit, has) = (service.spec().replica_limit?, self.replica.in_flight());
            (has >= limit as usize).then(|| Advice {
                why: format!("it has {has} requests, as many as it may"),
                write: format!("divisi.limit={}", limit.saturating_mul(2)),
            })
        })
    }

    /// What people are told of it.
    pub(crate) fn tell(&self, service: &Service, now: Moment) -> snapshot::Replica {
        let replica = self.replica;
        let (readiness, health) = (replica.readiness(), replica.health());
        snapshot::Replica {
            name: replica.name().to_owned(),
            number: replica.number(),
            address: replica.authority().to_owned(),
            scheme: replica.speech().scheme.name().to_owned(),
            readiness: readiness_word(readiness).to_owned(),
            health: health_word(health).to_owned(),
            state: state_word(readiness, health).to_owned(),
            since_seconds: now.since(replica.changed_at()).as_secs_f64(),
            requests: snapshot::Requests::of(replica.meter().read()),
            in_flight: replica.in_flight() as u64,
            latency_seconds: replica.latency().map(|latency| latency.as_secs_f64()),
            obstacle: self.obstacle(service, now),
        }
    }

    /// Its state in one word.
    pub(crate) fn word(&self) -> &'static str {
        state_word(self.replica.readiness(), self.replica.health())
    }
}

fn unready(replica: &Replica, readiness: Readiness) -> Option<Advice> {
    let why = match readiness {
        Readiness::Ready => return None,
        Readiness::Starting => "it is starting: nothing says yet that it can answer",
        Readiness::Unhealthy => "its HEALTHCHECK says that it cannot answer",
        Readiness::Paused => {
            let write = format!("docker unpause {}", replica.name());
            return Some(Advice { why: "it is frozen by docker pause".to_owned(), write });
        }
        Readiness::Draining => "its stop has begun; what is open finishes",
        Readiness::Gone => "its container has ended",
    };
    Some(Advice::because(why))
}

fn unwell(replica: &Replica, service: &Service, now: Moment) -> Option<Advice> {
    match replica.health() {
        Health::Up => None,
        Health::Down if replica.has_refused() => {
            Some(Advice::because("it refused a connection; it is back when it accepts one"))
        }
        Health::Down => Some(match &service.spec().check.question {
            Question::None => Advice::because("nobody has found it well yet"),
            Question::Tcp => Advice::because("it does not accept the connections of its check (divisi.health=tcp)"),
            Question::Http(path) => {
                let statuses = &service.spec().check.statuses;
                let range = format!("{}-{}", statuses.start(), statuses.end());
                Advice::because(format!("its check has not answered GET {path} with {range} (divisi.health={path})"))
            }
        }),
        // With more than half of them out all are used.
        Health::Ejected if service.state().is_panicking() => None,
        Health::Ejected => {
            let rest = replica.retry_at(service.spec()).since(now);
            let again = if rest.is_zero() { "now".to_owned() } else { format!("in {:.1} s", rest.as_secs_f64()) };
            Some(Advice::because(format!("requests failed at it, one after the other; it is asked again {again}")))
        }
    }
}

fn readiness_word(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::Starting => "starting",
        Readiness::Ready => "ready",
        Readiness::Unhealthy => "unhealthy",
        Readiness::Paused => "paused",
        Readiness::Draining => "draining",
        Readiness::Gone => "gone",
    }
}

fn health_word(health: Health) -> &'static str {
    match health {
        Health::Up => "up",
        Health::Down => "down",
        Health::Ejected => "ejected",
    }
}

fn state_word(readiness: Readiness, health: Health) -> &'static str {
    match (readiness, health) {
        (Readiness::Ready, Health::Down | Health::Ejected) => health_word(health),
        (readiness, _) => readiness_word(readiness),
    }
}
