//! What `divisi check` can be told.

use std::path::PathBuf;

use clap::ArgMatches;

use super::Environment;
use super::routing::{self, Routed, Routing};
use super::row::{self, Problem, Row, Setting, Takes};
use super::values::{self, put, put_some, yes_or_no};

/// Which files are checked, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Check {
    /// The Compose files; empty for those that Compose would find.
    pub(crate) files: Vec<PathBuf>,
    /// Say of every label of others what becomes of it.
    pub(crate) compat: bool,
    /// For programs.
    pub(crate) json: bool,
    /// Files of variables; empty for the `.env` beside the first file.
    pub(crate) env_files: Vec<PathBuf>,
    /// Profiles that are on.
    pub(crate) profiles: Vec<String>,
    /// What the project is called, where that is not for the files to say.
    pub(crate) project: Option<String>,
    /// How labels are understood.
    pub(crate) routing: Routing,
    /// What was on the command line.
    pub(super) given: ArgMatches,
}

impl Check {
    /// The same command line with another environment.
    pub(crate) fn again(&self, environment: Environment<'_>) -> (Self, Vec<Problem>) {
        row::read(&table(), &self.given, environment)
    }

    /// The flag that says the same as a variable, of those that say what labels come to.
    pub(crate) fn flag(variable: &str) -> Option<&'static str> {
        let mut rows = routing::rows::<Self>().into_iter().chain([LISTEN_TLS]).map(|setting| setting.row);
        rows.find(|row| row.variables.contains(&variable)).map(|row| row.flag)
    }
}

impl Routed for Check {
    fn routing(&mut self) -> &mut Routing {
        &mut self.routing
    }
}

const FILES: &str = "Compose files";

const fn row(flag: &'static str, variables: &'static [&'static str], value: &'static str, help: &'static str) -> Row {
    Row { help, ..Row::new(flag, variables, value) }
}

const fn switch(flag: &'static str, variables: &'static [&'static str], help: &'static str) -> Row {
    Row { takes: Takes::Switch, example: "true", ..row(flag, variables, "BOOL", help) }
}

/// Every setting of `divisi check`.
pub(super) fn table() -> Vec<Setting<Check>> {
    let mut table = Vec::from(OURS);
    table.extend(routing::rows());
    table.push(LISTEN_TLS);
    table
}

/// As of `divisi serve`, though nobody listens: without TLS routes have no doors.
const LISTEN_TLS: Setting<Check> = Setting {
    row: Row {
        default: Some(":8443"),
        example: "off",
        group: "Labels",
        ..row("listen-tls", &["DIVISI_LISTEN_TLS"], "ADDR", "Where divisi is to listen for TLS; off for nowhere")
    },
    set: |check, given| {
        put(&mut check.routing.reader.has_tls, values::listen_or_off(given.text).map(|listen| listen.is_some()))
    },
};

const OURS: &[Setting<Check>] = &[
    Setting {
        row: switch(
            "compat",
            &["DIVISI_CHECK_COMPAT"],
            "Say of every label of Traefik and every variable of nginx-proxy what becomes of it, and count them",
        ),
        set: |check, given| put(&mut check.compat, yes_or_no(given.text)),
    },
    Setting {
        row: switch("json", &["DIVISI_CHECK_JSON"], "Write one JSON object, for programs"),
        set: |check, given| put(&mut check.json, yes_or_no(given.text)),
    },
    Setting {
        row: Row {
            takes: Takes::List,
            group: FILES,
            example: "prod.env",
            ..row(
                "env-file",
                &["COMPOSE_ENV_FILES"],
                "PATH",
                "A file of variables, instead of the .env beside the first file",
            )
        },
        set: |check, given| values::text(given.text).map(|path| check.env_files.push(path.into())),
    },
    Setting {
        row: Row {
            takes: Takes::List,
            group: FILES,
            example: "debug",
            ..row("profile", &["COMPOSE_PROFILES"], "NAME", "A profile that is on; * for all")
        },
        set: |check, given| values::name(given.text).map(|name| check.profiles.push(name)),
    },
    Setting {
        row: Row {
            group: FILES,
            example: "shop",
            ..row(
                "project-name",
                &["COMPOSE_PROJECT_NAME"],
                "NAME",
                "What the project is called; without it, as the files or their folder say",
            )
        },
        set: |check, given| put_some(&mut check.project, values::name(given.text)),
    },
];
