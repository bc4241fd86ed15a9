//! The ports of our own labels.
//!
//! ```text
//! divisi.tcp.5432        what connects to port 5432 of divisi goes to that port of the container
//! divisi.tcp.443.sni     only what is inside TLS and asks for that name
//! ```

use std::collections::BTreeMap;

use divisi_model::route::{Door, Rule};
use divisi_model::{Spec, Speech};

use super::{StreamRoute, StreamService, Streams, spec_of};
use crate::dialect::Dialect;
use crate::native::port_number;
use crate::nearest::nearest;
use crate::row::{Of, PREFIX, Row};
use crate::table::TABLE;
use crate::values::{is_off, number, yes_or_no};
use crate::verdict::{Outcome, Verdict};

/// What every key begins with.
const ROOT: &str = "tcp.";

/// What stands for a number in the table.
pub(crate) const PORT: &str = "tcp.PORT";

/// Most ports that one container may want.
const MOST: usize = 64;

/// What is said where a port would be another one than its owner wrote.
const CLOSED: &str = "; until then the port is not open";

/// Most names, and most networks, of one port.
const MOST_WORDS: usize = 256;

/// What every part of a rule adds to its rank, as for HTTP.
const STEP: i64 = 8;

/// What labels say of one port of divisi.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfPort {
    is_off: bool,
    /// The port of the container.
    target: Option<u16>,
    names: Vec<(Rule, i64)>,
    /// Whether TLS is ended here; None where nothing is said.
    ends_tls: Option<bool>,
    clients: Vec<Rule>,
    priority: Option<i64>,
}

pub(crate) fn target(port: &mut OfPort, text: &str) -> Result<(), String> {
    // 1 is a port here, and no word for yes.
    port.target = match port_number(text) {
        Ok(number) => Some(number),
        Err(_) if text.eq_ignore_ascii_case("auto") || yes_or_no(text) == Ok(true) => None,
        Err(_) if is_off(text) => {
            port.is_off = true;
            None
        }
        Err(_) => {
            return Err(
                "neither a port of the container (5432), nor true for the one that it exposes, nor off".to_owned()
            );
        }
    };
    Ok(())
}

pub(crate) fn sni(port: &mut OfPort, text: &str) -> Result<(), String> {
    port.names = words(text)?
        .into_iter()
        .map(|word| {
            let rule = Rule::host(word).map_err(|error| error.to_string())?;
            Ok((rule, length(word.trim_start_matches("*.")) + STEP))
        })
        .collect::<Result<_, String>>()?;
    Ok(())
}

pub(crate) fn tls(port: &mut OfPort, text: &str) -> Result<(), String> {
    port.ends_tls = match text.to_ascii_lowercase().as_str() {
        "passthrough" => Some(false),
        "terminate" => Some(true),
        _ => {
            return Err(
                "neither passthrough (the container has the certificate) nor terminate (divisi has it)".to_owned()
            );
        }
    };
    Ok(())
}

pub(crate) fn clients(port: &mut OfPort, text: &str) -> Result<(), String> {
    let read = |word: &str| Rule::client_ip(word).map_err(|error| error.to_string());
    port.clients = words(text)?.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(())
}

pub(crate) fn priority(port: &mut OfPort, text: &str) -> Result<(), String> {
    const MOST: i64 = 1_000_000_000;
    port.priority = match text {
        text if text.eq_ignore_ascii_case("auto") => None,
        text => Some(number(text, &(-MOST..=MOST)).map_err(|accepted| format!("{accepted}, nor auto"))?),
    };
    Ok(())
}

/// The words between commas.
fn words(text: &str) -> Result<Vec<&str>, String> {
    if text.eq_ignore_ascii_case("any") {
        return Ok(Vec::new());
    }
    let words: Vec<_> = text.split(',').map(str::trim).collect();
    match words.len() {
        _ if words.contains(&"") => Err("nothing stands between two commas, or at an end".to_owned()),
        0..=MOST_WORDS => Ok(words),
        _ => Err(format!("more than {MOST_WORDS} words with commas between them")),
    }
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

/// What came of our labels about TCP.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) streams: Streams,
    pub(crate) verdicts: Vec<Verdict>,
    /// The label because of which a port is not open that was meant to be.
    pub(crate) left_out: Option<String>,
}

/// A port of which not all is read yet.
#[derive(Debug, Default)]
struct Draft {
    said: OfPort,
    /// The first label of it.
    label: String,
    /// The label without which it would be more open than its owner wrote it.
    broken: Option<String>,
}

/// Whether a key, without the beginning of all labels of ours, is about TCP.
pub(crate) fn is_about(key: &str) -> bool {
    key == "tcp" || key.starts_with(ROOT)
}

/// Reads keys about TCP, each without the beginning of all labels of ours. `spec` is what is wanted of the container's services.
pub(crate) fn read(keys: &BTreeMap<&str, &str>, spec: &Spec) -> Read {
    let (mut drafts, mut read) = (BTreeMap::<u16, Draft>::new(), Read::default());
    for (key, value) in keys {
        let label = format!("{PREFIX}{key}");
        let outcome = match parts(key) {
            Ok((port, row)) if drafts.contains_key(&port) || drafts.len() < MOST => {
                put(drafts.entry(port).or_default(), row, &label, value)
            }
            Ok(_) => Outcome::wrong(format!("more than {MOST} ports of one container")),
            Err(outcome) => outcome,
        };
        if matches!(outcome, Outcome::Wrong { .. }) {
            read.left_out.get_or_insert_with(|| label.clone());
        }
        read.verdicts.push(Verdict { dialect: Dialect::Native, label, value: (*value).to_owned(), outcome });
    }
    for (port, draft) in drafts {
        finish(port, draft, spec, &mut read);
    }
    read
}

