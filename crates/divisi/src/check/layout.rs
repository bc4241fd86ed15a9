//! Ports, networks and replicas: what labels need to come true.

use std::collections::BTreeSet;

use divisi_compose::{Level, Networks, Project, Said, Service};
use divisi_discovery::is_network_called;
use divisi_labels::Exposed;

use super::cast::{self, Player};
use super::finding::Finding;

/// What labels of all three languages begin with.
const BEGINNINGS: &[&str] = &["divisi.", "traefik.", "com.github.nginx-proxy."];

/// Looks at all services.
pub(crate) fn findings(project: &Project, players: &[Player<'_>]) -> Vec<Finding> {
    let divisi = project.services.iter().find(|service| cast::is_divisi(service));
    let mut findings = Vec::new();
    for player in players {
        findings.extend(under_deploy(player.service));
        findings.extend(replicas(player.service));
        if player.wish.exposed == Exposed::Yes && !player.wish.routes.is_empty() {
            findings.extend(port(player));
            findings.extend(network(project, player, divisi));
        }
    }
    findings
}

fn warning(service: &Service, said: Option<&Said>, text: String) -> Finding {
    let place = said.map_or(&service.place, |said| &said.place);
    Finding::new(Level::Warning, place, &service.name, text)
}

fn under_deploy(service: &Service) -> Option<Finding> {
    let is_ours = |said: &&Said| BEGINNINGS.iter().any(|begin| said.key.starts_with(begin));
    let first = service.deploy_labels.iter().filter(is_ours).min_by_key(|said| &said.place)?;
    let text = format!(
        "label {:?} stands under deploy, where labels are for services of Swarm, and no container gets it; move it to the \
         service's own labels",
        first.key
    );
    Some(warning(service, Some(first), text).about(&first.key))
}

fn replicas(service: &Service) -> Vec<Finding> {
    let mut findings = Vec::new();
    if service.replicas < 2 {
        return findings;
    }
    let count = service.replicas;
    let is_fixed = |published: &str| !published.is_empty() && !published.contains('-');
    for port in service.ports.iter().filter(|port| is_fixed(&port.published)) {
        let text = format!(
            "there are {count} replicas, and only one of them can have port {} of the machine; leave ports out, divisi \
             reaches replicas without",
            port.published
        );
        findings.push(Finding::new(Level::Error, &port.place, &service.name, text));
    }
    if let Some(place) = &service.container_name {
        let text =
            format!("there are {count} replicas, and only one of them can have the container_name; leave it out");
        findings.push(Finding::new(Level::Error, place, &service.name, text));
    }
    findings
}

/// Whether it is known where a replica listens.
fn port(player: &Player<'_>) -> Option<Finding> {
    let routes = &player.wish.routes;
    let behind = |spec: &&divisi_labels::ServiceSpec| {
        routes.iter().any(|route| route.dialect == spec.dialect && route.service == spec.name)
    };
    let unknown = player.wish.services.iter().filter(behind).find(|spec| spec.port.is_none())?;
    if player.port().is_some() {
        return None;
    }
    let how = match unknown.dialect {
        divisi_labels::Dialect::Native => "divisi.port: \"80\"".to_owned(),
        divisi_labels::Dialect::Traefik => {
            format!("traefik.http.services.{}.loadbalancer.server.port: \"80\"", unknown.name)
        }
        divisi_labels::Dialect::NginxProxy => "VIRTUAL_PORT: \"80\" in the environment".to_owned(),
    };
    let text = format!(
        "no port is known: neither a label nor expose nor ports says one, and the image may expose another than is meant or \
         none; write {how}"
    );
    Some(warning(player.service, None, text))
}

fn network(project: &Project, player: &Player<'_>, divisi: Option<&Service>) -> Option<Finding> {
    let service = player.service;
    let own = match (&service.networks, attached(project, service)) {
        (_, Some(own)) => own,
        (Networks::Mode(mode), None) => return mode_of(service, mode),
        (Networks::Of(_), None) => return None,
    };
    let said = player.wish.network.as_deref();
    // The rule by which a running divisi finds it.
    let said = said.map(|said| own.iter().copied().find(|name| is_network_called(name, said)).unwrap_or(said));
    if let Some(said) = said.filter(|said| !own.contains(said)) {
        return Some(not_there(project, player, said, &own));
    }
    let (ours, name) = (attached(project, divisi?)?, &divisi?.name);
    let text = match said {
        Some(said) if !ours.contains(said) => format!(
            "it is to be reached on network {said:?}, where {name} is not: that is on {}; write a network that both have",
            list(&ours)
        ),
        None if own.is_disjoint(&ours) => format!(
            "it shares no network with {name}: it is on {}, and {name} on {}; write a network that both have under networks",
            list(&own),
            list(&ours)
        ),
        _ => return None,
    };
    Some(warning(service, None, text))
}

fn mode_of(service: &Service, mode: &str) -> Option<Finding> {
    let text = match mode.split_once(':') {
        Some((_, other)) => {
            format!(
                "it uses the network of {other}; put its labels there with its port, or give it networks of its own"
            )
        }
        None if mode == "none" => "it has no network (network_mode: none), so nothing reaches it".to_owned(),
        None => return None,
    };
    Some(warning(service, None, text))
}

/// A network that the service is not on, perhaps because the engine calls it otherwise than the file.
fn not_there(project: &Project, player: &Player<'_>, said: &str, own: &BTreeSet<&str>) -> Finding {
    let is_said = |label: &&Said| label.value.trim() == said && label.key.ends_with(".network");
    let label = player.service.labels.iter().find(is_said);
    let real = project.networks.get(said).map(|network| network.name.as_str()).filter(|real| own.contains(real));
    let meant = match real {
        Some(real) => format!("the engine calls it {real}; write that"),
        None => format!("it is on {}", list(own)),
    };
    let text = format!("it is to be reached on network {said:?}, which it is not on: {meant}");
    let finding = warning(player.service, label, text);
    match label {
        Some(label) => finding.about(&label.key),
        None => finding,
    }
}

/// The networks of a service, as the engine calls them; None where it has no own ones. One that is not in the file is Compose's
/// to complain of.
fn attached<'a>(project: &'a Project, service: &'a Service) -> Option<BTreeSet<&'a str>> {
    let name = |key: &'a String| project.networks.get(key).map_or(key.as_str(), |network| network.name.as_str());
    let mut names = BTreeSet::new();
    match &service.networks {
        Networks::Of(keys) => names.extend(keys.iter().map(name)),
        Networks::Mode(mode) if mode == "bridge" => names.extend(["bridge"]),
        Networks::Mode(_) => return None,
    }
    Some(names)
}

fn list(names: &BTreeSet<&str>) -> String {
    if names.is_empty() { "no network".to_owned() } else { names.iter().copied().collect::<Vec<_>>().join(", ") }
}
