//! Where a connection of TCP would go.

use std::sync::Arc;

use divisi_labels::nearest::nearest;
use divisi_model::route::explain::{Outcome as Became, Step as Stood};
use divisi_model::route::{Door, Route, Rule};
use divisi_model::spec::Affinity;
use divisi_model::tcp::{self, Listening, Port, Standing};
use divisi_model::{Service, Snapshot};
use divisi_tls::Keyring;

use super::connecting::Connecting;
use super::ports::route as told;
use super::request::{candidates, fare, shown};
use super::world::World;
use crate::api::connection::{Connection, Step};
use crate::api::request::{Fate, Outcome};

/// What is done to a connection that nobody may have.
const CLOSED: &str = "is closed";

/// Where that connection would go.
pub(crate) fn explain(world: &World, listening: &Listening, asked: &Connecting) -> Connection {
    let mut answer = Connection {
        question: asked.tell(),
        steps: Vec::new(),
        outcome: Outcome::Nowhere,
        answer: format!("no label asks for port {}", asked.port),
        route: None,
        service: None,
        candidates: Vec::new(),
        hints: Vec::new(),
    };
    match world.snapshot.ports().get(asked.port) {
        Some(port) => answer.at(port, world, listening, asked),
        None => answer.hints.extend(others(&world.snapshot)),
    }
    answer
}

impl Connection {
    fn at(&mut self, port: &Port, world: &World, listening: &Listening, asked: &Connecting) {
        // Where no route asks for TLS nothing is read, and whether there is any is not known.
        let connection = asked.connection(port.reads_hello());
        let (standing, is_secure) = (listening.of(asked.port), connection.hello.is_some());
        self.steps = port.explain(&connection).iter().map(|stood| step(stood, asked)).collect();
        if let Standing::Failed(why) = &standing {
            // At a port of HTTP that is so for what is not inside TLS only.
            if !is_secure || !port.takes_plain() {
                return self.refuse(&format!("nobody can connect: {why}"));
            }
            self.hints.push(why.to_string());
        }
        let taken = port.find(&connection);
        let is_left = |route: &&Route| standing == Standing::Shared && is_left_to_http(route, world, asked);
        match taken.filter(|route| !is_left(route)) {
            Some(taken) => self.take(taken, world, asked, is_secure),
            None if standing == Standing::Shared => self.leave_to_http(asked),
            None => {
                self.answer = format!("{CLOSED}: no route of port {} is for it", asked.port);
                self.hints.extend(near(port, asked));
            }
        }
        if asked.is_secure && !port.reads_hello() {
            self.hints.push("no route of the port asks for TLS: if there is any, it is the container's".to_owned());
        }
        if is_secure && let Some(other) = port.find(&tcp::Connection { hello: None, ..connection }) {
            self.hints.push(format!("what does not begin with TLS goes to {}", other.service()));
        }
    }

    fn take(&mut self, taken: &Route, world: &World, asked: &Connecting, is_secure: bool) {
        self.route = Some(told(taken));
        match (&taken.way().closed, world.snapshot.service(taken.way().slot)) {
            (Some(why), _) => self.refuse(&format!("{CLOSED}: the route serves nobody: {why}")),
            (None, None) => self.refuse(&format!("{CLOSED}: the service of the route is gone")),
            (None, Some(service)) => self.serve(world, service),
        }
        if is_secure && !taken.way().passes_tls {
            self.hints.push(shown(&world.ring, &asked.server_name).unwrap_or_else(|| unnamed(&world.ring)));
        }
    }

    fn serve(&mut self, world: &World, service: &Arc<Service>) {
        let group = world.group(service);
        self.candidates = candidates(&group, world);
        (self.outcome, self.answer) = fare(&group, &self.candidates, world.now, CLOSED);
        self.service = Some(service.state().name().to_string());
        if service.spec().affinity != Affinity::None {
            // Nothing else of the client is known.
            self.hints.push("connections of the same client go to the same replica, while it can take them".to_owned());
        }
    }

    fn refuse(&mut self, answer: &str) {
        self.outcome = Outcome::Refused;
        answer.clone_into(&mut self.answer);
    }

