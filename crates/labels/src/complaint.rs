//! What cannot be read, for the log.

use std::fmt;

use crate::row::{PREFIX, Row};
use crate::table::TABLE;

/// How much of a label or a value is worth showing. Anyone who can start a container can write long ones.
const SHOWN: usize = 80;

/// The longest key that can be a slip of the pen.
const LONGEST: usize = 32;

/// A label that cannot be read: one line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The label, as it was written.
    pub label: String,
    /// Its value, as it was written.
    pub value: String,
    /// Why it cannot be read, and what would have been accepted.
    pub accepted: String,
    /// The label that was meant, perhaps.
    pub suggestion: Option<String>,
}

impl Complaint {
    /// The value is none of those that the label accepts.
    pub(crate) fn value(row: &Row, value: &str, accepted: String) -> Self {
        Self { label: row.label(), value: value.to_owned(), accepted, suggestion: None }
    }

    /// There is no such label.
    pub(crate) fn unknown(key: &str, value: &str) -> Self {
        let accepted = "no such label; `divisi labels` prints all there are".to_owned();
        let suggestion = meant(key).map(Row::label);
        Self { label: format!("{PREFIX}{key}"), value: value.to_owned(), accepted, suggestion }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "label {} is {}: {}", Shown(&self.label), Shown(&self.value), self.accepted)?;
        match &self.suggestion {
            Some(meant) => write!(f, " (did you mean {meant}?)"),
            None => Ok(()),
        }
    }
}

/// Text of others in a line of ours: in quotes, on one line, not for ever.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// The row whose key is close to that, or whose flag is the same.
fn meant(key: &str) -> Option<&'static Row> {
    if key.len() > LONGEST {
        return None;
    }
    // Separators are the first thing that one gets wrong.
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_', '.'], "");
    let written = plain(key);
    let far = |row: &&Row| distance(&written, &plain(row.key));
    let nearest = TABLE.iter().min_by_key(far)?;
    (far(&nearest) <= written.len().div_ceil(4).min(3)).then_some(nearest)
}

/// How many letters must be changed, added, or removed to make one of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant() {
        for (written, right) in [
            ("stiky", Some("sticky")),
            ("Sticky", Some("sticky")),
            ("hold-requests", Some("hold.requests")),
            ("hold_request", Some("hold.requests")),
            ("health.intervall", Some("health.interval")),
            ("retries.budget", Some("retry.budget")),
            ("weigth", Some("weight")),
            ("slowstart", Some("slow-start")),
            ("host", None),
            ("enable", None),
            ("", None),
            ("ü", None),
            (&"hold".repeat(1000), None),
        ] {
            assert_eq!(meant(written).map(|row| row.key), right, "{written}");
        }
    }

    #[test]
    fn it_is_one_line_of_bounded_length() {
        let complaint = Complaint::unknown(&"x\n\u{1b}[31m".repeat(1000), &"ü".repeat(100_000));
        let line = complaint.to_string();
        assert!(line.len() < 2000 && !line.chars().any(char::is_control), "{line}");
        let line = Complaint::unknown("stiky", "true").to_string();
        let expected = "label \"divisi.stiky\" is \"true\": no such label; `divisi labels` prints all there are (did you \
                        mean divisi.sticky?)";
        assert_eq!(line, expected);
    }
}
