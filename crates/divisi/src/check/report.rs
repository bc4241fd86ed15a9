//! All of it together.

use divisi_compose::{Level, Project};
use divisi_labels::Exposed;
use divisi_model::sorting;

use super::alone::{self, Alone};
use super::cast::{self, Player};
use super::finding::Finding;
use super::layout;
use super::streams;
use super::told;
use super::verdicts::{self, Compat};
use super::ways::{self, Way};
use crate::settings::Check;

/// What is to be told of a project.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) project: Project,
    /// In the order of their places.
    pub(crate) findings: Vec<Finding>,
    pub(crate) ways: Vec<Way>,
    /// Who gets all requests without a route.
    pub(crate) alone: Alone,
    /// Services that no route leads to, and why.
    pub(crate) unrouted: Vec<(String, String)>,
    /// Of every label of others what became of it, where that was asked.
    pub(crate) compat: Option<Vec<Compat>>,
}

impl Report {
    /// Checks a project.
    pub(crate) fn of(project: Project, settings: &Check, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut findings: Vec<Finding> = project.problems.iter().map(Finding::from).collect();
        let mut settings = settings.clone();
        if let Some(divisi) = project.services.iter().find(|service| cast::is_divisi(service)) {
            let (as_told, problems) = told::settings(&settings, divisi, environment);
            settings = as_told;
            let finding = |problem| Finding::new(Level::Error, &divisi.place, &divisi.name, problem);
            findings.extend(problems.into_iter().map(finding));
        }
        let players = cast::players(&project, &settings.routing.reader);
        let names = ways::names(&players);
        findings.extend(players.iter().flat_map(|player| verdicts::findings(player, &names, settings.compat)));
        let (mut ways, more) = ways::ways(&players, &settings.routing);
        findings.extend(more);
        findings.extend(layout::findings(&project, &players));
        let (alone, more) = alone::find(&project, &players, ways.is_empty());
        findings.extend(more);
        let (streams, more) = streams::ways(&players, settings.routing.reader.has_tls);
        ways.extend(streams);
        findings.extend(more);
        let compat = settings.compat.then(|| verdicts::compat(&players, &names));
        let unrouted =
            players.iter().filter_map(|player| Some((player.service.name.clone(), unrouted(player)?))).collect();
        sorting::sort_by(&mut findings, Finding::order);
        findings.dedup();
        Self { findings, ways, alone, unrouted, compat, project }
    }

    /// How many findings there are of a level.
    pub(crate) fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

/// Why a service has no route of its own; None where it has one.
fn unrouted(player: &Player<'_>) -> Option<String> {
    match &player.wish.exposed {
        Exposed::No(label) => Some(label.clone()),
        _ if !player.wish.routes.is_empty() || !player.wish.streams.is_empty() => None,
        Exposed::Yes => Some("its labels come to no route".to_owned()),
        Exposed::Unsaid => Some(String::new()),
    }
}
