//! What the fields of a service put in its place.

use std::time::Duration;

use divisi_model::route::Rule;
use divisi_model::spec::{Affinity, Check, HashKey, Question};
use divisi_model::speech::Scheme;
use divisi_model::{Policy, Spec};

use super::draft::Said;
use super::scalar;
use crate::native::port_number;
use crate::nearest::nearest;
use crate::verdict::Outcome;
use crate::{affinity, check, values};

/// A service while it is read.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) port: Option<u16>,
    pub(crate) scheme: Scheme,
    pub(crate) pass_host: bool,
    pub(crate) middlewares: Vec<String>,
    spec: Spec,
    health: Health,
    stickiness: Stickiness,
    /// A label that cannot be read, without which it would be too open.
    pub(crate) broken: Option<String>,
}

/// What Traefik does where only a path is said.
#[derive(Debug)]
struct Health {
    path: Option<Question>,
    is_grpc: bool,
    interval: Duration,
    timeout: Duration,
    status: Option<u16>,
}

#[derive(Debug, Default)]
struct Stickiness {
    is_on: bool,
    is_off: bool,
    cookie: Option<String>,
}

impl Service {
    pub(crate) fn new(base: &Spec) -> Self {
        Self {
            port: None,
            scheme: Scheme::default(),
            pass_host: true,
            middlewares: Vec::new(),
            spec: base.clone(),
            health: Health {
                path: None,
                is_grpc: false,
                interval: Duration::from_secs(30),
                timeout: Duration::from_secs(5),
                status: None,
            },
            stickiness: Stickiness::default(),
            broken: None,
        }
    }

    /// Why it serves nobody.
    pub(crate) fn closed(&self) -> Option<String> {
        self.broken.clone()
    }

    /// What is wanted of it.
    pub(crate) fn spec(&self) -> Spec {
        let mut spec = self.spec.clone();
        if let Some(question) = self.health.path.clone() {
            spec.check = Check {
                question: if self.health.is_grpc { Question::Tcp } else { question },
                statuses: self.health.status.map_or(spec.check.statuses, |status| status..=status),
                interval: self.health.interval,
                timeout: self.health.timeout,
                // One answer is enough for Traefik.
                up: 1,
                down: 1,
            };
        }
        if self.stickiness.is_on && !self.stickiness.is_off {
            let cookie = self.stickiness.cookie.as_deref().unwrap_or("true");
            spec.affinity = Affinity::None;
            // The name was tried when it was read.
            let _ = affinity::sticky(&mut spec, cookie);
        }
        spec
    }
}

/// What is read, and does not do all that it says.
fn partly<T>(read: Result<T, String>, why: &str) -> Outcome {
    read.map_or_else(Outcome::wrong, |_| Outcome::Approximated(why.to_owned()))
}

/// What is read, and does nothing.
fn beside<T>(read: Result<T, String>, why: &str) -> Outcome {
    read.map_or_else(Outcome::wrong, |_| Outcome::Ignored(why.to_owned()))
}

fn host_name(text: &str) -> Result<(), String> {
    Rule::host(text).map(drop).map_err(|error| error.to_string())
}

fn rooted(text: &str) -> Result<(), String> {
    if text.starts_with('/') { Ok(()) } else { Err("not a path that begins with / (/app)".to_owned()) }
}

pub(crate) fn port(service: &mut Service, said: Said<'_>) -> Outcome {
    if let Some(outcome) = not_first(said) {
        return outcome;
    }
    port_number(said.value).map(|port| service.port = Some(port)).into()
}

/// Traefik fills in the address of a container for its first server only.
fn not_first(said: Said<'_>) -> Option<Outcome> {
    let is_first = matches!(said.index, "" | "[0]");
    (!is_first).then(|| Outcome::Ignored("a container is one server; only the first one counts".to_owned()))
}

pub(crate) fn scheme(service: &mut Service, said: Said<'_>) -> Outcome {
    if let Some(outcome) = not_first(said) {
        return outcome;
    }
    service.scheme = match said.value.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "h2c" => Scheme::H2c,
        _ => return Outcome::wrong("neither http, https nor h2c"),
    };
    Outcome::Used
}

