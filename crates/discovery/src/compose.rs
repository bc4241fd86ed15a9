//! What Compose writes on its containers, and what it means.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The label that names the project.
pub(crate) const PROJECT: &str = "com.docker.compose.project";
/// The label that names the service.
pub(crate) const SERVICE: &str = "com.docker.compose.service";
const NUMBER: &str = "com.docker.compose.container-number";
const ONEOFF: &str = "com.docker.compose.oneoff";
const HOOK: &str = "com.docker.compose.hook";

/// A service of a project: names are unique in their project only. The project of a container that is not Compose's is empty, and
/// its service has the container's name. Cheap to clone: it stands in many places.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ServiceKey {
    /// The project.
    pub(crate) project: Arc<str>,
    /// The service, as written in the Compose file.
    pub(crate) service: Arc<str>,
}

/// Which replica of which service a container is. Its name says nothing: Compose recreates under another name and
/// renames at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The service it belongs to.
    pub(crate) key: ServiceKey,
    /// Its number among the replicas, from 1; 0 when the label cannot be read.
    pub(crate) number: u32,
}

impl ServiceKey {
    /// Whether it is one of Compose's.
    pub(crate) fn is_composed(&self) -> bool {
        !self.project.is_empty()
    }

    /// `project/service`.
    pub(crate) fn whole(&self) -> Arc<str> {
        if self.is_composed() { [&self.project, "/", &self.service].concat().into() } else { Arc::clone(&self.service) }
    }
}

/// `project/service`.
impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_composed() { write!(f, "{}/{}", self.project, self.service) } else { f.write_str(&self.service) }
    }
}

impl Identity {
    /// Reads the labels of a container; `name` is what people call it. None for one that is no replica: a `run` or a hook.
    pub(crate) fn of(labels: &HashMap<String, String>, name: &str) -> Option<Self> {
        let label = |name| labels.get(name).map(String::as_str).filter(|text: &&str| !text.is_empty());
        if label(ONEOFF).is_some_and(|text| text.eq_ignore_ascii_case("true")) || labels.contains_key(HOOK) {
            return None;
        }
        let (Some(project), Some(service)) = (label(PROJECT), label(SERVICE)) else { return Some(Self::alone(name)) };
        let key = ServiceKey { project: project.into(), service: service.into() };
        let number = label(NUMBER).and_then(|text| text.parse().ok()).unwrap_or(0);
        Some(Self { key, number })
    }

    /// One that Compose knows nothing of: a service of its own, in no project.
    fn alone(name: &str) -> Self {
        Self { key: ServiceKey { project: "".into(), service: name.into() }, number: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_replica_is_known_by_project_service_and_number() {
        let identity = Identity::of(
            &labels(&[(PROJECT, "shop"), (SERVICE, "web"), (NUMBER, "3"), (ONEOFF, "False")]),
            "shop_web_3",
        );
        let identity = identity.expect("a replica");
        assert_eq!((&*identity.key.project, &*identity.key.service), ("shop", "web"));
        assert_eq!(identity.number, 3);
    }

    #[test]
    fn a_run_and_a_hook_are_no_replicas_and_a_stranger_is_alone() {
        let base = [(PROJECT, "shop"), (SERVICE, "web")];
        assert_eq!(Identity::of(&labels(&[base[0], base[1], (ONEOFF, "True")]), "x"), None);
        assert_eq!(Identity::of(&labels(&[base[0], base[1], (HOOK, "post_start")]), "x"), None);
        for strange in [&base[..1], &[]] {
            let identity = Identity::of(&labels(strange), "x").expect("a replica");
            assert_eq!(
                (identity.key.to_string(), identity.number, identity.key.is_composed()),
                ("x".to_owned(), 1, false)
            );
        }
    }

    #[test]
    fn a_number_that_is_none_loses_only_the_number() {
        let identity = Identity::of(&labels(&[(PROJECT, "shop"), (SERVICE, "web"), (NUMBER, "many")]), "x");
        assert_eq!(identity.expect("a replica").number, 0);
    }
}
