//! Which connections of TCP lead to which service.

use divisi_compose::Level;
use divisi_labels::{Dialect, StreamRoute, StreamService};
use divisi_model::route::{self, Door, Origin, Route};
use divisi_model::tcp::Ports;

use super::cast::{self, Player};
use super::finding::Finding;
use super::ways::Way;

/// Why nothing comes of TLS that is to end in a divisi which speaks none.
const NO_TLS: &str = "its TLS is to end in divisi, which has no certificates without TLS of its own (--listen-tls off)";

/// All routes of TCP, and what is wrong with them.
pub(crate) fn ways(players: &[Player<'_>], has_tls: bool) -> (Vec<Way>, Vec<Finding>) {
    let (mut ways, mut findings, mut routes) = (Vec::new(), Vec::new(), Vec::new());
    for player in players {
        for spec in &player.wish.streams.routes {
            let way = way(players, player, spec, has_tls);
            if let Some(why) = &way.closed {
                let text = format!("{} serves nobody: {why}", way.rule);
                findings.push(Finding::new(Level::Error, &way.place, &way.service, text).about(&way.label));
            }
            routes.push((spec.port, route(player, spec, way.target.as_deref())));
            ways.push(way);
        }
    }
    let (_, conflicts) = Ports::build(routes);
    for conflict in conflicts {
        let loser = &conflict.conflict.loser;
        let is_it = |way: &&mut Way| *way.service == *loser.origin().id && *way.name == **loser.name();
        let Some(way) = ways.iter_mut().find(is_it) else { continue };
        way.behind = Some(conflict.conflict.winner.service().to_string());
        let finding = Finding::new(Level::Warning, &way.place, &way.service, conflict.to_string());
        findings.push(finding.about(&way.label));
    }
    (ways, findings)
}

fn way(players: &[Player<'_>], player: &Player<'_>, spec: &StreamRoute, has_tls: bool) -> Way {
    let is_ended = spec.door == Door::Secure && !spec.passes_tls;
    let closed = spec.closed.clone().or_else(|| (is_ended && !has_tls).then(|| NO_TLS.to_owned()));
    Way {
        service: player.service.name.clone(),
        dialect: spec.dialect,
        name: spec.name.clone(),
        rule: format!("port {} {}", spec.port, spec.text),
        target: target(players, player, spec),
        // What is said of doors is said of requests.
        door: Door::Any,
        redirect: None,
        closed,
        behind: None,
        label: spec.label.clone(),
        place: player.place(&spec.label).clone(),
    }
}

/// Where a route leads: to the container's own service, or in the language of Traefik to whoever has one of that name.
fn target(players: &[Player<'_>], player: &Player<'_>, spec: &StreamRoute) -> Option<String> {
    let is_it = |service: &&StreamService| (service.dialect, &service.name) == (spec.dialect, &spec.service);
    let shown = |player: &Player<'_>, service: &StreamService| {
        cast::target(player.service, service.port.or_else(|| player.port()))
    };
    if let Some(own) = player.wish.streams.services.iter().find(is_it) {
        return Some(shown(player, own));
    }
    let others = players.iter().filter(|_| spec.dialect == Dialect::Traefik);
    let mut found = others.filter_map(|other| Some((other, other.wish.streams.services.iter().find(is_it)?)));
    found.next().map(|(other, service)| shown(other, service))
}

fn route(player: &Player<'_>, spec: &StreamRoute, target: Option<&str>) -> Route {
    let name = player.service.name.as_str();
    let origin = Origin {
        id: name.into(),
        container: player.service.container.as_str().into(),
        label: spec.label.as_str().into(),
    };
    let way = route::Way { door: spec.door, ..route::Way::default() };
    let service = target.unwrap_or(&spec.service);
    Route::new(spec.name.as_str(), spec.rule.clone(), service, origin).with_way(way).with_priority(spec.priority)
}
