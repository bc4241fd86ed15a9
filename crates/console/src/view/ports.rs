//! The ports that labels ask for.

use divisi_model::Snapshot;
use divisi_model::route::{Door, Route};
use divisi_model::tcp::{Listening, Port, Standing, text};

use super::snapshot::claim;
use crate::api;
use crate::api::snapshot::{Conflict, PortRoute};

/// All of them, and whether they are open.
pub(super) fn ports(snapshot: &Snapshot, listening: &Listening) -> Vec<api::snapshot::Port> {
    snapshot.ports().iter().map(|port| tell(port, listening)).collect()
}

fn tell(port: &Port, listening: &Listening) -> api::snapshot::Port {
    let (state, why) = match listening.of(port.number()) {
        Standing::Closed => ("closed", None),
        Standing::Open => ("open", None),
        Standing::Shared => ("shared", None),
        Standing::Failed(why) => ("failed", Some(why.to_string())),
    };
    let routes = port.routes().into_iter().map(|route| self::route(route)).collect();
    api::snapshot::Port { port: port.number(), state: state.to_owned(), why, routes }
}

/// What people are told of a route.
pub(super) fn route(route: &Route) -> PortRoute {
    let way = route.way();
    let tls = match (way.door, way.passes_tls) {
        (Door::Secure, true) => "passthrough",
        (Door::Secure, false) => "terminate",
        (Door::Plain | Door::Any, _) => "none",
    };
    PortRoute {
        name: route.name().to_string(),
        rule: text(route.text()),
        tls: tls.to_owned(),
        priority: route.priority(),
        service: route.service().to_string(),
        container: route.origin().container.to_string(),
        label: route.origin().label.to_string(),
        closed: way.closed.as_deref().map(str::to_owned),
    }
}

/// Who wants the same connections as another.
pub(super) fn conflicts(snapshot: &Snapshot) -> impl Iterator<Item = Conflict> {
    snapshot.ports().conflicts().into_iter().map(|found| Conflict {
        rule: format!("port {} {}", found.port, text(found.conflict.winner.text())),
        winner: claim(&found.conflict.winner),
        loser: claim(&found.conflict.loser),
    })
}
