//! What a row of the table is, and how a table of them is read.

use std::fmt;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::Environment;

/// How a setting is written. Everything that people read about it is made from this.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// The flag, without its dashes.
    pub(crate) flag: &'static str,
    /// The environment variables, first that is set and not empty wins.
    pub(crate) variables: &'static [&'static str],
    /// The word that stands for the value in help texts.
    pub(crate) value: &'static str,
    /// How often it can be given.
    pub(crate) takes: Takes,
    /// What holds when nothing is given, as the user would write it.
    pub(crate) default: Option<&'static str>,
    /// The heading it stands under.
    pub(crate) group: &'static str,
    /// One sentence.
    pub(crate) help: &'static str,
    /// A value that is accepted.
    pub(crate) example: &'static str,
    /// Whether its value is nobody's business, be it wrong.
    pub(crate) secret: bool,
}

impl Row {
    /// A row that is given once, under the heading of the program itself, and has nothing else yet.
    pub(super) const fn new(flag: &'static str, variables: &'static [&'static str], value: &'static str) -> Self {
        let (takes, default, group, help, example) = (Takes::One, None, "Program", "", "");
        Self { flag, variables, value, takes, default, group, help, example, secret: false }
    }
}

/// How often a setting can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Once.
    One,
    /// Repeated, or separated by commas.
    List,
    /// Once, and its value may be left out for `true`.
    Switch,
}

/// A row, and how its text becomes a value of the settings `T`.
#[derive(Debug)]
pub(crate) struct Setting<T: 'static> {
    /// How it is written.
    pub(crate) row: Row,
    /// Puts one piece of text into the settings, or says what would have been accepted.
    pub(crate) set: fn(&mut T, &Given<'_>) -> Result<(), String>,
}

// Not derived, which would ask the same of `T`.
impl<T> Clone for Setting<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Setting<T> {}

/// One piece of text for a setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    /// The setting.
    pub(crate) flag: &'static str,
    /// The text.
    pub(crate) text: &'a str,
    /// Who wrote it.
    pub(crate) origin: Origin,
}

/// Who wrote a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The table.
    Default,
    /// The environment, in this variable.
    Variable(&'static str),
    /// The command line.
    Flag,
}

/// Something that makes no sense: one line for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// A value is none of those that its setting accepts.
    Value {
        /// The setting.
        flag: &'static str,
        /// What was written.
        text: String,
        /// Who wrote it.
        origin: Origin,
        /// What would have been accepted.
        accepted: String,
    },
    /// Values that are fine one by one do not go together.
    Together {
        /// The setting that says most about it.
        flag: &'static str,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { flag, text, origin: Origin::Variable(name), accepted } => {
                write!(f, "--{flag} {text:?} (from {name}): {accepted}")
            }
            Self::Value { flag, text, accepted, .. } => write!(f, "--{flag} {text:?}: {accepted}"),
            Self::Together { flag, reason } => write!(f, "--{flag}: {reason}"),
        }
    }
}

/// Reads every row of a table: its default first, then the environment, then the command line, which wins.
pub(crate) fn read<T: Default>(
    table: &[Setting<T>],
    matches: &ArgMatches,
    environment: Environment<'_>,
) -> (T, Vec<Problem>) {
    let mut reading = Reading { settings: T::default(), problems: Vec::new() };
    for setting in table {
        if let Some(text) = setting.row.default {
            reading.put(setting, text, Origin::Default);
        }
    }
    let on_command_line = |row: &Row| matches.value_source(row.flag) == Some(ValueSource::CommandLine);
    for setting in table.iter().filter(|setting| !on_command_line(&setting.row)) {
        if let Some((name, text)) = from_environment(&setting.row, environment) {
            reading.put(setting, &text, Origin::Variable(name));
        }
    }
    for setting in table.iter().filter(|setting| on_command_line(&setting.row)) {
        for text in matches.get_many::<String>(setting.row.flag).into_iter().flatten() {
            reading.put(setting, text, Origin::Flag);
        }
    }
    (reading.settings, reading.problems)
}

/// An empty variable is how Compose writes one that is not set.
fn from_environment(row: &Row, environment: Environment<'_>) -> Option<(&'static str, String)> {
    let set = |name: &'static str| Some((name, environment(name).filter(|text| !text.trim().is_empty())?));
    row.variables.iter().copied().find_map(set)
}

struct Reading<T> {
    settings: T,
    problems: Vec<Problem>,
}

impl<T> Reading<T> {
    fn put(&mut self, setting: &Setting<T>, text: &str, origin: Origin) {
        let pieces = if setting.row.takes == Takes::List { text.split(',').collect() } else { vec![text] };
        for piece in pieces {
            let Row { flag, secret, .. } = setting.row;
            let given = Given { flag, text: piece.trim(), origin };
            if let Err(accepted) = (setting.set)(&mut self.settings, &given) {
                let text = if secret { "***" } else { given.text }.to_owned();
                self.problems.push(Problem::Value { flag, text, origin, accepted });
            }
        }
    }
}
