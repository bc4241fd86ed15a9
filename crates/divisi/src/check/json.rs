//! For programs: one JSON object.

use divisi_compose::{Level, Place};
use divisi_model::route::When;
use serde_json::{Value, json};

use super::alone::Alone;
use super::report::Report;

/// The report as JSON.
pub(crate) fn text(report: &Report) -> String {
    let findings: Vec<_> = report.findings.iter().map(finding).collect();
    let routes: Vec<_> = report.ways.iter().map(way).collect();
    let unrouted: Vec<_> =
        report.unrouted.iter().map(|(service, why)| json!({ "service": service, "reason": why })).collect();
    let skipped = report.project.skipped.iter();
    let skipped: Vec<_> = skipped.map(|it| json!({ "service": it.service, "profiles": it.profiles })).collect();
    let mut all = json!({
        "project": report.project.name,
        "files": report.project.files,
        "errors": report.count(Level::Error),
        "warnings": report.count(Level::Warning),
        "findings": findings,
        "routes": routes,
        "other_requests": match &report.alone {
            Alone::It { target, .. } => Some(target),
            Alone::Nobody => None,
        },
        "not_routed": unrouted,
        "not_checked": skipped,
    });
    if let (Some(compat), Some(all)) = (&report.compat, all.as_object_mut()) {
        let compat = compat.iter().map(|told| {
            let mut entry = json!({
                "service": told.service,
                "label": told.verdict.label,
                "dialect": told.verdict.dialect.name(),
                "outcome": told.word(),
                "reason": told.why(),
            });
            at(&mut entry, Some(&told.place));
            entry
        });
        all.insert("compat".to_owned(), compat.collect());
    }
    format!("{all:#}\n")
}

fn finding(finding: &super::finding::Finding) -> Value {
    let mut entry = json!({
        "level": finding.level.name(),
        "service": finding.service,
        "label": finding.label,
        "message": finding.text,
    });
    at(&mut entry, finding.place.as_ref());
    entry
}

fn way(way: &super::ways::Way) -> Value {
    let mut entry = json!({
        "rule": way.rule,
        "target": way.target,
        "door": way.door.name(),
        "redirect": way.redirect.map(|redirect| json!({
            "status": redirect.status,
            "needs_certificate": redirect.when != When::Always,
        })),
        "closed": way.closed,
        "behind": way.behind,
        "service": way.service,
        "label": way.label,
        "dialect": way.dialect.name(),
    });
    at(&mut entry, Some(&way.place));
    entry
}

/// A place is two fields, so that nobody has to take it apart.
fn at(entry: &mut Value, place: Option<&Place>) {
    let Some(entry) = entry.as_object_mut() else { return };
    let line = place.map(|place| place.line).filter(|line| *line > 0);
    entry.insert("file".to_owned(), json!(place.map(|place| &*place.file)));
    entry.insert("line".to_owned(), json!(line));
}
