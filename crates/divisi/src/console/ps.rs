//! What there is, as a table; below it what gets no requests, with the reason and what to write.

use divisi_console::api::Advice;
use divisi_console::api::snapshot::{Engine, Replica, Service, Snapshot};

use super::text::{Table, brief, count, latency, one_line, since};

const HEADING: [&str; 7] = ["SERVICE", "REPLICA", "STATE", "SINCE", "REQUESTS", "IN FLIGHT", "LATENCY"];

/// What there is.
pub(super) fn text(told: &Snapshot) -> String {
    let mut text = services(told);
    let sections = [ports(told), left_out(told), routes(told), labels(told), certificates(told), waiting(told)];
    for section in sections.into_iter().chain([engine(&told.engine)]) {
        if !section.is_empty() {
            text.push('\n');
            text.push_str(&section);
        }
    }
    text
}

fn services(told: &Snapshot) -> String {
    if told.services.is_empty() {
        let why = told.fallback.reason.as_deref().unwrap_or("nothing is known yet");
        return format!("No service: {}\n", one_line(why));
    }
    let mut table = Table::new(&HEADING, &[false, false, false, true, true, true, true]);
    for service in &told.services {
        let mut name = name(service);
        if service.replicas.is_empty() {
            table.row([name, "-".to_owned(), service.state.clone()]);
            continue;
        }
        for replica in &service.replicas {
            // Its name stands at the first of its replicas only.
            table.row(row(std::mem::take(&mut name), replica));
        }
    }
    table.text("")
}

fn name(service: &Service) -> String {
    if service.project.is_empty() { service.name.clone() } else { format!("{}/{}", service.project, service.name) }
}

fn row(service: String, replica: &Replica) -> [String; 7] {
    [
        service,
        replica.name.clone(),
        replica.state.clone(),
        since(replica.since_seconds),
        replica.requests.total().to_string(),
        replica.in_flight.to_string(),
        replica.latency_seconds.map_or_else(|| "-".to_owned(), latency),
    ]
}

/// The ports that labels ask for, who gets what comes there, and why some cannot be opened.
fn ports(told: &Snapshot) -> String {
    if told.ports.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["PORT", "STATE", "CONNECTIONS", "GO TO"], &[]);
    for port in &told.ports {
        let (mut number, mut state) = (port.port.to_string(), port.state.clone());
        for route in &port.routes {
            let tls = match route.tls.as_str() {
                "none" => String::new(),
                other => format!(" (TLS: {other})"),
            };
            let to = match &route.closed {
                Some(why) => format!("nobody: {why}"),
                None => route.service.clone(),
            };
            table.row([std::mem::take(&mut number), std::mem::take(&mut state), format!("{}{tls}", route.rule), to]);
        }
        if let Some(why) = &port.why {
            table.row([String::new(), String::new(), String::new(), why.clone()]);
        }
    }
    table.text("")
}

/// Containers that are routed nowhere, and replicas that get nothing now.
fn left_out(told: &Snapshot) -> String {
    let mut table = Table::new(&["NO REQUESTS", "BECAUSE"], &[]);
    let mut add = |name: &str, advice: &Advice| {
        table.row([name.to_owned(), advice.why.clone()]);
        if !advice.write.is_empty() {
            table.row([String::new(), format!("write: {}", advice.write)]);
        }
    };
    let replicas = told.services.iter().flat_map(|service| &service.replicas);
    let replicas: Vec<_> = replicas.filter_map(|replica| Some((&replica.name, replica.obstacle.as_ref()?))).collect();
    if told.unrouted.is_empty() && replicas.is_empty() {
        return String::new();
    }
    told.unrouted.iter().for_each(|left| add(&left.container, &left.advice));
    replicas.iter().for_each(|(name, advice)| add(name, advice));
    table.text("")
}

/// Routes that serve nobody, and those that another one keeps from it.
fn routes(told: &Snapshot) -> String {
    let closed: Vec<_> = told.routes.iter().filter_map(|route| Some((route, route.closed.as_ref()?))).collect();
    if closed.is_empty() && told.conflicts.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["ROUTE", "PROBLEM"], &[]);
    for (route, why) in closed {
        table.row([brief(&route.rule), format!("answered with 503: {why}")]);
        table.row([String::new(), format!("written in {} of {}", route.label, route.container)]);
    }
    for conflict in &told.conflicts {
        let (winner, loser) = (&conflict.winner, &conflict.loser);
        table.row([brief(&conflict.rule), format!("wanted by {} and {}: {0} gets it", winner.service, loser.service)]);
        table.row([
            String::new(),
            format!("written in {} of {} and {} of {}", winner.label, winner.container, loser.label, loser.container),
        ]);
        table.row([String::new(), "write: another rule for one of them, or a priority".to_owned()]);
    }
    table.text("")
}

/// Labels that cannot be read.
fn labels(told: &Snapshot) -> String {
    if told.mistakes.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["LABEL", "PROBLEM"], &[]);
    for mistake in &told.mistakes {
        let meant = mistake.meant.as_ref().map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
        table.row([mistake.label.clone(), format!("{}{meant}", mistake.why)]);
        table.row([String::new(), format!("written at {}", mistake.container)]);
    }
    table.text("")
}

/// Which names have a certificate, and what is wrong where they have none.
fn certificates(told: &Snapshot) -> String {
    if told.certificates.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["CERTIFICATE", "VALID FOR", "FROM"], &[false, true]);
    for one in &told.certificates {
        let valid = match one.valid_seconds {
            Some(seconds) if seconds >= 0.0 => since(seconds),
            Some(_) => "it is over".to_owned(),
            None if one.is_coming => "on its way".to_owned(),
            None => "-".to_owned(),
        };
        table.row([one.name.clone(), valid, one.place.clone().unwrap_or_else(|| "-".to_owned())]);
        let clients = one.client_authority.as_ref().map(|file| format!("clients must show one that {file} has signed"));
        for more in [clients, one.problem.clone()].into_iter().flatten() {
            table.row([String::new(), String::new(), more]);
        }
    }
    table.text("")
}

fn waiting(told: &Snapshot) -> String {
    let waiting = told.services.iter().filter(|service| service.waiting > 0);
    let line = |service: &Service| {
        let wait = if service.waiting == 1 { "waits" } else { "wait" };
        format!(
            "{} {wait} for a replica of {}\n",
            count(service.waiting, "request", "requests"),
            one_line(&name(service))
        )
    };
    waiting.map(line).collect()
}

fn engine(engine: &Engine) -> String {
    match (engine.wanted, engine.connected, engine.listed) {
        (false, ..) | (_, true, true) => String::new(),
        (_, false, true) => {
            let since = since(engine.since_seconds);
            format!("The Docker Engine cannot be reached, for {since} now: this is what was known before.\n")
        }
        (_, true, false) => "The Docker Engine has not told its containers yet.\n".to_owned(),
        (_, false, false) => "The Docker Engine has not been reached yet.\n".to_owned(),
    }
}
