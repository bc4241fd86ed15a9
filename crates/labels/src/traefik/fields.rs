//! Every label there is, one row each: what is not here is not known.

use super::draft::Said;
use super::key::Key;
#[cfg(test)]
use super::middlewares;
use super::routers::{self, Router};
use super::scalar;
use super::services::{self, Service};
use super::tcp;
use crate::nearest::nearest;
use crate::verdict::Outcome;

/// Where a label belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Enable,
    Network,
    Router(fn(&mut Router, Said<'_>) -> Outcome),
    Service(fn(&mut Service, Said<'_>) -> Outcome),
    Middleware,
    TcpRouter(fn(&mut tcp::routers::Router, Said<'_>) -> Outcome),
    TcpService(fn(&mut tcp::services::Service, Said<'_>) -> Outcome),
    TcpMiddleware(fn(&mut tcp::middlewares::Middleware, Said<'_>) -> Outcome),
    Udp,
    /// It does nothing here; why. Who misspells its value is told so all the same.
    Nowhere(fn(&str) -> Result<(), String>, &'static str),
}

/// What is found for a label.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) place: Place,
    /// What stands for `*`.
    pub(crate) name: &'a str,
    /// What stands for `[]`, or for `<>`.
    pub(crate) index: &'a str,
    /// Whether nothing is a value, too.
    pub(crate) may_be_empty: bool,
    /// Whether it keeps something from clients.
    pub(crate) guards: bool,
}

const RECORD: &str = "logs, metrics and traces are not set per route";
const SWARM: &str = "Swarm is not supported";
const STOPPED: &str = "a container that does not run gets no requests; they wait instead";
const STORES: &str = "certificates are not set by labels";

/// Every label, without `traefik.`: `*` is a name, `[]` a number in brackets, `<>` one more part of any name, and `**` any
/// parts, one at least.
pub(crate) const FIELDS: &[(&str, Place)] = &[
    ("enable", Place::Enable),
    ("docker.network", Place::Network),
    ("docker.lbswarm", Place::Nowhere(scalar::yes, SWARM)),
    ("docker.allownonrunning", Place::Nowhere(scalar::yes, STOPPED)),
    ("swarm.**", Place::Nowhere(scalar::anything, SWARM)),
    ("tcp.routers.*.rule", Place::TcpRouter(tcp::routers::rule)),
    ("tcp.routers.*.rulesyntax", Place::TcpRouter(tcp::routers::syntax)),
    ("tcp.routers.*.entrypoints", Place::TcpRouter(tcp::routers::entrypoints)),
    ("tcp.routers.*.middlewares", Place::TcpRouter(tcp::routers::middlewares)),
    ("tcp.routers.*.service", Place::TcpRouter(tcp::routers::service)),
    ("tcp.routers.*.priority", Place::TcpRouter(tcp::routers::priority)),
    ("tcp.routers.*.tls", Place::TcpRouter(tcp::routers::tls)),
    ("tcp.routers.*.tls.passthrough", Place::TcpRouter(tcp::routers::passthrough)),
    ("tcp.routers.*.tls.options", Place::TcpRouter(tcp::routers::options)),
    ("tcp.routers.*.tls.certresolver", Place::TcpRouter(tcp::routers::resolver)),
    ("tcp.routers.*.tls.domains.[].main", Place::TcpRouter(tcp::routers::domain)),
    ("tcp.routers.*.tls.domains.[].sans", Place::TcpRouter(tcp::routers::sans)),
    ("tcp.services.*.loadbalancer.server.port", Place::TcpService(tcp::services::port)),
    ("tcp.services.*.loadbalancer.server.tls", Place::TcpService(tcp::services::tls)),
    ("tcp.services.*.loadbalancer.servers.[].port", Place::TcpService(tcp::services::port)),
    ("tcp.services.*.loadbalancer.servers.[].tls", Place::TcpService(tcp::services::tls)),
    ("tcp.services.*.loadbalancer.proxyprotocol", Place::TcpService(tcp::services::proxy_protocol)),
    ("tcp.services.*.loadbalancer.proxyprotocol.version", Place::TcpService(tcp::services::proxy_version)),
    ("tcp.services.*.loadbalancer.terminationdelay", Place::TcpService(tcp::services::termination)),
    ("tcp.services.*.loadbalancer.serverstransport", Place::TcpService(tcp::services::transport)),
    ("tcp.services.*.loadbalancer.healthcheck", Place::TcpService(tcp::services::check)),
    ("tcp.services.*.loadbalancer.healthcheck.<>", Place::TcpService(tcp::services::check_detail)),
    ("tcp.middlewares.*.ipallowlist.sourcerange", Place::TcpMiddleware(tcp::middlewares::clients)),
    ("tcp.middlewares.*.ipwhitelist.sourcerange", Place::TcpMiddleware(tcp::middlewares::clients)),
    ("tcp.middlewares.*.inflightconn.amount", Place::TcpMiddleware(tcp::middlewares::in_flight)),
    ("tcp.middlewares.*.**", Place::TcpMiddleware(tcp::middlewares::unknown)),
    ("udp.**", Place::Udp),
    ("tls.stores.**", Place::Nowhere(scalar::anything, STORES)),
    ("http.routers.*.rule", Place::Router(routers::rule)),
    ("http.routers.*.rulesyntax", Place::Router(routers::syntax)),
    ("http.routers.*.entrypoints", Place::Router(routers::entrypoints)),
    ("http.routers.*.middlewares", Place::Router(routers::middlewares)),
    ("http.routers.*.priority", Place::Router(routers::priority)),
    ("http.routers.*.service", Place::Router(routers::service)),
    ("http.routers.*.tls", Place::Router(routers::tls)),
    ("http.routers.*.tls.certresolver", Place::Router(routers::resolver)),
    ("http.routers.*.tls.options", Place::Router(routers::tls_options)),
    ("http.routers.*.tls.domains.[].main", Place::Router(routers::domain)),
    ("http.routers.*.tls.domains.[].sans", Place::Router(routers::sans)),
    ("http.routers.*.observability.accesslogs", Place::Nowhere(scalar::yes, RECORD)),
    ("http.routers.*.observability.metrics", Place::Nowhere(scalar::yes, RECORD)),
    ("http.routers.*.observability.tracing", Place::Nowhere(scalar::yes, RECORD)),
    ("http.routers.*.observability.traceverbosity", Place::Nowhere(scalar::verbosity, RECORD)),
    ("http.services.*.loadbalancer.server.port", Place::Service(services::port)),
    ("http.services.*.loadbalancer.server.scheme", Place::Service(services::scheme)),
    ("http.services.*.loadbalancer.server.url", Place::Service(services::url)),
    ("http.services.*.loadbalancer.server.weight", Place::Service(services::weight)),
    ("http.services.*.loadbalancer.server.preservepath", Place::Service(services::preserve)),
    ("http.services.*.loadbalancer.servers.[].port", Place::Service(services::port)),
    ("http.services.*.loadbalancer.servers.[].scheme", Place::Service(services::scheme)),
    ("http.services.*.loadbalancer.servers.[].url", Place::Service(services::url)),
    ("http.services.*.loadbalancer.servers.[].weight", Place::Service(services::weight)),
    ("http.services.*.loadbalancer.servers.[].preservepath", Place::Service(services::preserve)),
    ("http.services.*.loadbalancer.passhostheader", Place::Service(services::pass_host)),
    ("http.services.*.loadbalancer.strategy", Place::Service(services::strategy)),
    ("http.services.*.loadbalancer.serverstransport", Place::Service(services::transport)),
    ("http.services.*.loadbalancer.responseforwarding.flushinterval", Place::Service(services::flush)),
    ("http.services.*.loadbalancer.healthcheck.path", Place::Service(services::health_path)),
    ("http.services.*.loadbalancer.healthcheck.interval", Place::Service(services::health_interval)),
    ("http.services.*.loadbalancer.healthcheck.timeout", Place::Service(services::health_timeout)),
    ("http.services.*.loadbalancer.healthcheck.status", Place::Service(services::health_status)),
    ("http.services.*.loadbalancer.healthcheck.unhealthyinterval", Place::Service(services::health_time)),
    ("http.services.*.loadbalancer.healthcheck.scheme", Place::Service(services::health_scheme)),
    ("http.services.*.loadbalancer.healthcheck.mode", Place::Service(services::health_mode)),
    ("http.services.*.loadbalancer.healthcheck.method", Place::Service(services::health_method)),
    ("http.services.*.loadbalancer.healthcheck.port", Place::Service(services::health_port)),
    ("http.services.*.loadbalancer.healthcheck.hostname", Place::Service(services::health_host)),
    ("http.services.*.loadbalancer.healthcheck.followredirects", Place::Service(services::health_flag)),
    ("http.services.*.loadbalancer.healthcheck.headers.<>", Place::Service(services::health_other)),
    ("http.services.*.loadbalancer.passivehealthcheck.failurewindow", Place::Service(services::passive)),
    ("http.services.*.loadbalancer.passivehealthcheck.maxfailedattempts", Place::Service(services::passive_failures)),
    ("http.services.*.loadbalancer.sticky", Place::Service(services::sticky)),
    ("http.services.*.loadbalancer.sticky.cookie", Place::Service(services::sticky)),
    ("http.services.*.loadbalancer.sticky.cookie.name", Place::Service(services::cookie_name)),
    ("http.services.*.loadbalancer.sticky.cookie.secure", Place::Service(services::cookie_flag)),
    ("http.services.*.loadbalancer.sticky.cookie.httponly", Place::Service(services::cookie_flag)),
    ("http.services.*.loadbalancer.sticky.cookie.samesite", Place::Service(services::cookie_site)),
    ("http.services.*.loadbalancer.sticky.cookie.maxage", Place::Service(services::cookie_age)),
    ("http.services.*.loadbalancer.sticky.cookie.path", Place::Service(services::cookie_path)),
    ("http.services.*.loadbalancer.sticky.cookie.domain", Place::Service(services::cookie_domain)),
    ("http.services.*.middlewares", Place::Service(services::middlewares)),
    ("http.middlewares.*.**", Place::Middleware),
];

/// Those that an empty value turns on.
const MAY_BE_EMPTY: &[&str] = &[
    "http.routers.*.tls",
    "tcp.routers.*.tls",
    ".proxyprotocol",
    "loadbalancer.healthcheck",
    "sticky",
    "sticky.cookie",
];

/// Those that keep something from clients, so that none of them counts as not set where it is empty.
const GUARDS: &[&str] = &[
    "enable",
    "http.routers.*.rule",
    "http.routers.*.entrypoints",
    "http.routers.*.middlewares",
    "http.routers.*.tls.options",
    "http.services.*.middlewares",
    "tcp.routers.*.rule",
    "tcp.routers.*.entrypoints",
    "tcp.routers.*.middlewares",
    "tcp.routers.*.tls.passthrough",
    "tcp.routers.*.tls.options",
];

/// The row of a label.
pub(crate) fn find<'a>(key: &Key<'a>) -> Option<Found<'a>> {
    FIELDS.iter().find_map(|(pattern, place)| {
        let (name, index) = fit(pattern, &key.parts)?;
        let may_be_empty = matches!(place, Place::Middleware | Place::TcpMiddleware(_))
            || MAY_BE_EMPTY.iter().any(|ending| pattern.ends_with(ending));
        Some(Found { place: *place, name, index, may_be_empty, guards: GUARDS.contains(pattern) })
    })
}

fn fit<'a>(pattern: &str, parts: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let (mut name, mut index) = ("", "");
    let mut parts = parts.iter().copied();
    for wanted in pattern.split('.') {
        let part = parts.next()?;
        match wanted {
            "*" if !part.starts_with('[') => name = part,
            "[]" if part.starts_with('[') => index = part,
            "<>" => index = part,
            "**" => return Some((name, index)),
            wanted if wanted.eq_ignore_ascii_case(part) => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some((name, index))
}

/// All of them, with each type of middleware as one.
#[cfg(test)]
pub(crate) fn rows() -> Vec<String> {
    // What stands for all types of middlewares that there are not has no good case.
    let is_one = |pattern: &str| pattern != "tcp.middlewares.*.**";
    let fields = FIELDS.iter().filter(|(pattern, place)| !matches!(place, Place::Middleware) && is_one(pattern));
    fields.map(|(pattern, _)| (*pattern).to_owned()).chain(middlewares::kinds().map(of_kind)).collect()
}

/// Which of them a label is.
#[cfg(test)]
pub(crate) fn row_of(label: &str) -> Option<String> {
    let key = Key::read(label).ok()?;
    let (pattern, place) = FIELDS.iter().find(|(pattern, _)| fit(pattern, &key.parts).is_some())?;
    if matches!(place, Place::Middleware) { Some(of_kind(key.parts.get(3)?)) } else { Some((*pattern).to_owned()) }
}

#[cfg(test)]
fn of_kind(kind: &str) -> String {
    format!("http.middlewares.*.{}", kind.to_lowercase())
}

/// The label that was meant, perhaps: every row with what the user wrote in the place of its names.
pub(crate) fn meant(key: &Key<'_>) -> Option<String> {
    let written = format!("traefik.{}", key.parts.join("."));
    let candidates: Vec<String> = FIELDS.iter().filter_map(|(pattern, _)| filled(pattern, &key.parts)).collect();
    let meant = nearest(&written, candidates.iter().map(String::as_str))?;
    Some(meant.replace(".[", "["))
}

fn filled(pattern: &str, parts: &[&str]) -> Option<String> {
    if pattern.ends_with("**") || pattern.split('.').count() != parts.len() {
        return None;
    }
    let mut label = "traefik".to_owned();
    for (wanted, part) in pattern.split('.').zip(parts) {
        label.push('.');
        label.push_str(if matches!(wanted, "*" | "[]" | "<>") { part } else { wanted });
    }
    Some(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant_by(label: &str) -> Option<String> {
        meant(&Key::read(label).expect("a key"))
    }

    #[test]
    fn slips_of_the_pen() {
        for (label, right) in [
            ("traefik.enabled", Some("traefik.enable")),
            ("traefik.http.router.web.rule", Some("traefik.http.routers.web.rule")),
            ("traefik.http.routers.web.entrypoint", Some("traefik.http.routers.web.entrypoints")),
            (
                "traefik.http.services.web.loadbalancer.servers.port",
                Some("traefik.http.services.web.loadbalancer.server.port"),
            ),
            ("traefik.http.routers.web.tls.domain[0].main", Some("traefik.http.routers.web.tls.domains[0].main")),
            ("traefik.something.else", None),
        ] {
            assert_eq!(meant_by(label).as_deref(), right, "{label}");
        }
    }

    #[test]
    fn no_row_stands_twice_and_each_is_found_in_whatever_case() {
        for (at, (pattern, _)) in FIELDS.iter().enumerate() {
            let label = pattern.replace(".[]", "[0]").replace("<>", "X-A").replace("**", "x.y").replace('*', "web");
            let label = format!("traefik.{}", label.to_uppercase());
            let key = Key::read(&label).expect("a key");
            assert!(find(&key).is_some(), "{label}");
            assert!(!FIELDS[..at].iter().any(|(earlier, _)| fit(earlier, &key.parts).is_some()), "{pattern} is hidden");
        }
    }
}
