//! What `divisi ps`, `divisi explain`, `divisi health` and `divisi ca` can be told: they ask the console of a divisi that runs.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::row::{Row, Setting};
use super::values::{self, HostPort, put};

/// Whom to ask.
#[derive(Debug, Default)]
pub(crate) struct Ask {
    /// Where the console listens.
    pub(crate) console: HostPort,
}

/// What `divisi ps` is to show.
#[derive(Debug)]
pub(crate) struct Ps {
    /// Whom to ask.
    pub(crate) ask: Ask,
    /// The answer as it comes.
    pub(crate) json: bool,
    /// Again and again.
    pub(crate) watch: bool,
}

/// What `divisi explain` is to explain.
#[derive(Debug)]
pub(crate) struct Explain {
    /// Whom to ask.
    pub(crate) ask: Ask,
    /// The answer as it comes.
    pub(crate) json: bool,
    /// What is asked.
    pub(crate) about: About,
}

/// What an explanation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// A request, or a connection, of which there is no more to say than its URL and who asks.
    Request {
        /// Where it goes.
        url: String,
        /// Its method.
        method: Option<String>,
        /// `Name: value`.
        headers: Vec<String>,
        /// Who asks.
        client: Option<String>,
    },
    /// A container.
    Container(String),
}

/// Every setting that all of them have.
pub(super) const TABLE: &[Setting<Ask>] = &[Setting {
    row: Row {
        default: Some("127.0.0.1:9180"),
        help: "Where the console of divisi listens",
        example: "127.0.0.1:9181",
        ..Row::new("console", &["DIVISI_CONSOLE"], "ADDR")
    },
    set: |ask, given| put(&mut ask.console, values::console_to_ask(given.text)),
}];

/// What else `divisi ps` takes.
pub(super) fn with_ps(command: Command) -> Command {
    command.arg(json()).arg(
        Arg::new("watch")
            .long("watch")
            .short('w')
            .action(ArgAction::SetTrue)
            .help("Show it anew every second, until Ctrl-C"),
    )
}

/// What else `divisi explain` takes.
pub(super) fn with_explain(command: Command) -> Command {
    let of_request = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    command
        .arg(
            Arg::new("what")
                .value_name("URL|CONTAINER")
                .required(true)
                .help(
                    "A URL (it has a / in it; tcp://NAME:PORT for a connection of TCP), or a container: its name, the beginning of \
                     its id, or its service",
                ),
        )
        .arg(of_request("method", "METHOD", "The method of the request [default: GET]").short('X'))
        .arg(
            of_request("header", "'NAME: VALUE'", "A header of the request; may be repeated")
                .short('H')
                .action(ArgAction::Append),
        )
        .arg(of_request("client", "IP", "Who asks [default: 127.0.0.1]"))
        .arg(json())
}

fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print the console's answer as it is, for programs")
}

impl Ps {
    pub(super) fn new(ask: Ask, matches: &ArgMatches) -> Self {
        Self { ask, json: matches.get_flag("json"), watch: matches.get_flag("watch") }
    }
}

impl Explain {
    /// Something with a slash in it is a URL: no container has one in its name.
    pub(super) fn new(ask: Ask, matches: &ArgMatches) -> Self {
        let one = |name: &str| matches.get_one::<String>(name).cloned();
        let what = one("what").unwrap_or_default();
        let about = if what.trim_start_matches('/').contains('/') || what.contains("://") {
            let headers = matches.get_many("header").into_iter().flatten().cloned().collect();
            About::Request { url: what, method: one("method"), headers, client: one("client") }
        } else {
            About::Container(what)
        };
        Self { ask, json: matches.get_flag("json"), about }
    }
}
