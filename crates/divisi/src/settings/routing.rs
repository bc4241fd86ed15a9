//! What containers say counts how far: the settings that `serve` and whoever reads labels offline have in common.

use divisi_labels::traefik::Options;
use divisi_labels::{Dialects, Reader};

use super::row::{Row, Setting, Takes};
use super::values::{self, put, put_some};

const LABELS: &str = "Labels";

/// How what containers say is understood.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routing {
    /// In which languages, and how those are read.
    pub(crate) reader: Reader,
    /// Middlewares that are left out even where they guard a route.
    pub(crate) passed_over: Vec<String>,
    /// Whether services can be reached by their name.
    pub(crate) local_hosts: bool,
}

/// Something that holds these settings.
pub(super) trait Routed {
    /// These settings.
    fn routing(&mut self) -> &mut Routing;
}

/// The rows of these settings.
pub(super) fn rows<T: Routed>() -> Vec<Setting<T>> {
    let mut rows = Vec::from(ours());
    rows.extend(of_traefik());
    rows.push(pass_over());
    rows
}

fn ours<T: Routed>() -> [Setting<T>; 2] {
    [
        Setting {
            row: Row {
                default: Some("native,traefik,nginx-proxy"),
                help: "Whose labels are read: native (divisi.*), traefik, and the variables of nginx-proxy",
                example: "native,traefik",
                ..row("dialects", &["DIVISI_DIALECTS"], "LIST")
            },
            set: |holder, given| put(&mut holder.routing().reader.dialects, Dialects::parse(given.text)),
        },
        Setting {
            row: Row {
                default: Some("true"),
                takes: Takes::Switch,
                help: "Reach each service of the project at <service>.localhost and <service>.<project>.localhost",
                example: "false",
                ..row("local-hosts", &["DIVISI_LOCAL_HOSTS"], "BOOL")
            },
            set: |holder, given| put(&mut holder.routing().local_hosts, values::yes_or_no(given.text)),
        },
    ]
}

fn of_traefik<T: Routed>() -> [Setting<T>; 4] {
    [
        Setting {
            row: Row {
                default: Some("web,http,websecure,https"),
                help: "Entry points of Traefik that count as this one, where a router at none of them serves nobody; with a port, \
                       where those of TCP come in",
                example: "web,websecure,postgres=5432",
                ..row("entrypoints", &["DIVISI_ENTRYPOINTS"], "LIST")
            },
            set: |holder, given| {
                let (names, ports) = entrypoints(given.text)?;
                let traefik = &mut holder.routing().reader.traefik;
                traefik.ports = ports;
                // Where only those of TCP are said, the others are what they were.
                if !names.is_empty() {
                    traefik.entrypoints = names;
                }
                Ok(())
            },
        },
        Setting {
            row: Row {
                default: Some("false"),
                takes: Takes::Switch,
                help: "Read labels of Traefik as strictly as Traefik: one that cannot be read costs the whole container, and \
                       names of services are the same in all projects",
                example: "true",
                ..row("strict-traefik", &["DIVISI_STRICT_TRAEFIK"], "BOOL")
            },
            set: |holder, given| put(&mut holder.routing().reader.traefik.strict, values::yes_or_no(given.text)),
        },
        Setting {
            row: Row {
                default: Some("false"),
                takes: Takes::Switch,
                help: "Expose containers without traefik.enable, too, as Traefik does unless told otherwise",
                example: "true",
                ..row("exposed-by-default", &["DIVISI_EXPOSED_BY_DEFAULT"], "BOOL")
            },
            set: |holder, given| {
                put(&mut holder.routing().reader.traefik.exposed_by_default, values::yes_or_no(given.text))
            },
        },
        Setting {
            row: Row {
                default: Some("Host(`{{ normalize .Name }}`)"),
                help: "The rule of a router of Traefik that has none",
                example: "Host(`{{.Name}}.example.com`)",
                ..row("default-rule", &["DIVISI_DEFAULT_RULE"], "RULE")
            },
            set: |holder, given| {
                Options::check_default_rule(given.text)?;
                put(&mut holder.routing().reader.traefik.default_rule, values::text(given.text))
            },
        },
    ]
}

/// Ports by the names of their entry points.
type Ports = Vec<(String, u16)>;

/// The names of entry points, and of those with a port the ports, which are for TCP.
fn entrypoints(text: &str) -> Result<(Vec<String>, Ports), String> {
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for word in text.split(',').map(str::trim) {
        match word.split_once('=') {
            None => names.push(values::name(word)?),
            Some((name, port)) => {
                let fault = |_| "not a port behind the =; write a number from 1 to 65535 (postgres=5432)".to_owned();
                let port = divisi_labels::values::number(port.trim(), &(1..=u16::MAX)).map_err(fault)?;
                ports.push((values::name(name.trim())?, port));
            }
        }
    }
    Ok((names, ports))
}

fn pass_over<T: Routed>() -> Setting<T> {
    Setting {
        row: Row {
            takes: Takes::List,
            help: "A middleware of Traefik to leave out although it may guard its routes, which are closed otherwise",
            example: "authelia@file,crowdsec",
            ..row("pass-over", &["DIVISI_PASS_OVER"], "NAME")
        },
        set: |holder, given| {
            let mut name = None;
            put_some(&mut name, values::name(given.text))?;
            holder.routing().passed_over.extend(name);
            Ok(())
        },
    }
}

fn row(flag: &'static str, variables: &'static [&'static str], value: &'static str) -> Row {
    Row { group: LABELS, ..Row::new(flag, variables, value) }
}
