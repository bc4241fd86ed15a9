//! Which service gets the requests, or why none does.

use crate::compose::{Identity, ServiceKey};
use crate::hash::Map;
use crate::own::Own;

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// The service, if named.
    pub(crate) service: Option<String>,
    /// The project, if named.
    pub(crate) project: Option<String>,
}

/// How many containers of a service run, and how many of those have a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// All that run.
    pub(crate) live: usize,
    /// Those with a port.
    pub(crate) ported: usize,
}

/// Every service that has a running container.
pub(crate) type Tallies = Map<ServiceKey, Tally>;

impl Wish {
    /// The project to look in: the one named, else our own.
    pub(crate) fn project<'a>(&'a self, own: &'a Own) -> Option<&'a str> {
        let ours = || own.identity.as_ref().map(|identity| &*identity.key.project);
        self.project.as_deref().or_else(ours)
    }

    /// The service that gets the requests, or one line that says why none does and what to write. With no container
    /// left the `last` choice stays, so that its requests can wait for the next one.
    pub(crate) fn choose(&self, own: &Own, tallies: &Tallies, last: Option<&ServiceKey>) -> Result<ServiceKey, String> {
        let choice = match (self.project(own), &self.service) {
            (Some(project), Some(service)) => {
                Ok(ServiceKey { project: project.into(), service: service.as_str().into() })
            }
            (None, Some(service)) => Self::in_any_project(service, tallies, last),
            (Some(project), None) => Self::only_other(project, own.identity.as_ref(), tallies, last),
            (None, None) => Err(nothing_named(own)),
        }?;
        if own.identity.as_ref().is_some_and(|identity| identity.key == choice) {
            return Err(format!("service {:?} is divisi itself: name another one with DIVISI_SERVICE", choice.service));
        }
        Ok(choice)
    }

    fn in_any_project(service: &str, tallies: &Tallies, last: Option<&ServiceKey>) -> Result<ServiceKey, String> {
        // A namesake that turns up later in another project must not take the requests away from the first.
        if let Some(last) = last {
            return Ok(last.clone());
        }
        let mut found: Vec<_> = tallies.keys().filter(|key| *key.service == *service).collect();
        found.sort_unstable();
        match found.as_slice() {
            [only] => Ok((*only).clone()),
            [] => Err(format!("no container of a service {service:?} runs here: start one, or check the name")),
            several => {
                let projects: Vec<_> = several.iter().map(|key| &*key.project).collect();
                Err(format!(
                    "{} projects have a service {service:?} ({}): write --project NAME (or DIVISI_PROJECT={})",
                    several.len(),
                    projects.join(", "),
                    projects[0],
                ))
            }
        }
    }

    fn only_other(
        project: &str,
        own: Option<&Identity>,
        tallies: &Tallies,
        last: Option<&ServiceKey>,
    ) -> Result<ServiceKey, String> {
        let others = tallies.iter().filter(|(key, tally)| {
            *key.project == *project && tally.ported > 0 && own.is_none_or(|own| own.key != **key)
        });
        let mut others: Vec<_> = others.map(|(key, _)| key).collect();
        others.sort_unstable();
        match (others.as_slice(), last) {
            ([only], _) => Ok((*only).clone()),
            ([], Some(last)) => Ok(last.clone()),
            ([], None) => Err(format!(
                "project {project:?} has no other service with a port: start one, or name it with DIVISI_SERVICE"
            )),
            (several, _) => {
                let names: Vec<_> = several.iter().map(|key| &*key.service).collect();
                let last = names[names.len() - 1];
                Err(format!(
                    "project {project:?} has {} services with a port ({}): name one with DIVISI_SERVICE={last}, or say \
                     with the label divisi.host what each of them gets",
                    several.len(),
                    names.join(", "),
                ))
            }
        }
    }
}

fn nothing_named(own: &Own) -> String {
    let place = if own.id.is_some() { "in a container of no Compose project" } else { "outside of any container" };
    format!(
        "divisi runs {place}, no service is named and no label asks for requests: write --service NAME (or \
         DIVISI_SERVICE=NAME), or the label divisi.host=NAME at a service"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Standpoint;

    fn key(project: &str, service: &str) -> ServiceKey {
        ServiceKey { project: project.into(), service: service.into() }
    }

    fn wish(service: Option<&str>, project: Option<&str>) -> Wish {
        Wish { service: service.map(str::to_owned), project: project.map(str::to_owned) }
    }

    fn inside(project: &str) -> Own {
        Own {
            id: Some("own".into()),
            identity: Some(Identity { key: key(project, "lb"), number: 1 }),
            standpoint: Standpoint::Host,
        }
    }

    fn running(services: &[(&str, &str, usize)]) -> Tallies {
        services
            .iter()
            .map(|(project, service, ported)| (key(project, service), Tally { live: 1, ported: *ported }))
            .collect()
    }

    #[test]
    fn a_named_service_is_known_before_it_runs() {
        assert_eq!(wish(Some("web"), None).choose(&inside("shop"), &running(&[]), None), Ok(key("shop", "web")));
        let named = wish(Some("web"), Some("other"));
        assert_eq!(named.choose(&inside("shop"), &running(&[]), None), Ok(key("other", "web")));
    }

    #[test]
    fn without_a_project_the_service_must_be_unique() {
        let wish = wish(Some("web"), None);
        let outside = Own::outside();
        let one = running(&[("shop", "web", 1), ("shop", "db", 1)]);
        assert_eq!(wish.choose(&outside, &one, None), Ok(key("shop", "web")));
        let two = running(&[("shop", "web", 1), ("blog", "web", 1)]);
        let reason = wish.choose(&outside, &two, None).unwrap_err();
        assert!(reason.contains("blog, shop") && reason.contains("write --project NAME"), "{reason}");
        assert_eq!(wish.choose(&outside, &two, Some(&key("shop", "web"))), Ok(key("shop", "web")));
        assert!(wish.choose(&outside, &running(&[]), None).unwrap_err().contains("no container of a service \"web\""));
    }

    #[test]
    fn the_only_other_service_with_a_port_needs_no_name() {
        let auto = wish(None, None);
        let own = inside("shop");
        let one = running(&[("shop", "lb", 1), ("shop", "web", 1), ("shop", "job", 0), ("blog", "api", 1)]);
        assert_eq!(auto.choose(&own, &one, None), Ok(key("shop", "web")));
        let two = running(&[("shop", "lb", 1), ("shop", "web", 1), ("shop", "api", 1)]);
        assert_eq!(
            auto.choose(&own, &two, None).unwrap_err(),
            "project \"shop\" has 2 services with a port (api, web): name one with DIVISI_SERVICE=web, or say with the label \
             divisi.host what each of them gets"
        );
        let none = running(&[("shop", "lb", 1)]);
        assert!(auto.choose(&own, &none, None).unwrap_err().contains("no other service with a port"));
        assert_eq!(auto.choose(&own, &none, Some(&key("shop", "web"))), Ok(key("shop", "web")));
    }

    #[test]
    fn nothing_named_and_nowhere_is_said() {
        let reason = wish(None, None).choose(&Own::outside(), &running(&[]), None).unwrap_err();
        assert!(reason.contains("outside of any container") && reason.contains("DIVISI_SERVICE"), "{reason}");
    }

    #[test]
    fn divisi_does_not_balance_itself() {
        assert!(wish(Some("lb"), None).choose(&inside("shop"), &running(&[]), None).is_err());
    }
}
