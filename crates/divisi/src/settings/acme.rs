//! What the program is told of ACME.

use std::path::{Path, PathBuf};

use divisi_acme::{Dns, ExternalAccount, Kind, Pace, Roots, RootsError, Secret, Tsig};

use super::row::{Problem, Row, Setting};
use super::secure::Secured;
use super::values::{self, HostPort, put_some};

const ACME: &str = "ACME";

/// Let's Encrypt's.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// From whom certificates are ordered, and how names are verified.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acme {
    email: Option<String>,
    directory: Option<String>,
    roots: Option<PathBuf>,
    eab_kid: Option<String>,
    eab_hmac: Option<Secret>,
    profile: Option<String>,
    challenge: Option<Kind>,
    dns_hook: Option<PathBuf>,
    dns_server: Option<HostPort>,
    dns_key: Option<Tsig>,
    ask: Option<String>,
}

impl Acme {
    /// Whether certificates are ordered.
    pub(crate) fn is_wanted(&self) -> bool {
        self.email.is_some()
    }

    /// The file with the roots of a private authority.
    pub(crate) fn roots(&self) -> Option<&Path> {
        self.roots.as_deref()
    }

    /// What the room of ACME is told, which keeps everything in `data`. None where nothing is ordered.
    ///
    /// # Errors
    /// The file with the roots is none.
    pub(crate) fn settings(&self, data: &Path) -> Result<Option<divisi_acme::Settings>, RootsError> {
        let Some(email) = self.email.clone() else { return Ok(None) };
        let external = self.eab_kid.clone().zip(self.eab_hmac.clone()).map(|(kid, hmac)| ExternalAccount { kid, hmac });
        let hook = self.dns_hook.clone().map(Dns::Hook);
        let update = self
            .dns_server
            .as_ref()
            .map(|server| Dns::Update { server: server.to_string(), key: self.dns_key.clone() });
        Ok(Some(divisi_acme::Settings {
            email,
            directory: self.directory.clone().unwrap_or_else(|| DIRECTORY.to_owned()),
            roots: Roots::with(self.roots())?,
            external,
            profile: self.profile.clone(),
            challenge: self.challenge,
            dns: hook.or(update),
            folder: data.to_owned(),
            ask: self.ask.clone(),
            pace: Pace::default(),
        }))
    }

    /// What does not go together.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut say = |is_so: bool, flag, reason: &str| {
            if is_so {
                problems.push(Problem::Together { flag, reason: reason.to_owned() });
            }
        };
        say(
            !self.is_wanted() && self.is_anything_else(),
            "acme-email",
            "without it nothing is ordered, and the other settings of ACME have no use; name an address that the authority may \
             write to",
        );
        say(
            self.eab_kid.is_some() != self.eab_hmac.is_some(),
            "acme-eab-kid",
            "an external account has a name and a key: write --acme-eab-hmac, too, or neither",
        );
        say(
            self.dns_hook.is_some() && self.dns_server.is_some(),
            "acme-dns-hook",
            "records are changed by a program or by --acme-dns-server, not by both",
        );
        say(
            self.dns_key.is_some() && self.dns_server.is_none(),
            "acme-dns-key",
            "there is no server to use it at; name --acme-dns-server",
        );
        say(
            self.challenge == Some(Kind::Dns01) && self.dns_hook.is_none() && self.dns_server.is_none(),
            "acme-challenge",
            "dns-01 needs somebody who changes records: --acme-dns-hook or --acme-dns-server",
        );
        problems
    }

    fn is_anything_else(&self) -> bool {
        self.directory.is_some()
            || self.roots.is_some()
            || self.eab_kid.is_some()
            || self.eab_hmac.is_some()
            || self.profile.is_some()
            || self.challenge.is_some()
            || self.dns_hook.is_some()
            || self.dns_server.is_some()
            || self.dns_key.is_some()
            || self.ask.is_some()
    }
}

/// The rows of these settings.
pub(super) fn rows<T: Secured + 'static>() -> impl Iterator<Item = Setting<T>> {
    authority().into_iter().chain(verification())
}

