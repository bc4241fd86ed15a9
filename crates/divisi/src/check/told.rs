//! What the divisi of the project is told: by its command, or by its environment. It is the one that will read the labels.

use divisi_compose::{Place, Said, Service};

use crate::settings::Check;

/// A setting of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// How it is said, for messages.
    pub(crate) how: String,
    pub(crate) value: String,
    pub(crate) place: Place,
}

/// What it is told by that flag, or else by the first of the variables that is set.
pub(crate) fn find(divisi: &Service, flag: &str, variables: &[&str]) -> Option<Told> {
    let by_variable = || {
        let is_set = |said: &&Said| !said.value.trim().is_empty();
        let set = |name: &&str| divisi.environment.iter().filter(is_set).find(|said| said.key == *name);
        let said = variables.iter().find_map(set)?;
        Some(Told { how: said.key.clone(), value: said.value.trim().to_owned(), place: said.place.clone() })
    };
    let flag = format!("--{flag}");
    let by_flag = value_of(&divisi.command, &flag);
    by_flag.map(|value| Told { how: flag, value, place: divisi.place.clone() }).or_else(by_variable)
}

/// A flag that has no value is a switch that is on.
fn value_of(words: &[String], flag: &str) -> Option<String> {
    let at = words
        .iter()
        .position(|word| word == flag || word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('=')))?;
    let joined = words[at].strip_prefix(flag)?.strip_prefix('=');
    let next = || words.get(at + 1).filter(|word| !word.starts_with("--")).cloned();
    Some(joined.map(str::to_owned).or_else(next).unwrap_or_else(|| "true".to_owned()))
}

/// How labels are read: as the user says, and where the user says nothing, as the divisi of the project is told. With what it
/// is told and cannot read.
pub(crate) fn settings(
    given: &Check,
    divisi: &Service,
    environment: &dyn Fn(&str) -> Option<String>,
) -> (Check, Vec<String>) {
    let (again, problems) = given.again(&|name| {
        let said = environment(name).filter(|value| !value.trim().is_empty());
        said.or_else(|| find(divisi, Check::flag(name)?, &[name]).map(|told| told.value))
    });
    let mut settings = given.clone();
    settings.routing = again.routing;
    (settings, problems.iter().map(ToString::to_string).collect())
}
