//! Files of variables, as Compose reads them: `.env`, `--env-file`, and a service's `env_file` and `label_file`.
//!
//! ```text
//! # a comment
//! export NAME=value   # what stands behind a space and a # is a comment, too
//! NAME: value
//! DOUBLE="$NAME\n"    # variables and escapes
//! SINGLE='$NAME'      # neither
//! NAME                # as it is in the environment
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use crate::interpolate::{Lookup, interpolate};
use crate::problem::{Fault, Place, Problem};

/// A variable, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    /// None where it is to be as it is in the environment, and is not there.
    pub(crate) value: Option<String>,
    pub(crate) place: Place,
}

/// Most variables, and most bytes that they come to: each may have those above it in it several times.
const MOST: usize = 10_000;
const LONGEST: usize = 4 << 20;

/// Reads all of them. What cannot be read loses only itself.
pub(crate) fn read(
    file: &str,
    text: &str,
    lookup: Lookup<'_>,
    is_raw: bool,
    problems: &mut Vec<Problem>,
) -> Vec<Variable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (found, above) = (Vec::new(), HashMap::new());
    let mut reader =
        Reader { file: file.into(), line: 1, rest: text, lookup, is_raw, found, above, length: 0, problems };
    while !reader.rest.is_empty() {
        if reader.found.len() == MOST || reader.length > LONGEST {
            reader.problems.push(Fault::TooLarge.at(&Place { file: reader.file, line: reader.line }));
            break;
        }
        reader.statement();
    }
    reader.found
}

struct Reader<'a, 'b> {
    file: Arc<str>,
    line: usize,
    rest: &'a str,
    lookup: Lookup<'b>,
    is_raw: bool,
    found: Vec<Variable>,
    /// The same, to be looked up.
    above: HashMap<String, String>,
    length: usize,
    problems: &'b mut Vec<Problem>,
}

impl<'a> Reader<'a, '_> {
    fn statement(&mut self) {
        let place = Place { file: self.file.clone(), line: self.line };
        let line = self.rest.split('\n').next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            self.take_line();
            return;
        }
        let begin = self.rest.trim_start_matches([' ', '\t', '\r']);
        let begin = begin
            .strip_prefix("export")
            .filter(|rest| !self.is_raw && rest.starts_with([' ', '\t']))
            .map_or(begin, |rest| rest.trim_start_matches([' ', '\t']));
        let end = begin.find(['=', ':', '\n']).unwrap_or(begin.len());
        let (name, after) = begin.split_at(end);
        let name = if after.starts_with(['=', ':']) { name } else { name.split('#').next().unwrap_or_default() };
        let name = name.trim();
        if !is_name(name) {
            self.problems.push(Fault::Variable(format!("{:?}", shown(line))).at(&place));
            self.take_line();
            return;
        }
        let value = if after.starts_with(['=', ':']) {
            self.rest = &after[1..];
            self.value(&place)
        } else {
            self.take_line();
            (self.lookup)(name)
        };
        if let Some(value) = &value {
            self.length += value.len();
            self.above.insert(name.to_owned(), value.clone());
        }
        self.found.push(Variable { name: name.to_owned(), value, place });
    }

    fn take_line(&mut self) -> &'a str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += 1;
        line
    }

    /// What stands behind the sign; quotes may go over lines.
    fn value(&mut self, place: &Place) -> Option<String> {
        if self.is_raw {
            return Some(self.take_line().trim_end_matches('\r').to_owned());
        }
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        let Some(quote) = self.rest.chars().next().filter(|char| ['"', '\''].contains(char)) else {
            let line = self.take_line();
            return Some(self.expand(uncommented(line), place));
        };
        let Some(end) = closing(&self.rest[1..], quote) else {
            self.problems.push(Fault::Variable("a quote is not closed".to_owned()).at(place));
            self.take_line();
            return Some(String::new());
        };
        let inside = &self.rest[1..=end];
        self.line += inside.matches('\n').count();
        self.rest = &self.rest[end + 2..];
        self.take_line();
        Some(if quote == '"' { self.expand(&unescaped(inside), place) } else { inside.replace("\\'", "'") })
    }

    /// What the environment says comes before what stands above.
    fn expand(&mut self, text: &str, place: &Place) -> String {
        let (lookup, above) = (self.lookup, &self.above);
        let mut unset = Vec::new();
        let filled = interpolate(text, &|name| lookup(name).or_else(|| above.get(name).cloned()), &mut unset);
        self.problems.extend(unset.into_iter().map(|name| Fault::Unset(name).at(place)));
        filled.unwrap_or_else(|fault| {
            self.problems.push(fault.at(place));
            String::new()
        })
    }
}

/// Names of labels come here, too.
fn is_name(text: &str) -> bool {
    let is_allowed = |char: char| char.is_alphanumeric() || "_.-[]/".contains(char);
    !text.is_empty() && text.chars().all(is_allowed)
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

fn uncommented(line: &str) -> &str {
    let end = line.match_indices('#').map(|(at, _)| at).find(|at| *at == 0 || line[..*at].ends_with([' ', '\t']));
    end.map_or(line, |end| &line[..end]).trim()
}

/// Where the quote closes.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, char) in text.char_indices() {
        if char == quote && !is_escaped {
            return Some(at);
        }
        is_escaped = char == '\\' && !is_escaped;
    }
    None
}

/// A dollar that is escaped stays one, whatever comes after it.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('$') => out.push_str("$$"),
            Some(char @ ('"' | '\\' | '\'')) => out.push(char),
            Some(char) => out.extend(['\\', char]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (Vec<(String, Option<String>)>, Vec<String>) {
        let mut problems = Vec::new();
        let lookup = |name: &str| (name == "HOME").then(|| "/root".to_owned());
        let found = read(".env", text, &lookup, false, &mut problems);
        let found = found.into_iter().map(|variable| (variable.name, variable.value)).collect();
        (found, problems.iter().map(Problem::to_string).collect())
    }

    #[test]
    fn every_form() {
        let text = "\u{feff}# c\n\nA=1\r\nexport B = two # c\nC: 3\nD=\"$A $HOME \\$A\\n\" # c\nE='$A # no'\nF=a#b\nG=\"x\ny\"\nHOME\nNO\n\
                    H=${NO:-d}\nI=\nJ=#c\nK=$A${B}\nexported=1\n";
        let (found, problems) = of(text);
        let wanted: Vec<(&str, Option<&str>)> = vec![
            ("A", Some("1")),
            ("B", Some("two")),
            ("C", Some("3")),
            ("D", Some("1 /root $A\n")),
            ("E", Some("$A # no")),
            ("F", Some("a#b")),
            ("G", Some("x\ny")),
            ("HOME", Some("/root")),
            ("NO", None),
            ("H", Some("d")),
            ("I", Some("")),
            ("J", Some("")),
            ("K", Some("1two")),
            ("exported", Some("1")),
        ];
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        assert_eq!((found, problems), (wanted, vec![]));
    }

    #[test]
    fn what_is_wrong_loses_only_itself() {
        let (found, problems) = of("a b\nA=\"open\n=x\nB=$NOWHERE\nC=$\nD=4\n");
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert!(problems[0].starts_with(".env:1: not a variable: \"a b\""), "{problems:#?}");
        assert_eq!(found.last(), Some(&("D".to_owned(), Some("4".to_owned()))));
        let doubling: String = (1..100).map(|at| format!("A{at}=${{A{0}:-xx}}${{A{0}:-xx}}\n", at - 1)).collect();
        assert!(of(&doubling).0.iter().all(|(_, value)| value.as_ref().is_none_or(|value| value.len() < 100_000)));
    }
}
