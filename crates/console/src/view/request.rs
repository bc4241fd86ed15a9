//! Where a request would go.

use std::net::IpAddr;
use std::sync::Arc;

use divisi_labels::nearest::nearest;
use divisi_model::route::{self, Asked, Door, Redirect, When};
use divisi_model::spec::{Affinity, HashKey};
use divisi_model::{Moment, Service, Snapshot};
use divisi_tls::{Keyring, name};

use super::asking::Asking;
use super::rewrite::rewritten;
use super::snapshot::route as told;
use super::world::{Group, World};
use crate::api::request::{Candidate, Fate, Outcome, Request, Sent, Step};

/// Most hints of one kind.
const MOST_HINTS: usize = 5;

/// Where that request would go.
pub(crate) fn explain(world: &World, asking: &Asking) -> Request {
    let snapshot = &world.snapshot;
    let steps = snapshot.routes().explain(asking);
    let mut answer = Request {
        question: asking.tell(),
        steps: steps.iter().map(step).collect(),
        outcome: Outcome::Nowhere,
        answer: String::new(),
        route: None,
        service: None,
        sent: None,
        candidates: Vec::new(),
        hints: Vec::new(),
    };
    let taken = snapshot.find(asking);
    if let Some((route, redirect)) = sent_into_tls(snapshot, taken, asking) {
        answer.redirect(route, redirect, asking);
        return answer;
    }
    match taken {
        Some(taken) => {
            answer.route = Some(told(taken));
            match (&taken.way().closed, snapshot.service(taken.way().slot)) {
                (Some(why), _) => answer.refuse(503, &format!("the route serves nobody: {why}")),
                (None, None) => answer.refuse(503, "the service of the route is gone"),
                (None, Some(service)) => {
                    answer.serve(world, asking, service, taken.way());
                }
            }
            answer.hints.extend(certificate(world, asking));
            answer.hints.extend(taken.way().redirect(asking.is_secure()).map(|redirect| expected(redirect, asking)));
        }
        None => {
            match (snapshot.fallback(), snapshot.route()) {
                (Ok(_), Ok(service)) => answer.serve(world, asking, service, &route::Way::default()),
                (Ok(_), Err(why)) => answer.refuse(503, &why.reason),
                (Err(why), _) => {
                    answer.refuse(if why.is_known { 404 } else { 503 }, &why.reason);
                    answer.outcome = Outcome::Nowhere;
                    answer.hints = near(&steps, asking);
                }
            }
            answer.hints.extend(certificate(world, asking));
        }
    }
    answer
}

fn certificate(world: &World, asking: &Asking) -> Option<String> {
    if asking.is_secure() { shown(&world.ring, &asking.name()) } else { None }
}

/// Which certificate a client that asks for a name is shown before anything else, if its TLS ends here.
pub(super) fn shown(ring: &Keyring, name: &str) -> Option<String> {
    let key = name::normal(name)?;
    let problem = ring.problems.get(&*key).map(|problem| format!("; {problem}")).unwrap_or_default();
    // Who comes by an address names nobody (RFC 6066 3).
    let own = if key.parse::<IpAddr>().is_ok() { ring.find(None) } else { ring.own(&key) };
    if let Some(own) = own {
        return Some(format!("TLS: {name} has a certificate, of {}{problem}", own.source()));
    }
    Some(match &ring.default {
        _ if ring.is_coming(&key) => {
            format!("TLS: the certificate for {name} is on its way, and who comes waits for it{problem}")
        }
        Some(default) => format!("TLS: {name} has no certificate, so clients are shown {}{problem}", default.source()),
        None if ring.is_on_demand(&key) => {
            format!("TLS: the local authority signs for {name} when somebody asks for it{problem}")
        }
        None => format!(
            "TLS: {name} has no certificate, so a client whose TLS ends here is turned away before it can ask (unrecognized_name)\
             {}",
            if problem.is_empty() {
                format!(": put {name}.crt and {name}.key into --certificates, or have ACME asked")
            } else {
                problem
            }
        ),
    })
}

/// The route because of which a request that came without TLS is sent into it, where that is certain.
fn sent_into_tls<'a>(
    snapshot: &'a Snapshot,
    taken: Option<&'a route::Route>,
    asking: &Asking,
) -> Option<(&'a route::Route, &'a Redirect)> {
    let route = taken.or_else(|| snapshot.routes().find_inside_tls(asking))?;
    let redirect = route.way().redirect(asking.is_secure()).filter(|redirect| redirect.when == When::Always)?;
    Some((route, redirect))
}

/// Nobody here knows which certificates there are.
fn expected(redirect: &Redirect, asking: &Asking) -> String {
    let (status, name) = (redirect.status(asking.method()), asking.name());
    format!("where a certificate of a file or by ACME is at hand for {name}, it is sent to https with {status} instead")
}

impl Request {
    fn redirect(&mut self, taken: &route::Route, redirect: &Redirect, asking: &Asking) {
        let port = redirect.port.map(|port| format!(":{port}")).unwrap_or_default();
        let url = format!("https://{}{port}{}", asking.name(), asking.with_query(asking.path_text()));
        self.route = Some(told(taken));
        self.outcome = Outcome::Redirected;
        self.answer = format!("is answered with {}: it is sent to {url}", redirect.status(asking.method()));
    }

