//! Who gets which certificate. Pure: what is there comes as arguments.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use divisi_model::sorting;
use divisi_tls::{Certificate, Demand, Keyring, name};

use crate::folder::{DEFAULT, Folder, name_of};
use crate::orders::{Brought, NameSet};
use crate::private::{DOMAINS, is_private};
use crate::wishes::{Wish, Wishes};

/// Puts the certificates from files onto the ring that are not over: under the names that stand in them, under what their
/// files are called, and under the hosts for which users named them.
pub(crate) fn lay_files(ring: &mut Keyring, folder: &Folder, wishes: &Wishes, now: SystemTime) {
    let mut best: HashMap<Arc<str>, (Rank, &Arc<Certificate>)> = HashMap::new();
    for (stem, pair) in folder.pairs() {
        let Some(certificate) = pair.certificate.as_ref().filter(|certificate| !certificate.is_expired(now)) else {
            continue;
        };
        for (name, is_called_so) in names(stem, certificate) {
            let rank = (is_called_so, certificate.not_after());
            let known = best.entry(name).or_insert((rank, certificate));
            if known.0 < rank {
                *known = (rank, certificate);
            }
        }
    }
    ring.certificates.extend(best.into_iter().map(|(name, (_, certificate))| (name, Arc::clone(certificate))));
    for (host, wish) in &wishes.hosts {
        if let Some(certificate) = named(folder, wish).filter(|certificate| !certificate.is_expired(now)) {
            ring.certificates.insert(single(host), Arc::clone(certificate));
        }
    }
    ring.default = folder.pairs().get(DEFAULT).and_then(|pair| pair.certificate.clone());
}

/// Of several certificates for a name: the one whose file is called so, then the one that lasts longest.
type Rank = (bool, SystemTime);

fn names<'a>(stem: &str, certificate: &'a Certificate) -> impl Iterator<Item = (Arc<str>, bool)> + 'a {
    let called = name_of(stem);
    let inside = certificate.names().iter().filter(|name| Some(*name) != called.as_ref()).cloned().collect::<Vec<_>>();
    called.into_iter().map(|name| (name, true)).chain(inside.into_iter().map(|name| (name, false)))
}

/// The certificate that the user of a host named by what its files are called.
fn named<'a>(folder: &'a Folder, wish: &Wish) -> Option<&'a Arc<Certificate>> {
    wish.names.iter().find_map(|name| folder.pairs().get(name)?.certificate.as_ref())
}

/// Puts onto the ring what ACME has brought, for names that have nothing yet; and says which are on their way.
pub(crate) fn lay_brought(ring: &mut Keyring, brought: &Brought, wanted: &BTreeSet<NameSet>, now: SystemTime) {
    for certificate in brought.certificates.values().filter(|certificate| !certificate.is_expired(now)) {
        for name in certificate.names() {
            if ring.own(name).is_none() {
                ring.certificates.insert(Arc::clone(name), Arc::clone(certificate));
            }
        }
    }
    for name in wanted.iter().filter(|names| brought.is_coming(names)).chain(&brought.demanded).flatten() {
        if ring.own(name).is_none() {
            ring.coming.insert(Arc::clone(name));
        }
    }
    for (names, problem) in &brought.problems {
        ring.problems.extend(names.iter().map(|name| (Arc::clone(name), Arc::clone(problem))));
    }
}

/// The private hosts that have nothing yet, and those for which somebody has asked.
pub(crate) fn for_local<'a>(
    ring: &Keyring,
    wishes: &Wishes,
    asked: impl Iterator<Item = &'a Arc<str>>,
) -> BTreeSet<Arc<str>> {
    let hosts = wishes.hosts.keys().map(single).filter(|host| is_private(host) && !is_of_a_domain(host));
    let asked = asked.filter(|name| ring.is_on_demand(name)).cloned();
    hosts.chain(asked).filter(|host| ring.own(host).is_none()).collect()
}

/// Says for which private names the local authority signs when somebody asks: for those that no list can have, and that clients
/// believe by no wildcard. Whoever has a certificate for all others means it for them.
pub(crate) fn lay_on_demand(ring: &mut Keyring, wishes: &Wishes) {
    let patterns = wishes.hosts.keys().filter(|host| is_private(host));
    ring.on_demand = patterns.filter(|host| host.starts_with("**.") || is_of_a_domain(host)).cloned().collect();
    if wishes.takes_all && ring.default.is_none() {
        ring.on_demand.extend(DOMAINS.iter().map(|domain| format!("**.{domain}").into()));
        ring.on_demand.insert("*".into());
    }
}

/// Whether it is a wildcard for what stands right below a domain, such as `*.localhost`, which clients do not believe.
fn is_of_a_domain(host: &str) -> bool {
    host.strip_prefix("*.").is_some_and(|suffix| !suffix.contains('.'))
}