pub(crate) fn url(_: &mut Service, said: Said<'_>) -> Outcome {
    let is_url = ["http://", "https://", "h2c://"].iter().any(|begin| said.value.starts_with(begin));
    let read = if is_url { Ok(()) } else { Err("not a URL that begins with http://, https:// or h2c://".to_owned()) };
    beside(read, "requests go to the container itself; say its port as loadbalancer.server.port")
}

pub(crate) fn preserve(_: &mut Service, said: Said<'_>) -> Outcome {
    beside(scalar::boolean(said.value), "it is about the path of a server's url, which is not used")
}

pub(crate) fn weight(_: &mut Service, said: Said<'_>) -> Outcome {
    let read = values::number(said.value, &(0..=u32::MAX));
    beside(read, "shares are said for the container; write divisi.weight")
}

pub(crate) fn pass_host(service: &mut Service, said: Said<'_>) -> Outcome {
    scalar::boolean(said.value).map(|pass| service.pass_host = pass).into()
}

pub(crate) fn strategy(service: &mut Service, said: Said<'_>) -> Outcome {
    let policy = match said.value.to_ascii_lowercase().as_str() {
        "wrr" => Policy::RoundRobin,
        "p2c" => Policy::P2c,
        "leasttime" => {
            service.spec.policy = Policy::P2c;
            return Outcome::Approximated("of two replicas, the one that is likely to answer sooner (p2c)".to_owned());
        }
        "hrw" => {
            service.spec.affinity = Affinity::Hash(HashKey::Client);
            return Outcome::Used;
        }
        _ => return Outcome::wrong("neither wrr, p2c, hrw nor leasttime"),
    };
    service.spec.policy = policy;
    Outcome::Used
}

pub(crate) fn transport(_: &mut Service, _: Said<'_>) -> Outcome {
    let why = "transports are made in files of Traefik, which are not read; see divisi.upstream-ca and divisi.upstream-verify";
    Outcome::Ignored(why.to_owned())
}

/// A negative one means at once.
pub(crate) fn flush(_: &mut Service, said: Said<'_>) -> Outcome {
    let read = scalar::duration(said.value.strip_prefix('-').unwrap_or(said.value));
    beside(read, "every piece of a response is passed on at once")
}

pub(crate) fn health_path(service: &mut Service, said: Said<'_>) -> Outcome {
    match check::question(said.value) {
        Ok(question @ Question::Http(_)) => service.health.path = Some(question),
        _ => return Outcome::wrong("not a path that begins with / (/health)"),
    }
    Outcome::Used
}

pub(crate) fn health_interval(service: &mut Service, said: Said<'_>) -> Outcome {
    let read = scalar::duration(said.value).and_then(|time| match time {
        time if time < Duration::from_millis(100) => Err("too often; write 100ms or more (5s, 1m)".to_owned()),
        time => Ok(time),
    });
    read.map(|time| service.health.interval = time).into()
}

pub(crate) fn health_timeout(service: &mut Service, said: Said<'_>) -> Outcome {
    let read = scalar::duration(said.value).and_then(|time| match time {
        Duration::ZERO => Err("no time at all; write a longer one (500ms, 10s)".to_owned()),
        time => Ok(time),
    });
    read.map(|time| service.health.timeout = time).into()
}

pub(crate) fn health_status(service: &mut Service, said: Said<'_>) -> Outcome {
    values::number(said.value, &(200..=599)).map(|status| service.health.status = Some(status)).into()
}

pub(crate) fn health_mode(service: &mut Service, said: Said<'_>) -> Outcome {
    match said.value {
        "http" => Outcome::Used,
        "grpc" => {
            service.health.is_grpc = true;
            Outcome::Approximated("replicas are asked for a connection instead (divisi.health=tcp)".to_owned())
        }
        _ => Outcome::wrong("neither http nor grpc"),
    }
}

pub(crate) fn health_method(_: &mut Service, said: Said<'_>) -> Outcome {
    if said.value.eq_ignore_ascii_case("GET") {
        return Outcome::Used;
    }
    partly(Rule::method(said.value).map_err(|error| error.to_string()), "replicas are asked by GET")
}

const ASKED_WITHOUT: &str = "replicas are asked without it, at the port of the service";

