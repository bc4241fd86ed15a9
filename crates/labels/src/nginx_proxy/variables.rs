//! Every variable and label of nginx-proxy, one row each.

use divisi_model::spec::{Affinity, HashKey};
use divisi_model::{Policy, Spec};

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
    /// The names in its certificate, where one is wanted.
    pub(super) tls: Option<Vec<String>>,
    pub(super) spec: Spec,
    /// Why its routes are closed.
    pub(super) broken: Option<String>,
    pub(super) verdicts: Vec<Verdict>,
}

/// Where a variable belongs.
#[derive(Clone, Copy)]
enum What {
    Put(fn(&mut Draft, &str) -> Outcome),
    Nowhere(&'static str),
}

/// What the labels of nginx-proxy begin with.
pub(super) const PREFIX: &str = "com.github.nginx-proxy.nginx-proxy.";
const TLS: What = What::Nowhere("TLS is not built yet");
const NGINX: What = What::Nowhere("it is about nginx itself");

/// Every one; a label is written without its prefix.
const VARIABLES: &[(&str, What)] = &[
    ("VIRTUAL_HOST", What::Put(host)),
    ("VIRTUAL_PORT", What::Put(port)),
    ("VIRTUAL_PATH", What::Put(path)),
    ("VIRTUAL_DEST", What::Put(dest)),
    ("VIRTUAL_PROTO", What::Put(proto)),
    (multiports::NAME, What::Put(multi)),
    ("VIRTUAL_ROOT", What::Nowhere("it is for fastcgi, which is not built")),
    ("NETWORK_ACCESS", What::Put(access)),
    ("ACME_HOST", What::Put(certificate)),
    ("LETSENCRYPT_HOST", What::Put(certificate)),
    ("ACME_EMAIL", TLS),
    ("LETSENCRYPT_EMAIL", TLS),
    ("LETSENCRYPT_TEST", TLS),
    ("CERT_NAME", TLS),
    ("HTTPS_METHOD", TLS),
    ("HSTS", TLS),
    ("SSL_POLICY", TLS),
    ("ENABLE_HTTP_ON_MISSING_CERT", TLS),
    ("ACME_HTTP_CHALLENGE_LOCATION", TLS),
    ("EXTERNAL_HTTP_PORT", What::Nowhere("it is for redirects, which are not built yet")),
    ("EXTERNAL_HTTPS_PORT", What::Nowhere("it is for redirects, which are not built yet")),
    ("SERVER_TOKENS", NGINX),
];

/// The same for labels.
const LABELS: &[(&str, What)] = &[
    ("loadbalance", What::Put(balance)),
    ("ssl_verify_client", What::Put(verify)),
    ("keepalive", What::Nowhere("connections to replicas are kept as they are used")),
    ("http2.enable", TLS),
    ("http3.enable", TLS),
    ("non-get-redirect", TLS),
    ("trust-default-cert", TLS),
    ("debug-endpoint", NGINX),
];

/// Whether a variable is one of these, or was meant to be.
pub(super) fn is_known(name: &str) -> bool {
    name.starts_with("VIRTUAL_")
        || VARIABLES.iter().any(|(known, _)| *known == name)
        || nearest(name, ["NETWORK_ACCESS"]).is_some()
}

/// What becomes of a label that would be a variable.
pub(super) fn misplaced(label: &str) -> Option<Outcome> {
    let is_variable = label.starts_with("VIRTUAL_") && VARIABLES.iter().any(|(name, _)| *name == label);
    let why = "nginx-proxy reads it from the environment only; write it under environment:";
    is_variable.then(|| Outcome::Ignored(why.to_owned()))
}

impl Draft {
    pub(super) fn new(base: &Spec) -> Self {
        Self {
            hosts: Vec::new(),
            path: "/".to_owned(),
            dest: String::new(),
            port: None,
            proto: Proto::Http,
            multiports: None,
            tls: None,
            spec: base.clone(),
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
            return Some(Outcome::Ignored("it is empty, which counts as not set".to_owned()));
        }
        Some(match what {
            What::Put(put) => put(self, value),
            What::Nowhere(why) => Outcome::Ignored((*why).to_owned()),
        })
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
        if matches!(meant, Some("VIRTUAL_PATH" | "NETWORK_ACCESS" | "ssl_verify_client")) {
            self.close(&format!("{name} is not known, and might have narrowed it"));
            accepted.push_str("; its routes are closed, for it might have narrowed them");
        }
        Outcome::Wrong { accepted, meant: meant.map(|meant| format!("{prefix}{meant}")) }
    }

    fn close(&mut self, why: &str) {
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
        Proto::Http => Outcome::Used,
        Proto::Other(name) => Outcome::Approximated(format!("{name} is not built; its routes are closed")),
        proto => Outcome::Approximated(format!("kept for when replicas can be spoken to by {}", proto.scheme().name())),
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

fn certificate(draft: &mut Draft, value: &str) -> Outcome {
    let names = value.split(',').map(str::trim).filter(|name| !name.is_empty()).take(100);
    draft.tls = Some(names.map(str::to_owned).collect());
    Outcome::Approximated("kept for when there is TLS; until then the route is served without".to_owned())
}

/// A line of nginx's own configuration.
fn balance(draft: &mut Draft, value: &str) -> Outcome {
    let words: Vec<_> = value.trim_end_matches(';').split_whitespace().collect();
    let approximated = |why: &str| Outcome::Approximated(why.to_owned());
    match words.as_slice() {
        ["least_conn"] => draft.spec.policy = Policy::LeastRequests,
        ["random"] => draft.spec.policy = Policy::Random,
        ["round_robin"] => draft.spec.policy = Policy::RoundRobin,
        ["random", "two", ..] => draft.spec.policy = Policy::P2c,
        ["ip_hash"] => draft.spec.affinity = Affinity::Hash(HashKey::Client),
        ["hash", "$remote_addr" | "$binary_remote_addr", ..] => draft.spec.affinity = Affinity::Hash(HashKey::Client),
        ["hash", "$request_uri" | "$uri", ..] => {
            draft.spec.affinity = Affinity::Hash(HashKey::Path);
            return approximated("the path decides, without the query");
        }
        _ => {
            let known = "least_conn;, random;, random two;, ip_hash;, hash $remote_addr; and hash $request_uri;";
            return Outcome::wrong(format!("not one of the lines of nginx that are understood: {known}"));
        }
    }
    Outcome::Used
}

fn verify(draft: &mut Draft, value: &str) -> Outcome {
    if value == "off" {
        return Outcome::Used;
    }
    draft.close("it asks clients for certificates (ssl_verify_client), which is not built yet");
    Outcome::Approximated("it guards and is not built yet; its routes are closed".to_owned())
}
