//! For people: findings first, a line each, then what the labels come to.

use std::collections::HashSet;
use std::fmt::Write as _;

use divisi_compose::{Level, Place};
use divisi_labels::Dialect;

use super::alone::Alone;
use super::finding::{Finding, OneLine};
use super::report::Report;
use super::verdicts::Compat;

/// How wide the column of rules gets; a longer one pushes its target away.
const WIDEST: usize = 60;

/// The report as text.
pub(crate) fn text(report: &Report) -> String {
    let mut text = String::new();
    for line in report.compat.iter().flatten().map(compat_line) {
        text.push_str(&line);
    }
    let told = told(report);
    for finding in report.findings.iter().filter(|finding| !is_told(&told, finding)) {
        line(&mut text, &finding.to_string());
    }
    if report.project.services.is_empty() && report.project.skipped.is_empty() {
        return text;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    routes(&mut text, report);
    rest(&mut text, report);
    if let Some(compat) = &report.compat {
        counts(&mut text, compat);
    }
    let services = report.project.services.len();
    let counted = [Level::Error, Level::Warning].map(|level| several(report.count(level), level.name()));
    let what = several(services, "service");
    line(&mut text, &format!("{} in {what} of project {}", counted.join(", "), report.project.name));
    text
}

/// What lines of `--compat` say: findings with the same text say it once more.
fn told(report: &Report) -> HashSet<(&Place, &str, String)> {
    let told = report.compat.iter().flatten();
    told.map(|told| (&told.place, told.service.as_str(), told.verdict.to_string())).collect()
}

fn is_told(told: &HashSet<(&Place, &str, String)>, finding: &Finding) -> bool {
    let (Some(place), Some(service)) = (&finding.place, &finding.service) else { return false };
    told.contains(&(place, service, finding.text.clone()))
}

fn line(text: &mut String, line: &str) {
    // Writing to memory does not fail.
    let _ = writeln!(text, "{}", OneLine(line));
}

fn compat_line(compat: &Compat) -> String {
    let kind = if compat.verdict.dialect == Dialect::NginxProxy { "variable" } else { "label" };
    let why = compat.why().map(|why| format!(": {why}")).unwrap_or_default();
    let told = format!("service {}: {kind} {}{why}", compat.service, compat.verdict.label);
    format!("{}: {}: {}\n", compat.place, compat.word(), OneLine(&told))
}

fn routes(text: &mut String, report: &Report) {
    let width = report.ways.iter().map(|way| way.rule.chars().count()).max().unwrap_or(0).min(WIDEST);
    for way in &report.ways {
        let target = match (&way.closed, &way.behind, &way.target) {
            (_, Some(winner), _) => format!("nobody ({winner} asks for the same)"),
            (Some(_), ..) => "nobody (closed)".to_owned(),
            (.., Some(target)) => with_port(target),
            (.., None) => "nobody (no such service)".to_owned(),
        };
        let note = way.door_note().filter(|_| way.closed.is_none() && way.behind.is_none());
        let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
        line(text, &format!("{:width$}  → {target}{note}", way.rule));
    }
    match &report.alone {
        Alone::It { target, .. } => {
            let what = if report.ways.is_empty() { "all requests" } else { "all other requests" };
            line(text, &format!("{what:width$}  → {}", with_port(target)));
        }
        Alone::Nobody if report.ways.is_empty() => line(text, "no route: no label says which requests go where"),
        Alone::Nobody => {}
    }
}

/// What is said of a port that nobody says.
fn with_port(target: &str) -> String {
    if target.contains(':') { target.to_owned() } else { format!("{target} (the port of its image)") }
}

fn rest(text: &mut String, report: &Report) {
    let is_alone = |name: &str| matches!(&report.alone, Alone::It { service, .. } if service == name);
    let names = report.unrouted.iter().filter(|(service, _)| !is_alone(service));
    let names: Vec<_> = names
        .map(|(service, why)| if why.is_empty() { service.clone() } else { format!("{service} ({why})") })
        .collect();
    if !names.is_empty() {
        line(text, &format!("not routed by a label: {}", names.join(", ")));
    }
    if !report.project.skipped.is_empty() {
        let skipped = report.project.skipped.iter();
        let names: Vec<_> = skipped.map(|it| format!("{} ({})", it.service, it.profiles.join(", "))).collect();
        line(text, &format!("not checked, for their profiles are off: {}", names.join(", ")));
    }
}

fn counts(text: &mut String, compat: &[Compat]) {
    for dialect in [Dialect::Traefik, Dialect::NginxProxy] {
        let of = || compat.iter().filter(|told| told.verdict.dialect == dialect);
        if of().next().is_none() {
            continue;
        }
        let counts = ["supported", "approximated", "ignored", "wrong"]
            .map(|word| format!("{} {word}", of().filter(|told| told.word() == word).count()));
        line(text, &format!("{dialect}: {}", counts.join(", ")));
    }
    if compat.is_empty() {
        line(text, "no label of Traefik, and no variable of nginx-proxy");
    }
}

fn several(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}