fn authority<T: Secured + 'static>() -> [Setting<T>; 6] {
    [
        Setting {
            row: Row {
                help: "Order certificates by ACME for the hosts of routes, and agree to the authority's terms; it may write to \
                       this address",
                example: "you@example.org",
                ..row("acme-email", &["DIVISI_ACME_EMAIL"], "ADDR")
            },
            set: |holder, given| put_some(&mut holder.acme().email, email(given.text)),
        },
        Setting {
            row: Row {
                help: "The authority, by its directory; without it, Let's Encrypt",
                example: "https://acme-staging-v02.api.letsencrypt.org/directory",
                ..row("acme-directory", &["DIVISI_ACME_DIRECTORY"], "URL")
            },
            set: |holder, given| put_some(&mut holder.acme().directory, url(given.text, &["https://"])),
        },
        Setting {
            row: Row {
                help: "A file of certificates by which the authority itself is verified, beside the public ones",
                example: "/etc/divisi/pebble.pem",
                ..row("acme-roots", &["DIVISI_ACME_ROOTS"], "FILE")
            },
            set: |holder, given| put_some(&mut holder.acme().roots, path(given.text)),
        },
        Setting {
            row: Row {
                help: "The name of the account elsewhere that the account is bound to, where the authority wants one",
                example: "kid-1",
                ..row("acme-eab-kid", &["DIVISI_ACME_EAB_KID"], "NAME")
            },
            set: |holder, given| put_some(&mut holder.acme().eab_kid, values::name(given.text)),
        },
        Setting {
            row: Row {
                secret: true,
                help: "The key of that account, in base64",
                example: "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W",
                ..row("acme-eab-hmac", &["DIVISI_ACME_EAB_HMAC"], "KEY")
            },
            set: |holder, given| put_some(&mut holder.acme().eab_hmac, hmac(given.text)),
        },
        Setting {
            row: Row {
                help: "The kind of certificate that is wanted, where the authority has several",
                example: "shortlived",
                ..row("acme-profile", &["DIVISI_ACME_PROFILE"], "NAME")
            },
            set: |holder, given| put_some(&mut holder.acme().profile, values::name(given.text)),
        },
    ]
}

fn verification<T: Secured + 'static>() -> [Setting<T>; 5] {
    [
        Setting {
            row: Row {
                help: "How the authority verifies names: http-01, tls-alpn-01, dns-01; without it, the first of these, and the \
                       second where that fails. Wildcards are verified by dns-01 in any case",
                example: "tls-alpn-01",
                ..row("acme-challenge", &["DIVISI_ACME_CHALLENGE"], "KIND")
            },
            set: |holder, given| put_some(&mut holder.acme().challenge, challenge(given.text)),
        },
        Setting {
            row: Row {
                help: "A program that changes records for dns-01: it is called with present NAME VALUE, and with cleanup NAME \
                       VALUE",
                example: "/usr/local/bin/dns-hook",
                ..row("acme-dns-hook", &["DIVISI_ACME_DNS_HOOK"], "FILE")
            },
            set: |holder, given| put_some(&mut holder.acme().dns_hook, path(given.text)),
        },
        Setting {
            row: Row {
                help: "The DNS server that takes updates of records for dns-01 (RFC 2136)",
                example: "10.0.0.53:53",
                ..row("acme-dns-server", &["DIVISI_ACME_DNS_SERVER"], "ADDR")
            },
            set: |holder, given| put_some(&mut holder.acme().dns_server, values::dns_server(given.text)),
        },
        Setting {
            row: Row {
                secret: true,
                help: "The key that signs updates (TSIG), with hmac-sha256 or hmac-sha512 and the secret in base64",
                example: "divisi:hmac-sha256:c2VjcmV0IHNlY3JldCBzZWNyZXQ=",
                ..row("acme-dns-key", &["DIVISI_ACME_DNS_KEY"], "NAME:ALGORITHM:SECRET")
            },
            set: |holder, given| {
                put_some(
                    &mut holder.acme().dns_key,
                    given.text.parse().map_err(|wrong: divisi_acme::TsigError| wrong.to_string()),
                )
            },
        },
        Setting {
            row: Row {
                help: "Whom to ask whether a name that no route has gets a certificate, by GET with ?domain=NAME; 2xx is a yes. \
                       Without it, no such name does",
                example: "http://app:8000/may-have-certificate",
                ..row("acme-ask", &["DIVISI_ACME_ASK"], "URL")
            },
            set: |holder, given| put_some(&mut holder.acme().ask, url(given.text, &["http://", "https://"])),
        },
    ]
}

fn row(flag: &'static str, variables: &'static [&'static str], value: &'static str) -> Row {
    Row { group: ACME, ..Row::new(flag, variables, value) }
}

fn email(text: &str) -> Result<String, String> {
    let is_clean = text.bytes().all(|byte| byte.is_ascii_graphic() && !b",?&<>\"".contains(&byte));
    let parts =
        text.split_once('@').filter(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'));
    match parts {
        Some(_) if is_clean => Ok(text.to_owned()),
        _ => Err("not an address of mail; write one like you@example.org".to_owned()),
    }
}

fn url(text: &str, schemes: &[&str]) -> Result<String, String> {
    let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    let is_clean = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    match rest {
        Some(rest) if is_clean && !rest.is_empty() && !rest.starts_with('/') => Ok(text.to_owned()),
        _ => Err(format!("not a URL that can be asked; write one that begins with {}", schemes.join(" or "))),
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    values::text(text).map(PathBuf::from)
}

fn hmac(text: &str) -> Result<Secret, String> {
    Secret::from_base64(text).ok_or_else(|| "not a key in base64; write what the authority gave you".to_owned())
}

fn challenge(text: &str) -> Result<Kind, String> {
    let all = [Kind::Http01, Kind::TlsAlpn01, Kind::Dns01];
    all.into_iter()
        .find(|kind| kind.name() == text)
        .ok_or_else(|| "not a challenge; one of http-01, tls-alpn-01, dns-01".to_owned())
}
