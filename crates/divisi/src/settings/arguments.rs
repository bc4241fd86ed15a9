//! The command line made from the rows: parser, help, completions, man page.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use clap_complete::{Generator as _, Shell};

use super::row::{Row, Setting, Takes};
use super::{ask, check, demo, echo, serve};
use crate::version;

const ABOUT: &str = "A reverse proxy and load balancer for scaled Docker Compose services";

const SERVE: &str = "Balance a Compose service, or replicas named by hand (this is what happens without a command)";

const AFTER: &str = "Without --service or --replica: if the Compose project of this container has exactly one other \
                     service with a port, that one is balanced.";

/// The whole command line.
pub(super) fn command() -> Command {
    let root =
        Command::new("divisi").about(ABOUT).after_help(AFTER).version(version::VERSION).long_version(version::long());
    with_rows(root, &serve::table())
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .subcommand(with_rows(Command::new("serve").about(SERVE).after_help(AFTER), &serve::table()))
        .subcommand(with_rows(
            Command::new("echo").about("Be the demo replica: answer with what was asked"),
            echo::TABLE,
        ))
        .subcommand(with_rows(
            Command::new("demo")
                .about("Watch it work: the proxy, replicas that come and go, and a client, without Docker"),
            demo::TABLE,
        ))
        .subcommand(check_command())
        .subcommand(ask::with_ps(with_rows(
            Command::new("ps").about("Show what there is: services, replicas, and which containers get no requests"),
            ask::TABLE,
        )))
        .subcommand(ask::with_explain(with_rows(
            Command::new("explain").about("Explain where a request would go, or what became of a container"),
            ask::TABLE,
        )))
        .subcommand(with_rows(
            Command::new("health").about("Exit with 0 if divisi is ready to serve, for a HEALTHCHECK"),
            ask::TABLE,
        ))
        .subcommand(with_rows(
            Command::new("ca").about("Print the certificate of the local authority, and how to have it trusted"),
            ask::TABLE,
        ))
        .subcommand(
            Command::new("labels").about("Print the labels with which a container says what is wanted of its service"),
        )
        .subcommand(Command::new("version").about("Print the version"))
        .subcommand(completions_command())
        .subcommand(man_command())
}

/// The 2016 program took its flags with one dash, as Go programs do.
pub(super) fn with_long_addr(arguments: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    arguments.into_iter().map(|argument| match argument.to_str() {
        Some(short) if short == "-addr" || short.starts_with("-addr=") => format!("-{short}").into(),
        _ => argument,
    })
}

fn with_rows<T>(command: Command, table: &[Setting<T>]) -> Command {
    table.iter().fold(command, |command, setting| command.arg(arg(&setting.row)))
}

fn arg(row: &Row) -> Arg {
    let arg = Arg::new(row.flag).long(row.flag).value_name(row.value).help(help(row)).help_heading(row.group);
    match row.takes {
        Takes::One => arg.action(ArgAction::Set),
        Takes::List => arg.action(ArgAction::Append),
        Takes::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
    }
}

/// What stands beside a flag: the sentence, then its variables, default and example.
pub(super) fn help(row: &Row) -> String {
    let default = row.default.map_or_else(String::new, |default| format!(" [default: {default}]"));
    let example = if row.example.is_empty() { String::new() } else { format!(" [example: {}]", row.example) };
    format!("{} [env: {}]{default}{example}", row.help, row.variables.join(", "))
}

fn check_command() -> Command {
    let file = |name| Arg::new(name).value_name("FILE").value_parser(value_parser!(PathBuf));
    let files = "Compose files, the last of which wins; - reads standard input; without any, those that Compose finds";
    with_rows(Command::new("check"), &check::table())
        .about("Check Compose files before anything runs: what their labels come to, and what is wrong with them")
        .after_help("The code is 0 when there is no error, 1 when there is one, 2 when nothing could be checked.")
        .arg(file("files").num_args(0..).help(files))
        .arg(file("file").short('f').long("file").action(ArgAction::Append).help("The same, as Compose has it"))
}

fn completions_command() -> Command {
    let shell = Arg::new("shell").required(true).value_parser(value_parser!(Shell)).help("Which shell they are for");
    Command::new("completions").about("Print completions for a shell").arg(shell)
}

/// The completions that were asked for.
pub(super) fn completions(matches: &ArgMatches) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(shell) = matches.get_one::<Shell>("shell") {
        let mut command = command();
        command.set_bin_name("divisi");
        command.build();
        shell.generate(&command, &mut text);
    }
    text
}

fn man_command() -> Command {
    let which = Arg::new("command")
        .value_parser(PossibleValuesParser::new(["serve", "echo", "demo", "check", "ps", "explain", "health", "ca"]));
    Command::new("man")
        .about("Print the manual page, in the format of man(7)")
        .arg(which.help("Which command it is about; without one, the program"))
}

/// The manual page that was asked for.
pub(super) fn man(matches: &ArgMatches) -> Vec<u8> {
    let root = command();
    let asked = matches.get_one::<String>("command").map(String::as_str);
    let sub = asked.and_then(|name| Some((name, root.find_subcommand(name)?.clone())));
    let page = match sub {
        Some((name, sub)) => clap_mangen::Man::new(sub).title(format!("divisi-{name}")),
        None => clap_mangen::Man::new(root),
    };
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = page.render(&mut text);
    text
}
