//! The table for people: what `divisi labels` prints, and what stands in `docs/labels.md`.

use std::fmt::Write as _;

use crate::row::{Of, Row};
use crate::table::TABLE;

/// What `divisi labels` prints.
pub fn text() -> String {
    let mut text =
        "Labels of a container that say which requests lead to it, and what is wanted of its service. The flag or the \
         variable sets the same for all services. A second route to the same container has a name in its labels: \
         divisi.NAME.host.\n"
            .to_owned();
    for row in TABLE {
        // Writing to memory does not fail.
        let _ = write!(
            text,
            "\n{} {}\n    {}\n    [default: {}] [example: {}]{}\n",
            row.label(),
            row.value,
            row.help,
            row.default,
            row.example,
            also(row)
        );
    }
    text
}

fn also(row: &Row) -> String {
    match row.of {
        Of::Service { flag, variable, .. } => format!(" [flag: --{flag}] [env: {variable}]"),
        Of::Container { .. } | Of::Route { .. } | Of::Port { .. } => String::new(),
    }
}

/// The same as a table in Markdown.
pub fn markdown() -> String {
    let mut text =
        "| label | default | example | what it says | flag and variable |\n|---|---|---|---|---|\n".to_owned();
    for row in TABLE {
        let also = match row.of {
            Of::Service { flag, variable, .. } => format!("`--{flag}` `{variable}`"),
            Of::Container { .. } => "none: each container has its own".to_owned(),
            Of::Route { .. } => "none: each route has its own".to_owned(),
            Of::Port { .. } => "none: each port has its own".to_owned(),
        };
        // Writing to memory does not fail.
        let _ = writeln!(text, "| `{}` | `{}` | `{}` | {} | {also} |", row.label(), row.default, row.example, row.help);
    }
    text
}
