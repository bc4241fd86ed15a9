//! A regular expression, compiled once.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

use super::error::RuleError;

/// Most bytes that one compiled expression may take. Those that people write take a tenth.
const MOST_SIZE: usize = 256 * 1024;

/// Most bytes that a thread's memory of one expression's states may take.
const MOST_CACHE: usize = 256 * 1024;

/// A regular expression as Traefik has it: not anchored, classes such as `\d` and `(?i)` for ASCII only. In what RE2 and this
/// one differ, a dot stands for one byte here.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles it.
    pub(crate) fn new(text: &str, ignore_case: bool) -> Result<Self, RuleError> {
        let built = RegexBuilder::new(text)
            .unicode(false)
            .case_insensitive(ignore_case)
            .size_limit(MOST_SIZE)
            .dfa_size_limit(MOST_CACHE)
            .build();
        built.map(Self).map_err(|error| RuleError::Pattern { text: text.to_owned(), fault: last_line(&error) })
    }

    /// Whether it is found anywhere in there. The first use of an expression by a thread allocates its memory of states.
    pub fn is_in(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    /// What the user wrote.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// The lines before draw a picture, which has no room in a line of a log.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
