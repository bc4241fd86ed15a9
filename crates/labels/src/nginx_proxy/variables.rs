//! Every variable and label of nginx-proxy, one row each.

use std::sync::Arc;

use divisi_model::spec::{Affinity, HashKey};
use divisi_model::{Policy, Spec};

use super::checks::{self, Check};
use super::tls::{self, Tls};
use super::{Place, Proto, multiports};
use crate::dialect::Dialect;
use crate::native::port_number;
use crate::nearest::nearest;
use crate::verdict::{Outcome, Verdict};

/// What is read so far.
#[derive(Debug)]
pub(super) struct Draft {
    hosts: Vec<String>,
    path: String,
    dest: String,
    port: Option<u16>,
    proto: Proto,
    pub(super) multiports: Option<Vec<Place>>,
    pub(super) tls: Tls,
    pub(super) spec: Arc<Spec>,
    /// Why its routes are closed.
    pub(super) broken: Option<String>,
    pub(super) verdicts: Vec<Verdict>,
}

/// Where a variable belongs.
#[derive(Clone, Copy)]
enum What {
    Put(fn(&mut Draft, &str) -> Outcome),
    /// It does nothing here; why. Who misspells its value is told so all the same.
    Nowhere(Check, &'static str),
}

/// What the labels of nginx-proxy begin with.
pub(super) const PREFIX: &str = "com.github.nginx-proxy.nginx-proxy.";
const FASTCGI: &str = "it is for fastcgi, which is not built yet";
const ACME: &str = "certificates come by ACME as the flags of divisi say (--acme-email)";
const POLICY: &str = "all connections have TLS 1.2 or 1.3 and the same ciphers";
const CHALLENGE: &str = "divisi answers the challenges of ACME itself";
const OUT_OF_TLS: &str = "nobody is sent out of TLS";
const MISSING: &str = "who comes without TLS is served where HTTPS_METHOD says so, whatever certificate there is";
const HTTP2: &str = "all clients that speak HTTP/2 may";
const HTTP3: &str = "HTTP/3 is not built yet";
const NGINX: &str = "it is about nginx itself";
const EMPTY: &str = "it is empty: is the variable behind it set?";
const KEPT: &str = "connections to replicas are kept as they are used";

/// Every one; a label is written without its prefix.
const VARIABLES: &[(&str, What)] = &[
    ("VIRTUAL_HOST", What::Put(host)),
    ("VIRTUAL_PORT", What::Put(port)),
    ("VIRTUAL_PATH", What::Put(path)),
    ("VIRTUAL_DEST", What::Put(dest)),
    ("VIRTUAL_PROTO", What::Put(proto)),
    (multiports::NAME, What::Put(multi)),
    ("VIRTUAL_ROOT", What::Nowhere(checks::path, FASTCGI)),
    ("NETWORK_ACCESS", What::Put(access)),
    ("ACME_HOST", What::Put(tls::names)),
    ("LETSENCRYPT_HOST", What::Put(tls::names)),
    ("ACME_EMAIL", What::Nowhere(checks::mail, ACME)),
    ("LETSENCRYPT_EMAIL", What::Nowhere(checks::mail, ACME)),
    ("LETSENCRYPT_TEST", What::Nowhere(checks::yes, ACME)),
    ("CERT_NAME", What::Put(tls::file)),
    ("HTTPS_METHOD", What::Put(tls::method)),
    ("HSTS", What::Put(tls::hsts)),
    ("SSL_POLICY", What::Nowhere(checks::policy, POLICY)),
    ("ENABLE_HTTP_ON_MISSING_CERT", What::Nowhere(checks::yes, MISSING)),
    ("ACME_HTTP_CHALLENGE_LOCATION", What::Nowhere(checks::challenge, CHALLENGE)),
    ("EXTERNAL_HTTP_PORT", What::Nowhere(checks::port, OUT_OF_TLS)),
    ("EXTERNAL_HTTPS_PORT", What::Put(tls::external_port)),
    ("SERVER_TOKENS", What::Nowhere(checks::tokens, NGINX)),
];

/// The same for labels.
const LABELS: &[(&str, What)] = &[
    ("loadbalance", What::Put(balance)),
    ("ssl_verify_client", What::Put(tls::verify)),
    ("keepalive", What::Nowhere(checks::keepalive, KEPT)),
    ("http2.enable", What::Nowhere(checks::yes, HTTP2)),
    ("http3.enable", What::Nowhere(checks::yes, HTTP3)),
    ("non-get-redirect", What::Put(tls::other_status)),
    ("trust-default-cert", What::Put(tls::trust_default)),
    ("debug-endpoint", What::Nowhere(checks::yes, NGINX)),
];

/// Whether a variable is one of these, or was meant to be.
pub(super) fn is_known(name: &str) -> bool {
    name.starts_with("VIRTUAL_")
        || VARIABLES.iter().any(|(known, _)| *known == name)
        || nearest(name, ["NETWORK_ACCESS"]).is_some()
}

/// Those that keep something from clients. Without them, routes would be more open than their owner wrote them.
const GUARDS: &[&str] = &["VIRTUAL_PATH", "NETWORK_ACCESS", "ssl_verify_client"];

/// All of them, as they are written.
#[cfg(test)]
pub(crate) fn rows() -> Vec<String> {
    let labels = LABELS.iter().map(|(name, _)| format!("{PREFIX}{name}"));
    VARIABLES.iter().map(|(name, _)| (*name).to_owned()).chain(labels).collect()
}

/// What becomes of a label that would be a variable.
pub(super) fn misplaced(label: &str) -> Option<Outcome> {
    let is_variable = label.starts_with("VIRTUAL_") && VARIABLES.iter().any(|(name, _)| *name == label);
    let why = "nginx-proxy reads it from the environment only; write it under environment:";
    is_variable.then(|| Outcome::Ignored(why.to_owned()))
}

impl Draft {
    pub(super) fn new(base: &Arc<Spec>) -> Self {
        Self {
            hosts: Vec::new(),
            path: "/".to_owned(),
            dest: String::new(),
            port: None,
            proto: Proto::Http,
            multiports: None,
            tls: Tls::default(),
            spec: Arc::clone(base),
            broken: None,
            verdicts: Vec::new(),
        }
    }

