//! Where a request would go, in words.

use divisi_console::api::request::{Fate, Question, Request, Step};
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
    for section in [sent(told), candidates(told), steps(&told.steps)] {
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

fn candidates(told: &Request) -> String {
    if told.candidates.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["REPLICA", "ADDRESS", "STATE", "COULD TAKE IT"], &[]);
    for one in &told.candidates {
        let could = one.obstacle.as_ref().map_or_else(|| "yes".to_owned(), |advice| format!("no: {}", advice.why));
        table.row([one.replica.clone(), one.address.clone(), one.state.clone(), could]);
    }
    table.text("")
}

fn steps(steps: &[Step]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["ROUTE", "TO", "HOLDS"], &[]);
    let mut unmet = 0;
    for step in steps {
        unmet += usize::from(step.fate == Fate::Unmet);
        if step.fate == Fate::Unmet && unmet > MOST_UNMET {
            continue;
        }
        table.row([rule(&step.route), step.route.service.clone(), fate(step)]);
    }
    let more = unmet.saturating_sub(MOST_UNMET);
    let more = if more > 0 { format!("and {more} more that do not hold; --json shows all\n") } else { String::new() };
    format!("{}{more}", table.text(""))
}

/// For which requests a route is, in as many words as there is room for. One that no label asks for has a long rule, of which its
/// name says enough.
fn rule(route: &Route) -> String {
    if is_by_name(route) { route.name.clone() } else { brief(&route.rule) }
}

fn is_by_name(route: &Route) -> bool {
    route.label.starts_with('(')
}

fn fate(step: &Step) -> String {
    match step.fate {
        Fate::Taken => "yes, and is taken".to_owned(),
        Fate::Outranked => "yes, but another one stands before it".to_owned(),
        Fate::Same => "yes: the same route, of another replica".to_owned(),
        Fate::Door => format!("yes, but {}", step.found),
        Fate::Sent => format!("yes, and the request is sent there, for it {}", step.found),
        Fate::Unmet => {
            let part = step.unmet.as_deref().unwrap_or_default();
            // Where the rule is one condition it needs no repeating.
            match (part == step.route.rule, step.found.as_str()) {
                (true, "") => "no".to_owned(),
                (true, found) => format!("no: {found}"),
                (false, "") => format!("no: {}", brief(part)),
                (false, found) => format!("no: {}, {found}", brief(part)),
            }
        }
    }
}
