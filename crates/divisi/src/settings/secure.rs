//! What the program is told of TLS towards clients.

use std::path::PathBuf;

use super::acme::Acme;
use super::row::{Origin, Row, Setting, Takes};
use super::values::{self, HostPort, put};

const TLS: &str = "TLS";

/// Where clients connect by TLS, and with which certificates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secure {
    /// Where clients connect; None for nowhere.
    pub(crate) listen: Option<HostPort>,
    /// Whether the user says so: then it is an error where nobody can listen there.
    pub(crate) is_asked: bool,
    /// The port at which clients reach it, as far as they know.
    pub(crate) public_port: u16,
    /// Where certificates lie as files.
    pub(crate) certificates: Folder,
    /// Where is kept what must outlive divisi.
    pub(crate) data: Folder,
    /// Whether private names get certificates of the local authority.
    pub(crate) local_authority: bool,
    /// From whom the others get theirs.
    pub(crate) acme: Acme,
}

/// A folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folder {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Whether the user names it: then it should be there.
    pub(crate) is_asked: bool,
}

/// Something that holds these settings.
pub(super) trait Secured {
    /// These settings.
    fn secure(&mut self) -> &mut Secure;

    /// Those of ACME among them.
    fn acme(&mut self) -> &mut Acme {
        &mut self.secure().acme
    }
}

/// The rows of these settings.
pub(super) fn rows<T: Secured>() -> [Setting<T>; 5] {
    [
        Setting {
            row: Row {
                default: Some(":8443"),
                help: "Where clients connect by TLS; off for nowhere. Unless it is asked for, divisi serves without where it is \
                       taken",
                example: "127.0.0.1:8443",
                ..row("listen-tls", &["DIVISI_LISTEN_TLS"], "ADDR")
            },
            set: |holder, given| {
                let secure = holder.secure();
                secure.is_asked = given.origin != Origin::Default;
                put(&mut secure.listen, values::listen_or_off(given.text))
            },
        },
        Setting {
            row: Row {
                default: Some("443"),
                help: "The port at which clients reach --listen-tls, as published: what redirects into TLS name",
                example: "8443",
                ..row("public-tls-port", &["DIVISI_PUBLIC_TLS_PORT"], "PORT")
            },
            set: |holder, given| put(&mut holder.secure().public_port, values::number(given.text, &(1..=65535))),
        },
        Setting {
            row: Row {
                default: Some("/certs"),
                help: "The folder with certificates: name.crt and name.key for a name and those that stand in it, default.crt \
                       for all others; changes are taken up within two seconds",
                example: "/etc/nginx/certs",
                ..row("certificates", &["DIVISI_CERTIFICATES"], "DIR")
            },
            set: |holder, given| put(&mut holder.secure().certificates, folder(given.text, given.origin)),
        },
        Setting {
            row: Row {
                default: Some("/data"),
                help: "The folder for what must outlive divisi: the local authority, certificates that were ordered",
                example: "/var/lib/divisi",
                ..row("data", &["DIVISI_DATA"], "DIR")
            },
            set: |holder, given| put(&mut holder.secure().data, folder(given.text, given.origin)),
        },
        Setting {
            row: Row {
                default: Some("true"),
                takes: Takes::Switch,
                help: "Sign certificates for private names (*.localhost, *.test, *.internal, *.local, *.home.arpa, names without \
                       a dot); `divisi ca` prints what is to be trusted",
                example: "false",
                ..row("local-authority", &["DIVISI_LOCAL_AUTHORITY"], "BOOL")
            },
            set: |holder, given| put(&mut holder.secure().local_authority, values::yes_or_no(given.text)),
        },
    ]
}

fn folder(text: &str, origin: Origin) -> Result<Folder, String> {
    Ok(Folder { path: values::text(text)?.into(), is_asked: origin != Origin::Default })
}

fn row(flag: &'static str, variables: &'static [&'static str], value: &'static str) -> Row {
    Row { group: TLS, ..Row::new(flag, variables, value) }
}
