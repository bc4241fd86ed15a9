//! Which hosts routes have, what they demand of clients, and which files of authorities replicas name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use divisi_model::Snapshot;
use divisi_model::route::{Door, Route};
use divisi_model::speech::Trust;
use divisi_tls::name;

use crate::orders::NameSet;

/// What a snapshot asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// By host: a name, `*.name` for one label more, `**.name` for several.
    pub(crate) hosts: BTreeMap<Arc<str>, Wish>,
    /// The names that share a certificate: those of one route.
    pub(crate) sets: BTreeSet<NameSet>,
    /// Files of authorities that replicas name.
    pub(crate) trusts: BTreeSet<Arc<str>>,
    /// Whether there is a service for what no route has, so that any name may be asked for.
    pub(crate) takes_all: bool,
    /// Routes that demand something of clients and name no host: they serve nobody inside TLS.
    pub(crate) hostless: BTreeSet<Arc<str>>,
}

/// What is asked for a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// What its user calls the certificate: names in it, or of its files.
    pub(crate) names: BTreeSet<Arc<str>>,
    /// It is there only inside TLS.
    pub(crate) is_secure: bool,
    /// The files with the authorities of its clients: one, if users agree.
    pub(crate) client_authorities: BTreeSet<Arc<str>>,
}

impl Wishes {
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let mut wishes = Self::default();
        for route in snapshot.routes().all().filter(|route| route.way().door != Door::Plain) {
            wishes.add(route);
        }
        // What carries no HTTP, and whose TLS ends here all the same.
        for route in snapshot.ports().iter().flat_map(|port| port.ended()) {
            wishes.add(route);
        }
        // Whoever asks for nothing in particular comes from near.
        wishes.takes_all = snapshot.fallback().is_ok();
        if wishes.takes_all {
            wishes.hosts.entry("localhost".into()).or_default();
        }
        for replica in snapshot.services().flat_map(|service| service.ready()) {
            if let Trust::Authority(file) = &replica.speech().trust {
                wishes.trusts.insert(Arc::clone(file));
            }
        }
        wishes
    }

    fn add(&mut self, route: &Route) {
        let protection = &route.way().protection;
        let mut found = route.rule().named_hosts();
        found.retain(|host| host.parse::<IpAddr>().is_err());
        if found.is_empty() && protection.client_authority.is_some() {
            self.hostless.insert(Arc::clone(route.name()));
        }
        for host in &found {
            let wish = self.hosts.entry(Arc::clone(host)).or_default();
            wish.names.extend(protection.file.clone());
            wish.names.extend(protection.names.iter().filter_map(|name| Some(name::normal(name)?.into())));
            wish.is_secure |= route.way().door == Door::Secure;
            wish.client_authorities.extend(protection.client_authority.clone());
        }
        if !protection.from_files {
            let named = protection.names.iter().filter_map(|name| Some(name::normal(name)?.into()));
            let set: NameSet = if protection.names.is_empty() { found } else { named.collect() };
            self.sets.insert(set);
        }
    }
}

#[cfg(test)]
mod tests;
