//! One table of settings. Parsing, `--help`, completions, the man page and the README's table all come from its rows.
//!
//! What is wanted of a service can also be said by labels. Those rows stand in the room of the labels and become flags here.
//!
//! A row says how a setting is written and how its text becomes a value. Values are read by us and not by the argument
//! parser, so that every mistake is reported at once, from flags and environment alike.
//!
//! | module | job |
//! |---|---|
//! | [`row`] | what a row is, and how a table of them is read |
//! | [`serve`], [`echo`], [`demo`], [`check`], [`ask`] | the rows of each subcommand, and what the program makes of them |
//! | [`secure`], [`acme`] | the rows about TLS |
//! | [`routing`] | the rows about labels, which several subcommands have |
//! | [`values`] | addresses, sizes, durations: text to value, with what is accepted |
//! | [`arguments`] | the command line made from the rows |
//! | [`mod@strangers`] | variables that begin as ours do and are none |

mod acme;
mod arguments;
mod ask;
mod check;
mod demo;
mod echo;
mod routing;
mod row;
mod secure;
mod serve;
mod strangers;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::OsString;

use clap::ArgMatches;

pub(crate) use ask::{About, Ask, Explain, Ps};
pub(crate) use check::Check;
pub(crate) use demo::Demo;
pub(crate) use echo::{Echo, Fault, OnTerm};
pub(crate) use routing::Routing;
pub(crate) use row::Problem;
pub(crate) use secure::{Folder, Secure};
pub(crate) use serve::{Serve, Upstream};
pub(crate) use strangers::strangers;
pub(crate) use values::HostPort;

use crate::version;

/// What the user asked for.
#[derive(Debug)]
pub(crate) enum Task {
    /// Proxy requests.
    Serve(Box<Serve>),
    /// Be a replica.
    Echo(Echo),
    /// Show both.
    Demo(Demo),
    /// Read Compose files.
    Check(Box<Check>),
    /// Tell what there is.
    Ps(Ps),
    /// Tell why.
    Explain(Explain),
    /// Tell whether it serves.
    Health(Ask),
    /// Tell whom to trust.
    Ca(Ask),
    /// Write this to standard output.
    Print(Vec<u8>),
}

/// Why nothing was started.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The command line could not be taken apart, or it asked for help.
    Arguments(clap::Error),
    /// It could, and these values make no sense.
    Values(Vec<Problem>),
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Self {
        Self::Arguments(error)
    }
}

impl From<Vec<Problem>> for Refusal {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Values(problems)
    }
}

/// Where environment variables come from: the process, or a test.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads the whole command line and environment.
pub(crate) fn read(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Environment<'_>,
) -> Result<Task, Refusal> {
    let matches = arguments::command().try_get_matches_from(arguments::with_long_addr(arguments))?;
    match matches.subcommand() {
        None => to_serve(&matches, environment),
        Some(("serve", matches)) => to_serve(matches, environment),
        Some(("echo", matches)) => Ok(Task::Echo(finish(row::read(echo::TABLE, matches, environment))?)),
        Some(("demo", matches)) => Ok(Task::Demo(finish(row::read(demo::TABLE, matches, environment))?)),
        Some(("check", matches)) => to_check(matches, environment),
        Some(("ps", matches)) => Ok(Task::Ps(Ps::new(to_ask(matches, environment)?, matches))),
        Some(("explain", matches)) => Ok(Task::Explain(Explain::new(to_ask(matches, environment)?, matches))),
        Some(("health", matches)) => Ok(Task::Health(to_ask(matches, environment)?)),
        Some(("ca", matches)) => Ok(Task::Ca(to_ask(matches, environment)?)),
        Some(("labels", _)) => Ok(Task::Print(divisi_labels::docs::text().into_bytes())),
        Some(("completions", matches)) => Ok(Task::Print(arguments::completions(matches))),
        Some(("man", matches)) => Ok(Task::Print(arguments::man(matches))),
        Some(_) => Ok(Task::Print(format!("divisi {}\n", version::long()).into_bytes())),
    }
}

fn to_serve(matches: &ArgMatches, environment: Environment<'_>) -> Result<Task, Refusal> {
    let (written, problems) = row::read(&serve::table(), matches, environment);
    Ok(Task::Serve(Box::new(written.settle(problems)?)))
}

fn to_check(matches: &ArgMatches, environment: Environment<'_>) -> Result<Task, Refusal> {
    let mut check = finish(row::read(&check::table(), matches, environment))?;
    check.files = ["file", "files"].iter().filter_map(|id| matches.get_many(id)).flatten().cloned().collect();
    check.given = matches.clone();
    Ok(Task::Check(Box::new(check)))
}

fn to_ask(matches: &ArgMatches, environment: Environment<'_>) -> Result<Ask, Vec<Problem>> {
    finish(row::read(ask::TABLE, matches, environment))
}

fn finish<T>((settings, problems): (T, Vec<Problem>)) -> Result<T, Vec<Problem>> {
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}