    /// What becomes of a variable or a label; None for one that is not nginx-proxy's.
    pub(super) fn put(&mut self, name: &str, value: &str) -> Option<Outcome> {
        let (rows, key) = name.strip_prefix(PREFIX).map_or((VARIABLES, name), |key| (LABELS, key));
        let Some((_, what)) = rows.iter().find(|(known, _)| *known == key) else {
            let is_ours =
                name.starts_with(PREFIX) || name.starts_with("VIRTUAL_") || nearest(name, ["NETWORK_ACCESS"]).is_some();
            return is_ours.then(|| self.unknown(name, key));
        };
        if value.is_empty() {
            return Some(self.empty(name, key));
        }
        Some(match what {
            What::Put(put) => put(self, value),
            What::Nowhere(check, why) => match check(value) {
                Ok(()) => Outcome::Ignored((*why).to_owned()),
                Err(accepted) => Outcome::wrong(accepted),
            },
        })
    }

    /// That is how Compose writes a variable that is not set.
    fn empty(&mut self, name: &str, key: &str) -> Outcome {
        if GUARDS.contains(&key) {
            self.close(&format!("{name} is empty, and would have narrowed it"));
            return Outcome::wrong(format!("{EMPTY} Until it is, its routes are closed, for they would be too open"));
        }
        if matches!(key, "VIRTUAL_HOST" | multiports::NAME) {
            return Outcome::Ignored(format!("{EMPTY} Until it is, nothing leads to the container"));
        }
        Outcome::Ignored("it is empty, which counts as not set".to_owned())
    }

    /// Notes what became of one.
    pub(super) fn judge(&mut self, name: &str, value: &str, outcome: Option<Outcome>) {
        let Some(outcome) = outcome else { return };
        let (label, value) = (name.to_owned(), value.to_owned());
        self.verdicts.push(Verdict { dialect: Dialect::NginxProxy, label, value, outcome });
    }

    fn unknown(&mut self, name: &str, key: &str) -> Outcome {
        let rows = if key == name { VARIABLES } else { LABELS };
        let prefix = if key == name { "" } else { PREFIX };
        let meant = nearest(key, rows.iter().map(|(known, _)| *known));
        let mut accepted = "nginx-proxy has no such variable or label".to_owned();
        if meant.is_some_and(|meant| GUARDS.contains(&meant)) {
            self.close(&format!("{name} is not known, and might have narrowed it"));
            accepted.push_str("; its routes are closed, for it might have narrowed them");
        }
        Outcome::Wrong { accepted, meant: meant.map(|meant| format!("{prefix}{meant}")) }
    }

    pub(super) fn close(&mut self, why: &str) {
        self.broken.get_or_insert_with(|| why.to_owned());
    }

    /// What the variables come to that are not `VIRTUAL_HOST_MULTIPORTS`.
    pub(super) fn places(&self) -> Vec<Place> {
        let place = |host: &String| Place {
            host: host.clone(),
            path: self.path.clone(),
            dest: self.dest.clone(),
            port: self.port,
            proto: self.proto,
        };
        self.hosts.iter().map(place).collect()
    }

