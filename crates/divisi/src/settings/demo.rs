//! What `divisi demo` can be told.

use super::row::{Row, Setting};
use super::values::{self, HostPort, put};

/// What the demo shows, and for how long.
#[derive(Debug, Default)]
pub(crate) struct Demo {
    /// Where its proxy listens.
    pub(crate) listen: HostPort,
    /// How many replicas there are at most.
    pub(crate) replicas: usize,
    /// When it ends by itself; 0 for never.
    pub(crate) seconds: u64,
    /// What goes to the log.
    pub(crate) log: String,
}

const fn row(flag: &'static str, variables: &'static [&'static str], value: &'static str, help: &'static str) -> Row {
    Row { help, ..Row::new(flag, variables, value) }
}

/// Every setting of `divisi demo`.
pub(super) const TABLE: &[Setting<Demo>] = &[
    Setting {
        row: Row {
            default: Some("127.0.0.1:0"),
            example: "127.0.0.1:8080",
            ..row("listen", &["DIVISI_DEMO_LISTEN"], "ADDR", "Where its proxy listens; port 0 takes a free one")
        },
        set: |demo, given| put(&mut demo.listen, values::listen(given.text)),
    },
    Setting {
        row: Row {
            default: Some("5"),
            ..row("replicas", &["DIVISI_DEMO_REPLICAS"], "N", "How many replicas there are at most")
        },
        set: |demo, given| put(&mut demo.replicas, values::number(given.text, &(1..=100))),
    },
    Setting {
        row: Row {
            default: Some("0"),
            example: "10",
            ..row("seconds", &["DIVISI_DEMO_SECONDS"], "N", "When it ends by itself; 0 for not before Ctrl-C")
        },
        set: |demo, given| put(&mut demo.seconds, values::number(given.text, &(0..=86_400))),
    },
    Setting {
        row: Row { default: Some("warn"), ..super::serve::LOG },
        set: |demo, given| put(&mut demo.log, values::log_filter(given.text)),
    },
];
