//! What `divisi check` can be told.

use std::path::PathBuf;

use clap::ArgMatches;
use divisi_labels::{Dialects, Reader};

use super::Environment;
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
    /// How labels are read.
    pub(crate) reader: Reader,
    /// Middlewares that are left out whatever they are.
    pub(crate) pass_over: Vec<String>,
    /// What was on the command line.
    pub(super) given: ArgMatches,
}

impl Check {
    /// The same command line with another environment.
    pub(crate) fn again(&self, environment: Environment<'_>) -> (Self, Vec<Problem>) {
        row::read(TABLE, &self.given, environment)
    }

    /// The flag that says the same as a variable, of those about how labels are read.
    pub(crate) fn flag(variable: &str) -> Option<&'static str> {
        let mut rows = TABLE.iter().map(|setting| setting.row).filter(|row| row.group == LABELS);
        rows.find(|row| row.variables.contains(&variable)).map(|row| row.flag)
    }
}

const FILES: &str = "Compose files";
const LABELS: &str = "How labels are read";

const fn row(flag: &'static str, variables: &'static [&'static str], value: &'static str, help: &'static str) -> Row {
    Row { help, ..Row::new(flag, variables, value) }
}

const fn switch(flag: &'static str, variables: &'static [&'static str], help: &'static str) -> Row {
    Row { takes: Takes::Switch, example: "true", ..row(flag, variables, "BOOL", help) }
}

/// Every setting of `divisi check`.
pub(super) const TABLE: &[Setting<Check>] = &[
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
    Setting {
        row: Row {
            group: LABELS,
            default: Some("native,traefik,nginx-proxy"),
            ..row("dialects", &["DIVISI_DIALECTS"], "LIST", "Whose labels and variables are read")
        },
        set: |check, given| put(&mut check.reader.dialects, Dialects::parse(given.text)),
    },
    Setting {
        row: Row {
            group: LABELS,
            ..switch(
                "strict-traefik",
                &["DIVISI_STRICT_TRAEFIK"],
                "One label of Traefik that cannot be read costs the whole container, as in Traefik",
            )
        },
        set: |check, given| put(&mut check.reader.traefik.strict, yes_or_no(given.text)),
    },
    Setting {
        row: Row {
            group: LABELS,
            ..switch(
                "exposed-by-default",
                &["DIVISI_EXPOSED_BY_DEFAULT"],
                "Containers without a label are exposed, too, as in Traefik",
            )
        },
        set: |check, given| put(&mut check.reader.traefik.exposed_by_default, yes_or_no(given.text)),
    },
    Setting {
        row: Row {
            group: LABELS,
            example: "Host(`{{.Name}}.local`)",
            ..row("default-rule", &["DIVISI_DEFAULT_RULE"], "RULE", "The rule of a router of Traefik without one")
        },
        set: |check, given| put(&mut check.reader.traefik.default_rule, values::text(given.text)),
    },
    Setting {
        row: Row {
            takes: Takes::List,
            group: LABELS,
            example: "auth",
            ..row(
                "pass-over",
                &["DIVISI_PASS_OVER"],
                "NAME",
                "A middleware of Traefik that is left out, so that its routes are served without it",
            )
        },
        set: |check, given| values::name(given.text).map(|name| check.pass_over.push(name)),
    },
];
