//! What became of a container, in words.

use divisi_console::api::Advice;
use divisi_console::api::container::{Choice, Container, Label, Place};

use super::text::{Table, brief, count, latency, one_line, since};

/// How much of an id people are shown, as Docker does.
const ID: usize = 12;

/// What became of a container.
pub(super) fn text(told: &Container) -> String {
    let id: String = told.id.chars().take(ID).collect();
    let of = match (told.project.as_str(), told.service.as_str()) {
        (_, "") => String::new(),
        ("", service) => format!(" of {service}"),
        (project, service) => format!(" of {project}/{service}"),
    };
    let mut text = one_line(&format!("container {} ({id}){of}, {}", told.name, told.state));
    text.push('\n');
    if let Some(advice) = &told.unrouted {
        text.push_str(&no_requests(advice));
    }
    let places: String = told.places.iter().map(place).collect();
    for section in [places, routes(told), labels(&told.labels)] {
        if !section.is_empty() {
            text.push('\n');
            text.push_str(&section);
        }
    }
    text
}

fn no_requests(advice: &Advice) -> String {
    let write = if advice.write.is_empty() { String::new() } else { format!("write: {}\n", one_line(&advice.write)) };
    format!("gets no requests: {}\n{write}", one_line(&advice.why))
}

fn place(place: &Place) -> String {
    let mut table = Table::new(&["SERVICE", &place.service], &[]);
    let mut add = |name: &str, choice: &Option<Choice>| {
        if let Some(Choice { choice, why }) = choice {
            table.row([name.to_owned(), choice.clone(), why.clone()]);
        }
    };
    add("network", &place.network);
    add("port", &place.port);
    if let Some(address) = &place.address {
        let scheme = place.replica.as_ref().map(|replica| replica.scheme.as_str()).filter(|scheme| *scheme != "http");
        table.row(["address".to_owned(), address.clone(), scheme.map(|name| format!("by {name}")).unwrap_or_default()]);
    }
    if let Some(replica) = &place.replica {
        let of_late = replica.latency_seconds.map(|seconds| format!(", answers in {}", latency(seconds)));
        let requests = replica.requests.total();
        let requests = count(requests, "request", "requests");
        let busy = format!("{requests}, {} in flight{}", replica.in_flight, of_late.unwrap_or_default());
        table.row(["state".to_owned(), replica.state.clone(), format!("for {}; {busy}", since(replica.since_seconds))]);
    }
    let advice = place.obstacle.as_ref().map(no_requests).unwrap_or_default();
    format!("{}{advice}", table.text(""))
}

fn routes(told: &Container) -> String {
    if told.routes.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["ROUTE", "TO", "WRITTEN IN", "WHAT BECAME OF IT"], &[]);
    for route in &told.routes {
        let became = match (&route.closed, &route.conflict, route.used) {
            (_, _, false) => "not used: a newer container of the service says which routes there are".to_owned(),
            (Some(why), ..) => format!("answered with 503: {why}"),
            (None, Some(other), _) => format!("gets nothing: {other} has the same rule"),
            (None, None, true) => "used".to_owned(),
        };
        table.row([brief(&route.rule), route.service.clone(), route.label.clone(), became]);
    }
    table.text("")
}

fn labels(labels: &[Label]) -> String {
    if labels.is_empty() {
        return "It has no labels that divisi reads.\n".to_owned();
    }
    let mut table = Table::new(&["LABEL", "VALUE", "WHAT BECAME OF IT"], &[]);
    for label in labels {
        let meant = label.meant.as_ref().map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
        let why = if label.why.is_empty() { String::new() } else { format!(": {}", label.why) };
        table.row([label.label.clone(), brief(&label.value), format!("{}{why}{meant}", label.outcome)]);
    }
    table.text("")
}
