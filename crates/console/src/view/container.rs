//! What became of a container.

use divisi_discovery::{Place as Placed, RouteSighting, Sighting};
use divisi_labels::nearest::nearest;
use divisi_labels::{Outcome, Verdict};

use super::asking::shown;
use super::world::World;
use crate::api::container::{Choice, Container, ContainerRoute, Label, Place};

/// Most names in one answer.
const MOST_NAMES: usize = 20;

/// Why no single container is meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotOne {
    /// There is none like that.
    None(String),
    /// There are several.
    Several(String),
}

/// What became of the container that is called that, or whose id begins with it, or that is the only one of its service.
///
/// # Errors
/// Which there are, where none or several are meant.
pub(crate) fn explain(world: &World, asked: &str) -> Result<Container, NotOne> {
    find(&world.sightings, asked).map(|sighting| tell(world, sighting)).map_err(|found| not_one(world, asked, &found))
}

/// The one that is meant, or all that could be.
fn find<'a>(sightings: &'a [Sighting], asked: &str) -> Result<&'a Sighting, Vec<&'a Sighting>> {
    let asked = asked.trim().trim_start_matches('/');
    let is_id = !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_hexdigit());
    let by_name = |one: &&Sighting| one.name == asked;
    let by_id = |one: &&Sighting| is_id && one.id.starts_with(&asked.to_ascii_lowercase());
    let by_number = |one: &&Sighting| format!("{}-{}", one.service, one.number) == asked;
    let by_service = |one: &&Sighting| {
        !one.service.is_empty() && (one.service == asked || format!("{}/{}", one.project, one.service) == asked)
    };
    let ways: [&dyn Fn(&&Sighting) -> bool; 4] = [&by_name, &by_id, &by_number, &by_service];
    for way in ways {
        let found: Vec<_> = sightings.iter().filter(way).collect();
        match &found[..] {
            [] => {}
            [one] => return Ok(one),
            _ => return Err(found),
        }
    }
    Err(Vec::new())
}

fn not_one(world: &World, asked: &str, found: &[&Sighting]) -> NotOne {
    let (name, names) = (shown(asked), |all: &mut dyn Iterator<Item = &str>| all.collect::<Vec<_>>().join(", "));
    if !found.is_empty() {
        let more = found.len().saturating_sub(MOST_NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let list = names(&mut found.iter().take(MOST_NAMES).map(|one| one.name.as_str()));
        return NotOne::Several(format!("{name} means several containers: {list}{more}; name one of them"));
    }
    if world.sightings.is_empty() {
        return NotOne::None(match world.snapshot.services().next() {
            Some(service) if !service.ready().is_empty() => format!(
                "no container {name} is known: the replicas of {} are at fixed addresses; `divisi ps` shows them",
                service.state().name()
            ),
            _ => format!("no container {name} is known, nor any other: the engine has not been heard yet"),
        });
    }
    let all = world.sightings.iter().flat_map(|one| [one.name.as_str(), one.service.as_str()]);
    let meant = nearest(asked, all.filter(|name| !name.is_empty()));
    let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    NotOne::None(format!(
        "no container {name} among the {} that divisi has looked at{meant}; `divisi ps` shows those that it knows",
        world.sightings.len()
    ))
}

fn tell(world: &World, sighting: &Sighting) -> Container {
    Container {
        id: sighting.id.to_string(),
        name: sighting.name.clone(),
        project: sighting.project.clone(),
        service: sighting.service.clone(),
        number: sighting.number,
        state: sighting.state.to_owned(),
        unrouted: sighting.unrouted.as_ref().map(Into::into),
        places: sighting.places.iter().map(|place| tell_place(world, place)).collect(),
        routes: sighting.routes.iter().map(tell_route).collect(),
        labels: sighting.verdicts.iter().map(tell_label).collect(),
    }
}

fn tell_place(world: &World, place: &Placed) -> Place {
    let service = world.snapshot.services().find(|service| *service.state().name() == place.service);
    let group = service.map(|service| world.group(service));
    let member = group.as_ref().and_then(|group| {
        let wanted = place.replica.as_ref()?.id();
        group.members.iter().find(|member| member.replica.id() == wanted)
    });
    let replica = member.zip(service).map(|(member, service)| member.tell(service, world.now));
    let obstacle = match &replica {
        Some(replica) => replica.obstacle.clone(),
        None => place.obstacle.as_ref().map(Into::into),
    };
    Place {
        service: place.service.to_string(),
        port: place.port.as_ref().map(|port| Choice { choice: port.choice.to_string(), why: port.why.clone() }),
        network: place.network.as_ref().map(|net| Choice { choice: net.choice.clone(), why: net.why.clone() }),
        address: place.addr.map(|addr| addr.to_string()),
        replica,
        obstacle,
    }
}

fn tell_route(route: &RouteSighting) -> ContainerRoute {
    ContainerRoute {
        name: route.name.clone(),
        rule: route.text.clone(),
        label: route.label.clone(),
        service: route.service.to_string(),
        closed: route.closed.clone(),
        used: route.is_used,
        conflict: route.conflict.clone(),
    }
}

fn tell_label(verdict: &Verdict) -> Label {
    let (why, meant) = match &verdict.outcome {
        Outcome::Used => (String::new(), None),
        Outcome::Approximated(why) | Outcome::Ignored(why) => (why.clone(), None),
        Outcome::Wrong { accepted, meant } => (accepted.clone(), meant.clone()),
    };
    Label {
        dialect: verdict.dialect.name().to_owned(),
        label: verdict.label.clone(),
        value: verdict.shown_value().to_owned(),
        outcome: verdict.outcome.word().to_owned(),
        why,
        meant,
    }
}
