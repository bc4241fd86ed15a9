//! All ports that are asked for, as they are at one moment.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::{Port, text};
use crate::route::{Conflict, Route};

/// All ports that are asked for, as they are at one moment. A change makes another set, which shares every port that the change
/// did not touch.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    by_number: BTreeMap<u16, Arc<Port>>,
    /// The ports that each owner of routes asks for.
    owners: HashMap<Arc<str>, BTreeSet<u16>>,
}

/// Two services want the same connections.
#[derive(Clone, Debug)]
pub struct PortConflict {
    /// At which port.
    pub port: u16,
    /// Which two.
    pub conflict: Conflict,
}

impl fmt::Display for PortConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rule) = (self.conflict.to_string(), self.conflict.winner.text());
        write!(f, "port {}: {}{}", self.port, text(rule), whole.strip_prefix(rule).unwrap_or(&whole))
    }
}

impl Ports {
    /// A set of these routes, each with its port, and who wants the same as another.
    pub fn build(routes: Vec<(u16, Route)>) -> (Self, Vec<PortConflict>) {
        Self::default().patch(&[], routes)
    }

    /// The same ports, at which the owners that are `gone` have no routes, and those to which `routes` belong have just these;
    /// and which conflicts are new. A port without routes is asked for no longer.
    pub fn patch(&self, gone: &[&str], routes: Vec<(u16, Route)>) -> (Self, Vec<PortConflict>) {
        let owner = |route: &Route| Arc::clone(&route.origin().id);
        let ids: HashSet<Arc<str>> =
            gone.iter().map(|id| Arc::from(*id)).chain(routes.iter().map(|(_, route)| owner(route))).collect();
        let mut next = self.clone();
        let mut touched: BTreeMap<u16, Vec<Route>> = BTreeMap::new();
        for number in ids.iter().filter_map(|id| next.owners.remove(id)).flatten() {
            touched.entry(number).or_default();
        }
        for (number, route) in routes {
            next.owners.entry(owner(&route)).or_default().insert(number);
            touched.entry(number).or_default().push(route);
        }
        let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
        let mut conflicts = Vec::new();
        for (number, routes) in touched {
            let last = self.by_number.get(&number).map_or_else(|| Port::new(number), |port| Port::clone(port));
            let (port, news) = last.patch(&ids, routes);
            conflicts.extend(news.into_iter().map(|conflict| PortConflict { port: number, conflict }));
            if port.is_empty() {
                next.by_number.remove(&number);
            } else {
                next.by_number.insert(number, Arc::new(port));
            }
        }
        (next, conflicts)
    }

    /// The port of that number, if it is asked for.
    pub fn get(&self, number: u16) -> Option<&Arc<Port>> {
        self.by_number.get(&number)
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Port>> {
        self.by_number.values()
    }

    /// Whether none is asked for.
    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// Who wants the same as another.
    pub fn conflicts(&self) -> Vec<PortConflict> {
        let of_port = |port: &Arc<Port>| {
            let number = port.number();
            port.conflicts().into_iter().map(move |conflict| PortConflict { port: number, conflict })
        };
        self.iter().flat_map(of_port).collect()
    }
}