pub(crate) fn health_time(_: &mut Service, said: Said<'_>) -> Outcome {
    partly(scalar::duration(said.value), ASKED_WITHOUT)
}

pub(crate) fn health_scheme(_: &mut Service, said: Said<'_>) -> Outcome {
    partly(scalar::one_of(said.value, &["http", "https"]), ASKED_WITHOUT)
}

pub(crate) fn health_port(_: &mut Service, said: Said<'_>) -> Outcome {
    partly(port_number(said.value), ASKED_WITHOUT)
}

pub(crate) fn health_host(_: &mut Service, said: Said<'_>) -> Outcome {
    partly(host_name(said.value), ASKED_WITHOUT)
}

pub(crate) fn health_flag(_: &mut Service, said: Said<'_>) -> Outcome {
    partly(scalar::boolean(said.value), ASKED_WITHOUT)
}

pub(crate) fn health_other(_: &mut Service, _: Said<'_>) -> Outcome {
    Outcome::Approximated(ASKED_WITHOUT.to_owned())
}

pub(crate) fn passive(_: &mut Service, said: Said<'_>) -> Outcome {
    partly(scalar::duration(said.value), "failures in a row count, in whatever time; see divisi.eject.time")
}

pub(crate) fn passive_failures(service: &mut Service, said: Said<'_>) -> Outcome {
    values::number(said.value, &(1..=1_000_000)).map(|most| service.spec.ejection.failures = most).into()
}

pub(crate) fn sticky(service: &mut Service, said: Said<'_>) -> Outcome {
    let is_on = scalar::turns_on(said.value);
    service.stickiness.is_on |= is_on;
    service.stickiness.is_off |= !is_on;
    if is_on || scalar::boolean(said.value) == Ok(false) {
        return Outcome::Used;
    }
    Outcome::wrong("not true; Traefik reads everything else as not sticky")
}

pub(crate) fn cookie_name(service: &mut Service, said: Said<'_>) -> Outcome {
    if service.stickiness.is_off {
        return Outcome::Ignored("sticky is turned off".to_owned());
    }
    // Words that mean yes and no to us are names to Traefik, which nobody gives to a cookie.
    let mut trial = Spec::default();
    let tried = affinity::sticky(&mut trial, said.value);
    service.stickiness.is_on = true;
    tried.map(|()| service.stickiness.cookie = Some(said.value.to_owned())).into()
}

fn cookie_other<T>(service: &mut Service, read: Result<T, String>) -> Outcome {
    if service.stickiness.is_off {
        return Outcome::Ignored("sticky is turned off".to_owned());
    }
    service.stickiness.is_on = true;
    partly(read, "the cookie is one of divisi's own: HttpOnly, for all paths, until the browser ends")
}

pub(crate) fn cookie_flag(service: &mut Service, said: Said<'_>) -> Outcome {
    cookie_other(service, scalar::boolean(said.value))
}

pub(crate) fn cookie_site(service: &mut Service, said: Said<'_>) -> Outcome {
    cookie_other(service, scalar::one_of(said.value, &["none", "lax", "strict", "default"]))
}

/// A negative age ends a cookie at once.
pub(crate) fn cookie_age(service: &mut Service, said: Said<'_>) -> Outcome {
    cookie_other(service, values::number(said.value, &(i64::MIN..=i64::MAX)))
}

pub(crate) fn cookie_path(service: &mut Service, said: Said<'_>) -> Outcome {
    cookie_other(service, rooted(said.value))
}

pub(crate) fn cookie_domain(service: &mut Service, said: Said<'_>) -> Outcome {
    cookie_other(service, host_name(said.value.trim_start_matches('.')))
}

/// What guards a service guards every route to it.
pub(crate) fn middlewares(service: &mut Service, said: Said<'_>) -> Outcome {
    match scalar::list(said.value) {
        Ok(names) => service.middlewares = names,
        Err(accepted) => {
            service.broken.get_or_insert_with(|| format!("{} cannot be read, and might have guarded it", said.label));
            return Outcome::wrong(format!("{accepted}; its routes are closed"));
        }
    }
    Outcome::Used
}

/// The nearest of some names, as part of a sentence.
pub(crate) fn did_you_mean<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(written, names).map(|name| format!(" (did you mean {name}?)")).unwrap_or_default()
}
