//! Variables that begin as ours do and are none of ours: most are slips of the pen.

use divisi_labels::nearest::nearest;

use super::row::Setting;
use super::{ask, check, demo, echo, serve};

const PREFIX: &str = "DIVISI_";

/// A line for each variable that would be a setting if there were such a setting. Flags that do not exist end the program; a
/// variable may be meant for another one, or for a later divisi.
pub(crate) fn strangers(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let ours = ours();
    let line = |name: String| match nearest(&name, ours.iter().copied()) {
        Some(meant) => format!("the variable {name} sets nothing; did you mean {meant}?"),
        None => format!("the variable {name} sets nothing; `divisi serve --help` names all that do"),
    };
    let is_strange = |name: &String| name.starts_with(PREFIX) && !ours.contains(&name.as_str());
    let mut lines: Vec<_> = names.into_iter().filter(is_strange).map(line).collect();
    lines.sort_unstable();
    lines
}

/// The variables of all subcommands.
fn ours() -> Vec<&'static str> {
    fn of<T>(table: &[Setting<T>]) -> impl Iterator<Item = &'static str> {
        table.iter().flat_map(|setting| setting.row.variables.iter().copied())
    }
    let (serve, check) = (serve::table(), check::table());
    of(&serve).chain(of(&check)).chain(of(ask::TABLE)).chain(of(demo::TABLE)).chain(of(echo::TABLE)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_said() {
        let names = ["DIVISI_HODL", "DIVISI_HOLD", "DIVISI_ECHO_NAME", "PATH", "DIVISI_X", "DOCKER_HOST"];
        let expected = [
            "the variable DIVISI_HODL sets nothing; did you mean DIVISI_HOLD?",
            "the variable DIVISI_X sets nothing; `divisi serve --help` names all that do",
        ];
        assert_eq!(strangers(names.map(str::to_owned)), expected);
    }
}
