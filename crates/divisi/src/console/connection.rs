//! Where a connection of TCP would go, in words.

use divisi_console::api::connection::{Connection, Question, Step};
use divisi_console::api::snapshot::PortRoute;

use super::request::{Stood, candidates, fate, holds};
use super::text::{Table, brief, one_line};

/// Where a connection would go.
pub(super) fn text(told: &Connection) -> String {
    let mut text = format!("{}\n{}\n", question(&told.question), one_line(&told.answer));
    for hint in &told.hints {
        text.push_str(&format!("{}\n", one_line(hint)));
    }
    for section in [route(told), candidates(&told.candidates), holds(told.steps.iter().map(step))] {
        if !section.is_empty() {
            text.push('\n');
            text.push_str(&section);
        }
    }
    text
}

fn question(question: &Question) -> String {
    let tls = match (question.tls, question.server_name.as_str()) {
        (false, _) => String::new(),
        (true, "") => " inside TLS".to_owned(),
        (true, name) => format!(" inside TLS for {name}"),
    };
    one_line(&format!("connection to port {}{tls} from {}", question.port, question.client))
}

fn route(told: &Connection) -> String {
    let Some(route) = &told.route else { return String::new() };
    let mut table = Table::new(&[], &[]);
    let source = format!("priority {}, written in {} of {}", route.priority, route.label, route.container);
    table.row(["route".to_owned(), brief(&route.rule), source]);
    table.row(["tls".to_owned(), tls(route).to_owned()]);
    table.text("").trim_start_matches('\n').to_owned()
}

fn tls(route: &PortRoute) -> &'static str {
    match route.tls.as_str() {
        "passthrough" => "ends in the container",
        "terminate" => "ends in divisi",
        _ => "none of divisi's business",
    }
}

fn step(step: &Step) -> Stood {
    let rule = &step.route.rule;
    let became = fate(step.fate, step.unmet.as_deref(), &step.found, rule);
    (step.fate, [brief(rule), step.route.service.clone(), became])
}
