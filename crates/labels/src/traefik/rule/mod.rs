//! The language of Traefik's rules: text to [`Rule`].
//!
//! | module | job |
//! |---|---|
//! | `syntax` | calls, `!`, `&&`, `\|\|`, parentheses |
//! | `matchers` | what each call means |
//! | `stream` | the same for routers of TCP |
//! | `template` | `{name:regex}` of Traefik 2 |

mod matchers;
mod stream;
mod syntax;
mod template;
#[cfg(test)]
mod tests;

use std::fmt;

use divisi_model::route::Rule;

/// A rule that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// What it means.
    pub rule: Rule,
    /// What was read in another way than Traefik 3 reads it.
    pub notes: Vec<&'static str>,
}

/// Why a rule cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFault {
    /// The byte at which it goes wrong.
    pub at: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl RuleFault {
    pub(crate) fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }
}

impl std::error::Error for RuleFault {}

impl fmt::Display for RuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a rule: {} (character {})", self.what, self.at + 1)
    }
}

/// Reads a rule.
///
/// # Errors
/// It is none; where, and what would have been accepted.
pub fn parse(text: &str) -> Result<Parsed, RuleFault> {
    matchers::lower(&syntax::parse(text)?)
}

/// Reads a rule of a router of TCP.
///
/// # Errors
/// It is none; where, and what would have been accepted.
pub fn parse_tcp(text: &str) -> Result<Parsed, RuleFault> {
    stream::lower(&syntax::parse(text)?)
}
