//! Where requests go that no label speaks of: to the service that divisi is told, or, in a project without routes, to the only
//! one there is.

use divisi_compose::{Level, Project, Service};
use divisi_labels::Exposed;

use super::cast::{self, Player};
use super::finding::Finding;
use super::told::{self, Told};

/// The flag and the variables that name the service.
const FLAG: &str = "service";
const NAMES: &[&str] = &["DIVISI_SERVICE", "DOCKER_COMPOSE_SERVICE_NAME"];

/// Which service gets all requests without a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    /// This one.
    It {
        service: String,
        /// With its port, where that is known.
        target: String,
    },
    /// No service, or nobody knows which.
    Nobody,
}

/// Says which, and what stands against it; `is_without` is a project without routes. Without divisi among the services nothing
/// does: it may stand elsewhere, for others.
pub(crate) fn find(project: &Project, players: &[Player<'_>], is_without: bool) -> (Alone, Option<Finding>) {
    let divisi = project.services.iter().find(|service| cast::is_divisi(service));
    if let Some((divisi, told)) = divisi.and_then(|divisi| Some((divisi, told::find(divisi, FLAG, NAMES)?))) {
        return match players.iter().find(|player| player.service.name == told.value) {
            Some(player) => (it(player), None),
            None => (Alone::Nobody, Some(no_such(divisi, &told, players))),
        };
    }
    if !is_without {
        return (Alone::Nobody, None);
    }
    // Where labels speak of TCP alone, HTTP is not what divisi is there for.
    let asker = divisi.filter(|_| players.iter().all(|player| player.wish.streams.is_empty()));
    let reachable: Vec<_> = players.iter().filter(|player| !matches!(player.wish.exposed, Exposed::No(_))).collect();
    let (known, unknown): (Vec<_>, Vec<_>) = reachable.iter().copied().partition(|player| player.port().is_some());
    match (known.as_slice(), unknown.as_slice()) {
        ([player], []) | ([], [player]) => (it(player), None),
        ([player], others) => (it(player), divisi.map(|divisi| perhaps(divisi, player, others))),
        ([], []) => (Alone::Nobody, None),
        ([], several) => (Alone::Nobody, asker.map(|divisi| unclear(divisi, several))),
        (several, _) => (Alone::Nobody, asker.map(|divisi| unclear(divisi, several))),
    }
}

fn it(player: &Player<'_>) -> Alone {
    Alone::It { service: player.service.name.clone(), target: cast::target(player.service, player.port()) }
}

fn names(players: &[&Player<'_>]) -> String {
    players.iter().map(|player| player.service.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn no_such(divisi: &Service, told: &Told, players: &[Player<'_>]) -> Finding {
    let there = names(&players.iter().collect::<Vec<_>>());
    let text = format!("{} is {:?}: no such service; there are {there}", told.how, told.value);
    Finding::new(Level::Error, &told.place, &divisi.name, text).about(&told.how)
}

/// Databases and the like have ports in their images, which are not in the file.
fn perhaps(divisi: &Service, player: &Player<'_>, others: &[&Player<'_>]) -> Finding {
    let name = &player.service.name;
    let text = format!(
        "all requests go to {name} only if no image of {} exposes a port; to be sure, write DIVISI_SERVICE: {name} in the \
         environment of {}",
        names(others),
        divisi.name
    );
    Finding::new(Level::Warning, &divisi.place, &divisi.name, text)
}

fn unclear(divisi: &Service, several: &[&Player<'_>]) -> Finding {
    let text = format!(
        "no label says which requests go where, and it might be any of {}; write divisi.host on those that are to be reached, \
         or DIVISI_SERVICE in the environment of {}",
        names(several),
        divisi.name
    );
    Finding::new(Level::Warning, &divisi.place, &divisi.name, text)
}
