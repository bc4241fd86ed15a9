//! What cannot be read, for the log.

use std::fmt;

use crate::nearest::nearest;
use crate::row::{PREFIX, Row};
use crate::table::TABLE;

/// How much of a label or a value is worth showing. Anyone who can start a container can write long ones.
const SHOWN: usize = 80;

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
    /// There is no such label.
    pub(crate) fn unknown(key: &str, value: &str) -> Self {
        let accepted = "no such label; `divisi labels` prints all there are".to_owned();
        let suggestion = meant(key).map(Row::label);
        Self { label: format!("{PREFIX}{key}"), value: value.to_owned(), accepted, suggestion }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "label {} is {}: {}", Shown(&self.label), Shown(&self.value), Said(&self.accepted))?;
        match &self.suggestion {
            Some(meant) => write!(f, " (did you mean {}?)", Said(meant)),
            None => Ok(()),
        }
    }
}

/// Text of others in a line of ours: in quotes, on one line, not for ever.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// A sentence of ours, which may have words of others in it: on one line, not for ever.
pub(crate) struct Said<'a>(pub(crate) &'a str);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 400;
        for (count, char) in self.0.chars().enumerate() {
            match char {
                _ if count == MOST => return f.write_str("…"),
                char if char.is_control() => write!(f, "{}", char.escape_default())?,
                char => write!(f, "{char}")?,
            }
        }
        Ok(())
    }
}

/// The row whose key is close to that.
pub(crate) fn meant(key: &str) -> Option<&'static Row> {
    let key = nearest(key, TABLE.iter().map(|row| row.key))?;
    TABLE.iter().find(|row| row.key == key)
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
            ("hosts", Some("host")),
            ("enabled", Some("enable")),
            ("firewall", None),
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
