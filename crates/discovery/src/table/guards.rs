//! Middlewares: what stands between a route and its service may be said by another container than the route.

use std::collections::{BTreeMap, HashMap, HashSet};

use divisi_labels::{Effect, Middleware};

use crate::compose::ServiceKey;

/// All middlewares, by name, and who asks for which.
#[derive(Debug, Default)]
pub(super) struct Guards {
    by_name: HashMap<String, BTreeMap<ServiceKey, Middleware>>,
    said: HashMap<ServiceKey, Vec<String>>,
    askers: HashMap<String, HashSet<ServiceKey>>,
    asked: HashMap<ServiceKey, Vec<String>>,
}

impl Guards {
    /// An owner says these, and no others. Returns the owners that have to look again.
    pub(super) fn set(&mut self, owner: &ServiceKey, said: &[Middleware]) -> HashSet<ServiceKey> {
        if said.is_empty() && self.said.is_empty() {
            return HashSet::new();
        }
        let mut changed = Vec::new();
        let names: Vec<_> = said.iter().map(|middleware| middleware.name.clone()).collect();
        let before = if names.is_empty() { self.said.remove(owner) } else { self.said.insert(owner.clone(), names) };
        for name in before.into_iter().flatten() {
            if said.iter().all(|middleware| middleware.name != name) {
                self.forget(owner, &name);
                changed.push(name);
            }
        }
        for middleware in said {
            let all = self.by_name.entry(middleware.name.clone()).or_default();
            if all.get(owner) != Some(middleware) {
                all.insert(owner.clone(), middleware.clone());
                changed.push(middleware.name.clone());
            }
        }
        changed.iter().filter_map(|name| self.askers.get(name)).flatten().cloned().collect()
    }

    fn forget(&mut self, owner: &ServiceKey, name: &str) {
        if let Some(all) = self.by_name.get_mut(name) {
            all.remove(owner);
            if all.is_empty() {
                self.by_name.remove(name);
            }
        }
    }

    /// The routes of an owner ask for these, and no others.
    pub(super) fn note_asked(&mut self, owner: &ServiceKey, names: Vec<String>) {
        if names.is_empty() && self.asked.is_empty() {
            return;
        }
        for name in self.asked.remove(owner).into_iter().flatten() {
            if let Some(askers) = self.askers.get_mut(&name) {
                askers.remove(owner);
                if askers.is_empty() {
                    self.askers.remove(&name);
                }
            }
        }
        for name in &names {
            self.askers.entry(name.clone()).or_default().insert(owner.clone());
        }
        if !names.is_empty() {
            self.asked.insert(owner.clone(), names);
        }
    }

    /// What a name means to an owner: what it says itself, or else what others of its project say, or else anybody. Where these
    /// say different things, nobody knows which one was meant.
    pub(super) fn find(&self, owner: &ServiceKey, name: &str) -> Option<Middleware> {
        let all = self.by_name.get(name)?;
        if let Some(own) = all.get(owner) {
            return Some(own.clone());
        }
        let near: Vec<_> = all.iter().filter(|(other, _)| other.project == owner.project).collect();
        let meant = if near.is_empty() { all.iter().collect() } else { near };
        let (_, first) = meant.first()?;
        if meant.iter().all(|(_, other)| other.effect == first.effect) {
            return Some((*first).clone());
        }
        let who: Vec<_> = meant.iter().map(|(owner, _)| owner.to_string()).collect();
        let why = format!("means different things to {}; give each a name of its own", who.join(" and "));
        Some(Middleware { name: name.to_owned(), effect: Effect::Closes(why) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> ServiceKey {
        let (project, service) = text.split_once('/').expect("project/service");
        ServiceKey { project: project.into(), service: service.into() }
    }

    fn left(name: &str) -> Middleware {
        Middleware { name: name.to_owned(), effect: Effect::Left }
    }

    fn guard(name: &str) -> Middleware {
        Middleware { name: name.to_owned(), effect: Effect::Closes("guards".to_owned()) }
    }

    #[test]
    fn the_nearest_definition_counts_and_different_ones_close() {
        let mut guards = Guards::default();
        guards.set(&key("a/x"), &[guard("auth")]);
        guards.set(&key("b/x"), &[left("auth")]);
        assert_eq!(guards.find(&key("a/x"), "auth"), Some(guard("auth")));
        assert_eq!(guards.find(&key("b/y"), "auth"), Some(left("auth")), "its own project");
        let closes =
            |owner| matches!(guards.find(&key(owner), "auth"), Some(Middleware { effect: Effect::Closes(_), .. }));
        assert!(closes("c/x"), "nobody of its own says it, and the others disagree");
        assert_eq!(guards.find(&key("a/x"), "none"), None);
    }

    #[test]
    fn who_asks_is_told_of_changes() {
        let mut guards = Guards::default();
        guards.note_asked(&key("a/x"), vec!["auth".to_owned()]);
        assert_eq!(guards.set(&key("b/x"), &[guard("auth"), left("zip")]), HashSet::from([key("a/x")]));
        assert!(guards.set(&key("b/x"), &[guard("auth"), left("zip")]).is_empty(), "nothing new");
        assert_eq!(guards.set(&key("b/x"), &[left("zip")]), HashSet::from([key("a/x")]), "it is gone");
        guards.note_asked(&key("a/x"), Vec::new());
        assert!(guards.set(&key("b/x"), &[guard("auth")]).is_empty());
    }
}