/// Puts onto the ring what is over, for names that have nothing else: who sees it learns more than who is turned away.
pub(crate) fn lay_expired(ring: &mut Keyring, folder: Option<&Folder>, brought: &Brought, wishes: &Wishes) {
    let mut lay = |name: Arc<str>, certificate: &Arc<Certificate>| {
        if ring.own(&name).is_none() && !ring.is_coming(&name) {
            ring.certificates.insert(name, Arc::clone(certificate));
        }
    };
    for (host, wish) in &wishes.hosts {
        if let Some(certificate) = folder.and_then(|folder| named(folder, wish)) {
            lay(single(host), certificate);
        }
    }
    for (stem, pair) in folder.iter().flat_map(|folder| folder.pairs()) {
        if let Some(certificate) = &pair.certificate {
            names(stem, certificate).for_each(|(name, _)| lay(name, certificate));
        }
    }
    for certificate in brought.certificates.values() {
        certificate.names().iter().for_each(|name| lay(Arc::clone(name), certificate));
    }
}

/// What clients must show, and what is wrong with files and routes.
pub(crate) fn lay_demands(ring: &mut Keyring, wishes: &Wishes, known: &HashMap<Arc<str>, Demand>) {
    for (host, wish) in &wishes.hosts {
        let mut files = wish.client_authorities.iter();
        let Some(file) = files.next() else { continue };
        let unread = || Demand::Unknown(format!("{file}: not read yet").into());
        let demand = if files.next().is_some() {
            let all = wish.client_authorities.iter().map(|file| &**file).collect::<Vec<_>>().join(" and ");
            Demand::Unknown(format!("its routes demand certificates from {all}, and a connection shows one").into())
        } else {
            known.get(file).cloned().unwrap_or_else(unread)
        };
        ring.demands.insert(Arc::clone(host), demand);
    }
}

/// What is wrong with files, by what they are called; and which hosts are only there inside TLS, and have no certificate.
pub(crate) fn lay_problems(ring: &mut Keyring, folder: Option<&Folder>, wishes: &Wishes, has_acme: bool) {
    for (stem, pair) in folder.iter().flat_map(|folder| folder.pairs()) {
        if let Some(problem) = &pair.problem {
            ring.problems.insert(Arc::clone(stem), problem.to_string().into());
        }
    }
    let is_on_demand = |host: &Arc<str>| ring.on_demand.contains(host);
    let hosts: Vec<_> = wishes.hosts.iter().filter(|(host, wish)| wish.is_secure && !is_on_demand(host)).collect();
    for (host, _) in hosts {
        let host = single(host);
        if ring.own(&host).is_none() && ring.default.is_none() && !ring.is_coming(&host) {
            let why = || why_none(&host, folder.is_some(), has_acme).into();
            ring.problems.entry(Arc::clone(&host)).or_insert_with(why);
        }
    }
}

/// Why a host that wants a certificate has none, and what to do.
fn why_none(host: &Arc<str>, has_folder: bool, has_acme: bool) -> String {
    if !has_folder {
        // Where somebody before divisi ends TLS of HTTP, TCP alone may want it of divisi.
        return "no certificate: divisi has none where it speaks no TLS (--listen-tls)".to_owned();
    }
    let advice = match (is_private(host), has_acme) {
        (true, _) => "switch the local authority on (--local-authority)",
        (false, true) => "leave its certificate to ACME (its label says that it is in files)",
        (false, false) => "have ACME asked (--acme-email)",
    };
    format!("no certificate: put {host}.crt and {host}.key into --certificates, or {advice}")
}

/// What ACME is to be asked for: names of routes that are not private, and that no file is for.
pub(crate) fn wanted(ring_of_files: &Keyring, wishes: &Wishes) -> BTreeSet<NameSet> {
    let is_public = |name: &Arc<str>| name.contains('.') && !is_private(name) && !name.starts_with("**.");
    let has_none = |name: &Arc<str>| ring_of_files.own(name).is_none();
    let mut sets: Vec<NameSet> = Vec::new();
    for set in &wishes.sets {
        let named: NameSet = set.iter().filter(|name| is_public(name)).cloned().collect();
        if named.iter().any(has_none) {
            sets.push(named);
        }
    }
    // The larger ones first: what they have needs no certificate of its own.
    sorting::sort_by(&mut sets, |a, b| b.len().cmp(&a.len()));
    let mut wanted: BTreeSet<NameSet> = BTreeSet::new();
    let mut had: BTreeSet<Arc<str>> = BTreeSet::new();
    for set in sets {
        let is_had = |name: &Arc<str>| had.iter().any(|pattern| name::covers(pattern, name));
        if !set.iter().all(is_had) {
            had.extend(set.iter().cloned());
            wanted.insert(set);
        }
    }
    wanted
}

/// Certificates know wildcards for one label only.
fn single(host: &Arc<str>) -> Arc<str> {
    host.strip_prefix("**.").map_or_else(|| Arc::clone(host), |suffix| format!("*.{suffix}").into())
}

#[cfg(test)]
mod tests;