    fn refuse(&mut self, status: u16, why: &str) {
        self.outcome = Outcome::Refused;
        self.answer = format!("is answered with {status}: {why}");
    }

    fn serve(&mut self, world: &World, asking: &Asking, service: &Arc<Service>, way: &route::Way) {
        let group = world.group(service);
        let name = service.state().name().to_string();
        self.sent = Some(sent(asking, way));
        self.candidates = candidates(&group, world);
        (self.outcome, self.answer) = fare(&group, &self.candidates, world.now, "is answered with 503");
        self.hints.extend(affinity(&service.spec().affinity));
        self.service = Some(name);
    }
}

fn step(step: &route::explain::Step<'_>) -> Step {
    use route::explain::Outcome as Became;
    let (fate, unmet, found) = match &step.outcome {
        Became::Taken => (Fate::Taken, None, String::new()),
        Became::Outranked => (Fate::Outranked, None, String::new()),
        Became::Same => (Fate::Same, None, String::new()),
        Became::Door(door) => (Fate::Door, None, door.condition().to_owned()),
        Became::Sent(_) => (Fate::Sent, None, Door::Secure.condition().to_owned()),
        Became::Unmet { part, found } => (Fate::Unmet, Some(part.to_string()), found.clone()),
    };
    Step { route: told(step.route), fate, unmet, found }
}

fn sent(asking: &Asking, way: &route::Way) -> Sent {
    let target = asking.with_query(rewritten(&asking.path_text(), &way.rewrites));
    Sent { target, hides_host: way.hides_host }
}

/// What becomes of who goes to a service, also in words; `refused` is what is done to one who may not even wait.
pub(super) fn fare(group: &Group<'_>, candidates: &[Candidate], now: Moment, refused: &str) -> (Outcome, String) {
    let name = group.service.state().name();
    let (can, all) = (candidates.iter().filter(|one| one.pickable).count(), candidates.len());
    let replicas = if all == 1 { "its replica" } else { &*format!("{all} replicas") };
    match (can, group.state(now)) {
        (0, "forgotten") => {
            (Outcome::Refused, format!("{refused}: {name} has had no container for so long that nobody waits"))
        }
        (0, "refusing") => {
            (Outcome::Refused, format!("{refused}: no replica of {name} can take it, and nobody may wait"))
        }
        (0, _) => (Outcome::Held, format!("waits for a replica of {name}: none can take it now")),
        (can, _) if can == all => (Outcome::Served, format!("goes to {name}: {replicas} can take it")),
        (can, _) => (Outcome::Served, format!("goes to {name}: {can} of {replicas} can take it")),
    }
}

/// All of its replicas.
pub(super) fn candidates(group: &Group<'_>, world: &World) -> Vec<Candidate> {
    let tell = |member: &super::world::Member<'_>| {
        let obstacle = member.obstacle_now(group.service, world.now);
        Candidate {
            replica: member.replica.name().to_owned(),
            address: member.replica.authority().to_owned(),
            state: member.word().to_owned(),
            pickable: obstacle.is_none(),
            obstacle,
        }
    };
    group.members.iter().map(tell).collect()
}

fn affinity(affinity: &Affinity) -> Option<String> {
    let same =
        |what: &str| Some(format!("requests with the same {what} go to the same replica, while it can take them"));
    match affinity {
        Affinity::None => None,
        Affinity::Cookie(name) => same(&format!("cookie {name}, which divisi sets,")),
        Affinity::Hash(HashKey::Client) => same("client"),
        Affinity::Hash(HashKey::Path) => same("path"),
        Affinity::Hash(HashKey::Header(name)) => same(&format!("header {name}")),
        Affinity::Hash(HashKey::Cookie(name)) => same(&format!("cookie {name}")),
    }
}

/// What may have been meant where nothing holds: routes for the same host, or a host that is spelled alike.
fn near(steps: &[route::explain::Step<'_>], asking: &Asking) -> Vec<String> {
    let name = asking.name();
    let mut hosts: Vec<&str> = Vec::new();
    let mut hints = Vec::new();
    for step in steps {
        let its: Vec<&str> = step.route.rule().hosts();
        if let route::explain::Outcome::Unmet { part, found } = &step.outcome
            && its.contains(&name.as_str())
            && hints.len() < MOST_HINTS
        {
            let found = if found.is_empty() { String::new() } else { format!("; {found}") };
            hints.push(format!("for this host there is {}, of which {part} does not hold{found}", step.route.text()));
        }
        if let route::explain::Outcome::Door(door) = step.outcome
            && hints.len() < MOST_HINTS
        {
            hints.push(format!("{} fits, but {}", step.route.text(), door.condition()));
        }
        hosts.extend(its);
    }
    if hints.is_empty()
        && let Some(meant) = nearest(&name, hosts)
    {
        hints.push(format!("did you mean {meant}?"));
    }
    hints
}