/// The port in a key, and the row of the table that it is.
fn parts(key: &str) -> Result<(u16, &'static Row), Outcome> {
    let rest = key.strip_prefix(ROOT).unwrap_or_default();
    let (port, field) = rest.split_once('.').map_or((rest, None), |(port, field)| (port, Some(field)));
    let Ok(number) = port_number(port) else {
        return Err(Outcome::wrong("the port of divisi is missing in it; write it as in divisi.tcp.5432"));
    };
    let wanted = field.map_or_else(|| PORT.to_owned(), |field| format!("{PORT}.{field}"));
    let ours = || TABLE.iter().filter(|row| matches!(row.of, Of::Port { .. }));
    if let Some(row) = ours().find(|row| row.key == wanted) {
        return Ok((number, row));
    }
    let meant = nearest(&wanted, ours().map(|row| row.key));
    let meant = meant.map(|key| format!("{PREFIX}{}", key.replace("PORT", port)));
    // A port would be more open without what it was meant to say.
    Err(Outcome::Wrong { accepted: format!("no such label; `divisi labels` prints all there are{CLOSED}"), meant })
}

fn put(draft: &mut Draft, row: &Row, label: &str, value: &str) -> Outcome {
    let Of::Port { narrows, set } = row.of else { return Outcome::wrong("no such label") };
    if draft.label.is_empty() {
        label.clone_into(&mut draft.label);
    }
    if value.is_empty() {
        draft.broken.get_or_insert_with(|| label.to_owned());
        return Outcome::wrong("it is empty: is the variable set? Until it is, the port is not open");
    }
    let mut after = draft.said.clone();
    match set(&mut after, value) {
        Ok(()) => {
            draft.said = after;
            Outcome::Used
        }
        Err(accepted) => {
            if narrows {
                draft.broken.get_or_insert_with(|| label.to_owned());
                return Outcome::wrong(format!("{accepted}{CLOSED}"));
            }
            Outcome::wrong(accepted)
        }
    }
}

fn finish(port: u16, draft: Draft, spec: &Spec, read: &mut Read) {
    let Draft { said, label, broken } = draft;
    // A label that nobody knows may have been meant to narrow it.
    let begin = format!("{PREFIX}{ROOT}{port}.");
    let unknown = || read.verdicts.iter().find(|verdict| verdict.is_wrong() && verdict.label.starts_with(&begin));
    if let Some(broken) = broken.or_else(|| unknown().map(|verdict| verdict.label.clone())) {
        return leave_out(port, &format!("the port is not open, because of {broken}"), read);
    }
    if said.is_off {
        return;
    }
    let (rule, rank) = match rule(&said) {
        Ok(found) => found,
        Err(why) => return leave_out(port, &why, read),
    };
    let is_secure = !said.names.is_empty() || said.ends_tls.is_some();
    let service = said.target.map_or_else(|| "tcp".to_owned(), |target| format!("{target}/tcp"));
    let text = divisi_model::tcp::text(&rule.to_string());
    read.streams.routes.push(StreamRoute {
        dialect: Dialect::Native,
        name: format!("{ROOT}{port}"),
        label,
        port,
        text,
        rule,
        priority: said.priority.unwrap_or(rank),
        door: if is_secure { Door::Secure } else { Door::Plain },
        passes_tls: is_secure && said.ends_tls != Some(true),
        names: Vec::new(),
        service: service.clone(),
        closed: None,
    });
    if read.streams.services.iter().all(|known| known.name != service) {
        let (speech, spec) = (Speech::default(), spec_of(spec));
        let service = StreamService { dialect: Dialect::Native, name: service, port: said.target, speech, spec };
        read.streams.services.push(service);
    }
}

/// Which connections, and how narrow that is: a name comes before a network, and either before all.
fn rule(said: &OfPort) -> Result<(Rule, i64), String> {
    let names = said.names.iter().map(|(rule, _)| rule.clone()).collect();
    let mut parts = Vec::new();
    let mut rank = if said.names.is_empty() && said.clients.is_empty() { -1 } else { 0 };
    if !said.names.is_empty() {
        parts.push(Rule::any(names).map_err(|error| error.to_string())?);
        // The widest of them: two that share a name are told apart by who else they want.
        rank += said.names.iter().map(|(_, rank)| *rank).min().unwrap_or_default();
    }
    if !said.clients.is_empty() {
        parts.push(Rule::any(said.clients.clone()).map_err(|error| error.to_string())?);
        rank += STEP;
    }
    Ok((Rule::all(parts).map_err(|error| error.to_string())?, rank))
}

/// The rest of a port that would be too open without one of its labels.
fn leave_out(port: u16, why: &str, read: &mut Read) {
    let begin = format!("{PREFIX}{ROOT}{port}");
    let is_of_port =
        |label: &str| label.strip_prefix(&begin).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    for verdict in read.verdicts.iter_mut().filter(|verdict| is_of_port(&verdict.label) && !verdict.is_wrong()) {
        verdict.outcome = Outcome::Ignored(why.to_owned());
    }
}
