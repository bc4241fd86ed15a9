//! What `divisi echo` can be told.

use std::time::Duration;

use super::row::{Row, Setting};
use super::values::{self, HostPort, put, put_some};

/// How the demo replica listens and answers.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    /// Where it listens.
    pub(crate) listen: HostPort,
    /// What it calls itself, where that is not the host's name.
    pub(crate) name: Option<String>,
    /// How long it takes to start listening.
    pub(crate) startup_delay: Duration,
    /// How long it takes to answer.
    pub(crate) delay: Duration,
    /// The size of its answers, where they are not to say anything.
    pub(crate) size: Option<usize>,
    /// What it does when asked to end.
    pub(crate) on_term: OnTerm,
    /// What is wrong with it.
    pub(crate) fault: Fault,
    /// What goes to the log.
    pub(crate) log: String,
}

/// What a replica does when it is asked to end: applications do all three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnTerm {
    /// Go on for a moment, for what is on its way; then take no more connections, finish what was begun, end.
    #[default]
    Graceful,
    /// End at once.
    Exit,
    /// Go on as if nothing was said.
    Ignore,
}

impl OnTerm {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "graceful" => Ok(Self::Graceful),
            "exit" => Ok(Self::Exit),
            "ignore" => Ok(Self::Ignore),
            _ => Err("not a way to end; one of graceful, exit, ignore".to_owned()),
        }
    }
}

/// What is wrong with a replica, so that a proxy can show what it makes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Every answer is 500.
    Error,
    /// One request in two gets no answer but the end of its connection.
    Close,
    /// Connections are accepted, and no request is ever answered.
    Silent,
}

impl Fault {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "error" => Ok(Self::Error),
            "close" => Ok(Self::Close),
            "silent" => Ok(Self::Silent),
            _ => Err("not a fault; one of none, error, close, silent".to_owned()),
        }
    }
}

const fn row(flag: &'static str, variables: &'static [&'static str], value: &'static str, help: &'static str) -> Row {
    Row { help, ..Row::new(flag, variables, value) }
}

/// Every setting of `divisi echo`.
pub(super) const TABLE: &[Setting<Echo>] = &[
    Setting {
        row: Row {
            default: Some(":9090"),
            ..row("listen", &["DIVISI_ECHO_LISTEN"], "ADDR", "Where it listens; port 0 takes a free one")
        },
        set: |echo, given| put(&mut echo.listen, values::listen(given.text)),
    },
    Setting {
        row: Row {
            example: "echo-1",
            ..row("name", &["DIVISI_ECHO_NAME"], "NAME", "What it calls itself; without it, the name of the host")
        },
        set: |echo, given| put_some(&mut echo.name, values::name(given.text)),
    },
    Setting {
        row: Row {
            default: Some("0s"),
            example: "2s",
            ..row("startup-delay", &["DIVISI_ECHO_STARTUP_DELAY"], "TIME", "How long it takes to start listening")
        },
        set: |echo, given| put(&mut echo.startup_delay, values::duration(given.text)),
    },
    Setting {
        row: Row {
            default: Some("0s"),
            example: "5ms",
            ..row("delay", &["DIVISI_ECHO_DELAY"], "TIME", "How long it takes to answer a request")
        },
        set: |echo, given| put(&mut echo.delay, values::duration(given.text)),
    },
    Setting {
        row: Row {
            example: "128",
            ..row(
                "size",
                &["DIVISI_ECHO_SIZE"],
                "SIZE",
                "Answer with exactly so many bytes; without it, with name, method, path, fields and body length",
            )
        },
        set: |echo, given| put_some(&mut echo.size, values::size(given.text, &(0..=1 << 28))),
    },
    Setting {
        row: Row {
            default: Some("graceful"),
            ..row(
                "on-term",
                &["DIVISI_ECHO_ON_TERM"],
                "HOW",
                "On SIGTERM or SIGINT: graceful (after half a second finish what was begun), exit (at once) or ignore",
            )
        },
        set: |echo, given| put(&mut echo.on_term, OnTerm::read(given.text)),
    },
    Setting {
        row: Row {
            default: Some("none"),
            example: "error",
            ..row(
                "fault",
                &["DIVISI_ECHO_FAULT"],
                "FAULT",
                "What is wrong with it: none, error (500 always), close (half of the requests end in a closed \
                 connection) or silent (no request is answered)",
            )
        },
        set: |echo, given| put(&mut echo.fault, Fault::read(given.text)),
    },
    Setting { row: super::serve::LOG, set: |echo, given| put(&mut echo.log, values::log_filter(given.text)) },
];
