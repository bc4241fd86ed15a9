//! Where a request would go, in words.

use divisi_console::api::request::{Candidate, Fate, Question, Request, Step};
use divisi_console::api::snapshot::Route;

use super::text::{Table, brief, one_line};

/// Most routes that are shown of those whose rule does not hold.
const MOST_UNMET: usize = 20;

/// Where a request would go.
pub(super) fn text(told: &Request) -> String {
    let mut text = format!("{}\n{}\n", question(&told.question), one_line(&told.answer));
    for hint in &told.hints {
        text.push_str(&format!("{}\n", one_line(hint)));
    }
    for section in [sent(told), candidates(&told.candidates), holds(told.steps.iter().map(step))] {
        if !section.is_empty() {
            text.push('\n');
            text.push_str(&section);
        }
    }
    text
}

fn question(question: &Question) -> String {
    let query = if question.query.is_empty() { String::new() } else { format!("?{}", question.query) };
    let headers =
        if question.headers.is_empty() { String::new() } else { format!(", with {}", question.headers.join(", ")) };
    let scheme = if question.tls { "https" } else { "http" };
    one_line(&format!(
        "request {} {scheme}://{}{}{query} from {}{headers}",
        question.method, question.host, question.path, question.client
    ))
}

fn sent(told: &Request) -> String {
    let mut table = Table::new(&[], &[]);
    if let Some(route) = &told.route {
        let source = if is_by_name(route) {
            "by the name of its service, after all that somebody asks for".to_owned()
        } else {
            format!("priority {}, written in {} of {}", route.priority, route.label, route.container)
        };
        table.row(["route".to_owned(), rule(route), source]);
        let protection = protection(route);
        if !protection.is_empty() {
            table.row(["tls".to_owned(), protection]);
        }
    } else if let Some(service) = &told.service {
        table.row(["route".to_owned(), format!("none: everything without one goes to {service}")]);
    }
    if let Some(sent) = &told.sent {
        let host = if sent.hides_host { "the replica's own address as Host" } else { "" };
        table.row(["sent".to_owned(), format!("{} {}", told.question.method, sent.target), host.to_owned()]);
    }
    table.text("").trim_start_matches('\n').to_owned()
}

/// What the route wants of TLS, where that is anything.
fn protection(route: &Route) -> String {
    let door = match route.door.as_str() {
        "plain" => Some("requests inside TLS have another route".to_owned()),
        "secure" => Some("only inside TLS".to_owned()),
        _ => None,
    };
    let client = route.client_authority.as_ref().map(|file| format!("clients show a certificate signed by {file}"));
    let hsts = route.hsts.as_ref().map(|value| format!("HSTS {value}"));
    [door, client, hsts].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Who could take it.
pub(super) fn candidates(candidates: &[Candidate]) -> String {
    if candidates.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["REPLICA", "ADDRESS", "STATE", "COULD TAKE IT"], &[]);
    for one in candidates {
        let could = one.obstacle.as_ref().map_or_else(|| "yes".to_owned(), |advice| format!("no: {}", advice.why));
        table.row([one.replica.clone(), one.address.clone(), one.state.clone(), could]);
    }
    table.text("")
}

/// A route in the table of all: its rule, where it leads, and whether it holds.
pub(super) type Stood = (Fate, [String; 3]);

/// What became of each route.
pub(super) fn holds(steps: impl ExactSizeIterator<Item = Stood>) -> String {
    if steps.len() == 0 {
        return String::new();
    }
    let mut table = Table::new(&["ROUTE", "TO", "HOLDS"], &[]);
    let mut unmet = 0;
    for (fate, cells) in steps {
        unmet += usize::from(fate == Fate::Unmet);
        if fate != Fate::Unmet || unmet <= MOST_UNMET {
            table.row(cells);
        }
    }
    let more = unmet.saturating_sub(MOST_UNMET);
    let more = if more > 0 { format!("and {more} more that do not hold; --json shows all\n") } else { String::new() };
    format!("{}{more}", table.text(""))
}

fn step(step: &Step) -> Stood {
    let became = fate(step.fate, step.unmet.as_deref(), &step.found, &step.route.rule);
    (step.fate, [rule(&step.route), step.route.service.clone(), became])
}

/// For which requests a route is, in as many words as there is room for. One that no label asks for has a long rule, of which its
/// name says enough.
fn rule(route: &Route) -> String {
    if is_by_name(route) { route.name.clone() } else { brief(&route.rule) }
}

fn is_by_name(route: &Route) -> bool {
    route.label.starts_with('(')
}

/// Whether a rule holds, and if not, which part of it, and what there is instead.
pub(super) fn fate(fate: Fate, unmet: Option<&str>, found: &str, rule: &str) -> String {
    match fate {
        Fate::Taken => "yes, and is taken".to_owned(),
        Fate::Outranked => "yes, but another one stands before it".to_owned(),
        Fate::Same => "yes: the same route, of another replica".to_owned(),
        Fate::Door => format!("yes, but {found}"),
        Fate::Sent => format!("yes, and the request is sent there, for it {found}"),
        Fate::Unmet => {
            let part = unmet.unwrap_or_default();
            // Where the rule is one condition it needs no repeating.
            match (part == rule, found) {
                (true, "") => "no".to_owned(),
                (true, found) => format!("no: {found}"),
                (false, "") => format!("no: {}", brief(part)),
                (false, found) => format!("no: {}, {found}", brief(part)),
            }
        }
    }
}
