//! What is wrong with a rule.

use std::error::Error;
use std::fmt;

use super::rule::{MOST_DEPTH, MOST_PARTS};

/// What is wrong with a rule. Its text says what stands there and what may; who has the label adds where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// No host name.
    Host {
        /// What stands there.
        text: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// No path that a request could have.
    Path {
        /// What stands there.
        text: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// No method.
    Method(String),
    /// No name of a header.
    Header(String),
    /// No regular expression, or too large a one.
    Pattern {
        /// What stands there.
        text: String,
        /// What is wrong with it.
        fault: String,
    },
    /// No address and no network.
    Network(String),
    /// No name of a protocol.
    Protocol(String),
    /// Parentheses in parentheses in parentheses.
    Deep,
    /// More conditions than anybody writes.
    Long,
}

impl Error for RuleError {}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { text, fault } => write!(f, "`{text}` is no host name: {fault}"),
            Self::Path { text, fault } => write!(f, "the path `{text}` {fault}"),
            Self::Method(text) => write!(f, "`{text}` is no method such as GET or POST"),
            Self::Header(text) => write!(f, "`{text}` is no name of a header"),
            Self::Pattern { text, fault } => write!(f, "`{text}` is no regular expression that can be used: {fault}"),
            Self::Network(text) => {
                write!(f, "`{text}` is neither an address such as 10.0.0.1 nor a network such as 10.0.0.0/8")
            }
            Self::Protocol(text) => write!(f, "`{text}` is no name of a protocol such as h2 or postgresql"),
            Self::Deep => write!(f, "the rule is nested more than {MOST_DEPTH} deep"),
            Self::Long => write!(f, "the rule has more than {MOST_PARTS} conditions"),
        }
    }
}