    /// What no route of TCP has at a port of HTTP. A route for all names comes after the hosts that have a certificate.
    fn leave_to_http(&mut self, asked: &Connecting) {
        for step in self.steps.iter_mut().filter(|step| step.fate == Fate::Taken) {
            step.fate = Fate::Outranked;
        }
        self.answer = format!("is one of HTTP: divisi serves that at port {}, too", asked.port);
        let scheme = if asked.is_secure { "https" } else { "http" };
        let host = if asked.server_name.is_empty() { "HOST" } else { &asked.server_name };
        self.hints.push(format!("ask for {scheme}://{host}/ to see where its requests go"));
    }
}

/// As the request's way decides it, where it finds out what comes to a port of HTTP.
fn is_left_to_http(route: &Route, world: &World, asked: &Connecting) -> bool {
    route.text() == "All()" && world.ring.own(&asked.server_name).is_some()
}

fn step(stood: &Stood<'_>, asked: &Connecting) -> Step {
    let (fate, unmet, found) = match &stood.outcome {
        Became::Taken => (Fate::Taken, None, String::new()),
        Became::Outranked => (Fate::Outranked, None, String::new()),
        Became::Same => (Fate::Same, None, String::new()),
        // Nobody is sent anywhere outside of HTTP.
        Became::Door(_) | Became::Sent(_) => (Fate::Door, None, stood.route.way().door.condition().to_owned()),
        Became::Unmet { part, found } => {
            let found = if is_about_names(part) { named(asked) } else { found.clone() };
            (Fate::Unmet, Some(tcp::text(&part.to_string())), found)
        }
    };
    Step { route: told(stood.route), fate, unmet, found }
}

fn is_about_names(part: &Rule) -> bool {
    match part {
        Rule::Host { .. } | Rule::HostWildcard { .. } | Rule::HostRegexp { .. } => true,
        Rule::All { 0: rules, .. } | Rule::Any { 0: rules, .. } => rules.iter().all(is_about_names),
        _ => false,
    }
}

/// What the connection has of what names are about.
fn named(asked: &Connecting) -> String {
    match (asked.is_secure, asked.server_name.as_str()) {
        (false, _) => "it is not inside TLS".to_owned(),
        (true, "") => "it asks for no name".to_owned(),
        (true, name) => format!("the name is {name}"),
    }
}

/// Which certificate a client is shown that asks for no name.
fn unnamed(ring: &Keyring) -> String {
    match ring.find(None) {
        Some(certificate) => format!("TLS: who asks for no name is shown {}", certificate.source()),
        None => "TLS: who asks for no name is turned away, for there is no certificate for that".to_owned(),
    }
}

/// What may have been meant where nothing holds.
fn near(port: &Port, asked: &Connecting) -> Option<String> {
    let routes = port.routes();
    if !asked.is_secure {
        let are_secure = routes.iter().all(|route| route.way().door == Door::Secure);
        let hint = "its routes are for connections inside TLS: ask for tcp://NAME:PORT, or tls://ADDRESS:PORT";
        return are_secure.then(|| hint.to_owned());
    }
    let names = || routes.iter().flat_map(|route| route.rule().hosts());
    let is_known = asked.server_name.is_empty() || names().any(|name| name == asked.server_name);
    let meant = if is_known { None } else { nearest(&asked.server_name, names()) };
    meant.map(|meant| format!("did you mean {meant}?"))
}

/// The ports that there are instead.
fn others(snapshot: &Snapshot) -> Vec<String> {
    const MOST: usize = 20;
    let ports: Vec<_> = snapshot.ports().iter().map(|port| port.number().to_string()).collect();
    let more = if ports.len() > MOST { ", …" } else { "" };
    let there = match ports.as_slice() {
        [] => "labels ask for no port at all: divisi.tcp.PORT does".to_owned(),
        ports => format!("labels ask for {}{more}", ports[..ports.len().min(MOST)].join(", ")),
    };
    vec![there, "what comes to a port of HTTP is explained by a URL of http:// or https://".to_owned()]
}
