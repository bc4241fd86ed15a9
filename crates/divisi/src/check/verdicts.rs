//! What became of the labels.

use std::collections::{BTreeMap, HashSet};

use divisi_compose::{Level, Place};
use divisi_labels::{Dialect, Outcome, Verdict};
use divisi_model::sorting;

use super::cast::Player;
use super::finding::Finding;

/// What became of one label of others.
#[derive(Clone, Debug)]
pub(crate) struct Compat {
    pub(crate) service: String,
    pub(crate) place: Place,
    pub(crate) verdict: Verdict,
}

impl Compat {
    /// The word for it.
    pub(crate) fn word(&self) -> &'static str {
        match self.verdict.outcome {
            Outcome::Used => "supported",
            _ => self.verdict.outcome.word(),
        }
    }

    /// Why it is not supported.
    pub(crate) fn why(&self) -> Option<String> {
        match &self.verdict.outcome {
            Outcome::Used => None,
            Outcome::Approximated(why) | Outcome::Ignored(why) => Some(why.clone()),
            Outcome::Wrong { accepted, meant: None } => Some(accepted.clone()),
            Outcome::Wrong { accepted, meant: Some(meant) } => Some(format!("{accepted} (did you mean {meant}?)")),
        }
    }
}

/// Of every label of others what became of it; `names` are the services of Traefik that there are.
pub(crate) fn compat(players: &[Player<'_>], names: &HashSet<&str>) -> Vec<Compat> {
    let mut all = Vec::new();
    for player in players {
        let foreign = player.wish.verdicts.iter().filter(|verdict| verdict.dialect != Dialect::Native);
        all.extend(foreign.map(|verdict| Compat {
            service: player.service.name.clone(),
            place: player.place(&verdict.label).clone(),
            verdict: if is_elsewhere(verdict, names) {
                Verdict { outcome: Outcome::Used, ..verdict.clone() }
            } else {
                verdict.clone()
            },
        }));
    }
    sorting::sort_by(&mut all, |a, b| {
        (&a.place, &a.service, &a.verdict.label).cmp(&(&b.place, &b.service, &b.verdict.label))
    });
    all
}

/// Whether a route leads to a service that another container of the project has: then nothing is missing.
fn is_elsewhere(verdict: &Verdict, names: &HashSet<&str>) -> bool {
    let label = verdict.label.to_ascii_lowercase();
    let is_service = label.starts_with("traefik.http.routers.") && label.ends_with(".service");
    let name = verdict.value.strip_suffix("@docker").unwrap_or(&verdict.value);
    is_service && matches!(verdict.outcome, Outcome::Approximated(_)) && names.contains(name)
}

/// What is to be told of the labels of a service; `names` are the services of Traefik that there are. What is not exactly what it
/// says is told once for each reason.
pub(crate) fn findings(player: &Player<'_>, names: &HashSet<&str>, says_all: bool) -> Vec<Finding> {
    let name = &player.service.name;
    let mut findings = Vec::new();
    let mut reasons: BTreeMap<(&'static str, &str), Vec<&Verdict>> = BTreeMap::new();
    for verdict in &player.wish.verdicts {
        let is_foreign = verdict.dialect != Dialect::Native;
        match &verdict.outcome {
            Outcome::Used => {}
            _ if is_foreign && says_all && !verdict.is_wrong() => {}
            _ if is_elsewhere(verdict, names) => {}
            Outcome::Wrong { .. } => {
                let place = player.place(&verdict.label);
                let finding = Finding::new(Level::Error, place, name, verdict.to_string());
                findings.push(finding.about(&verdict.label));
            }
            Outcome::Approximated(why) => reasons.entry(("approximated", why)).or_default().push(verdict),
            Outcome::Ignored(why) if !is_foreign || matters(verdict) => {
                reasons.entry(("ignored", why)).or_default().push(verdict);
            }
            Outcome::Ignored(_) => {}
        }
    }
    for ((word, why), verdicts) in reasons {
        findings.extend(together(player, word, why, &verdicts));
    }
    findings
}

/// A label of others that does nothing is worth a word where it would do something elsewhere in the file.
fn matters(verdict: &Verdict) -> bool {
    let is_variable = verdict.dialect == Dialect::NginxProxy && verdict.label.starts_with("VIRTUAL_");
    is_variable || verdict.label.eq_ignore_ascii_case("traefik.docker.network")
}

/// Labels of which the same is to be said, at the place of the first.
fn together(player: &Player<'_>, word: &str, why: &str, verdicts: &[&Verdict]) -> Option<Finding> {
    let first = verdicts.iter().min_by_key(|verdict| player.place(&verdict.label))?;
    let finding = |text| Finding::new(Level::Warning, player.place(&first.label), &player.service.name, text);
    if verdicts.len() == 1 {
        return Some(finding(first.to_string()).about(&first.label));
    }
    let labels: Vec<_> = verdicts.iter().map(|verdict| verdict.label.as_str()).collect();
    Some(finding(format!("labels {}: {word}: {why}", labels.join(", "))).about(&first.label))
}