    /// nginx puts nothing in the place of an expression.
    pub(super) fn dest_is_lost(&mut self) {
        let used = |verdict: &&mut Verdict| verdict.label == "VIRTUAL_DEST" && verdict.outcome == Outcome::Used;
        for verdict in self.verdicts.iter_mut().filter(used) {
            verdict.outcome =
                Outcome::Ignored("VIRTUAL_PATH does not begin with /, so nothing is put in its place".into());
        }
    }

    /// Variables such as `HSTS` are those of others, too. Nobody hears of them where nothing else is nginx-proxy's.
    pub(super) fn forget_others(&mut self) {
        self.verdicts.retain(|verdict| verdict.label.starts_with("VIRTUAL_") || verdict.label.starts_with(PREFIX));
    }

    /// Says which parts of a variable cannot be read; the others stay.
    pub(super) fn blame(&mut self, label: &str, problems: &[String]) {
        if problems.is_empty() {
            return;
        }
        for verdict in self.verdicts.iter_mut().filter(|verdict| verdict.label == label) {
            match &mut verdict.outcome {
                Outcome::Wrong { accepted, .. } => *accepted = format!("{accepted}; {}", problems.join("; ")),
                outcome => *outcome = Outcome::wrong(problems.join("; ")),
            }
        }
    }
}

fn host(draft: &mut Draft, value: &str) -> Outcome {
    const MOST: usize = 1024;
    let hosts = value.split(',').map(str::trim).filter(|host| !host.is_empty());
    draft.hosts = hosts.map(str::to_owned).take(MOST).collect();
    draft.hosts.sort_unstable();
    draft.hosts.dedup();
    Outcome::Used
}

fn port(draft: &mut Draft, value: &str) -> Outcome {
    port_number(value).map(|port| draft.port = Some(port)).into()
}

fn path(draft: &mut Draft, value: &str) -> Outcome {
    if let Err(error) = super::address::path(value) {
        draft.close("VIRTUAL_PATH cannot be read, and would have narrowed it");
        return Outcome::wrong(format!("{error}; its routes are closed"));
    }
    value.clone_into(&mut draft.path);
    Outcome::Used
}

fn dest(draft: &mut Draft, value: &str) -> Outcome {
    if !value.starts_with('/') {
        return Outcome::wrong("not a path that begins with / (/app)");
    }
    value.clone_into(&mut draft.dest);
    Outcome::Used
}

fn proto(draft: &mut Draft, value: &str) -> Outcome {
    match Proto::read(value) {
        Ok(proto) => draft.proto = proto,
        Err(accepted) => return Outcome::wrong(accepted),
    }
    match draft.proto {
        Proto::Other(name) => Outcome::Approximated(format!("{name} is not built yet; its routes are closed")),
        _ => Outcome::Used,
    }
}

fn multi(draft: &mut Draft, value: &str) -> Outcome {
    let (places, problems) = multiports::read(value);
    draft.multiports = Some(places);
    if problems.is_empty() { Outcome::Used } else { Outcome::wrong(problems.join("; ")) }
}

/// nginx-proxy lets only clients of its own networks in.
fn access(draft: &mut Draft, value: &str) -> Outcome {
    if value == "external" {
        return Outcome::Used;
    }
    draft.close("NETWORK_ACCESS lets only some clients in, which is not built yet");
    if value == "internal" {
        return Outcome::Approximated("it guards and is not built yet; its routes are closed".to_owned());
    }
    Outcome::wrong("neither external nor internal; its routes are closed")
}

/// A line of nginx's own configuration.
fn balance(draft: &mut Draft, value: &str) -> Outcome {
    let words: Vec<_> = value.trim_end_matches(';').split_whitespace().collect();
    let approximated = |why: &str| Outcome::Approximated(why.to_owned());
    let spec = Arc::make_mut(&mut draft.spec);
    match words.as_slice() {
        ["least_conn"] => spec.policy = Policy::LeastRequests,
        ["random"] => spec.policy = Policy::Random,
        ["round_robin"] => spec.policy = Policy::RoundRobin,
        ["random", "two", ..] => spec.policy = Policy::P2c,
        ["ip_hash"] => spec.affinity = Affinity::Hash(HashKey::Client),
        ["hash", "$remote_addr" | "$binary_remote_addr", ..] => spec.affinity = Affinity::Hash(HashKey::Client),
        ["hash", "$request_uri" | "$uri", ..] => {
            spec.affinity = Affinity::Hash(HashKey::Path);
            return approximated("the path decides, without the query");
        }
        _ => {
            let known = "least_conn;, random;, random two;, ip_hash;, hash $remote_addr; and hash $request_uri;";
            return Outcome::wrong(format!("not one of the lines of nginx that are understood: {known}"));
        }
    }
    Outcome::Used
}
