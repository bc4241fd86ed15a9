//! What became of each label.

use std::fmt;

use crate::complaint::{Complaint, Said, Shown};
use crate::dialect::Dialect;

/// What became of one label, or of one environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whose language it is.
    pub dialect: Dialect,
    /// The label, as it was written.
    pub label: String,
    /// Its value, as it was written.
    pub value: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does what it says.
    Used,
    /// It does not all, or not exactly, what it says; how far.
    Approximated(String),
    /// It does nothing; why.
    Ignored(String),
    /// It cannot be read.
    Wrong {
        /// Why, and what would have been accepted.
        accepted: String,
        /// The label that was meant, perhaps.
        meant: Option<String>,
    },
}

impl Outcome {
    /// It cannot be read, and that is why.
    pub(crate) fn wrong(accepted: impl Into<String>) -> Self {
        Self::Wrong { accepted: accepted.into(), meant: None }
    }

    /// The same with its words in one line of bounded length, for there are words of others in them.
    pub(crate) fn bounded(self) -> Self {
        let bounded = |text: String| Said(&text).to_string();
        match self {
            Self::Used => Self::Used,
            Self::Approximated(why) => Self::Approximated(bounded(why)),
            Self::Ignored(why) => Self::Ignored(bounded(why)),
            Self::Wrong { accepted, meant } => Self::Wrong { accepted: bounded(accepted), meant: meant.map(bounded) },
        }
    }

    /// The word for it, as reports show it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Approximated(_) => "approximated",
            Self::Ignored(_) => "ignored",
            Self::Wrong { .. } => "wrong",
        }
    }
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::wrong, |()| Self::Used)
    }
}

impl Verdict {
    /// Its value, but of one that lets people in: what is shown ends up in logs and in chats.
    pub fn shown_value(&self) -> &str {
        if self.label.to_ascii_lowercase().contains("auth.users") { "***" } else { &self.value }
    }

    /// Whether it cannot be read.
    pub fn is_wrong(&self) -> bool {
        matches!(self.outcome, Outcome::Wrong { .. })
    }
}

impl From<Complaint> for Verdict {
    fn from(complaint: Complaint) -> Self {
        let Complaint { label, value, accepted, suggestion } = complaint;
        Self { dialect: Dialect::Native, label, value, outcome: Outcome::Wrong { accepted, meant: suggestion } }
    }
}

/// One line of bounded length, for the log and for `explain`.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.dialect == Dialect::NginxProxy { "variable" } else { "label" };
        write!(f, "{kind} {} is {}: ", Shown(&self.label), Shown(self.shown_value()))?;
        match &self.outcome {
            Outcome::Used => f.write_str("used"),
            Outcome::Approximated(why) => write!(f, "approximated: {}", Said(why)),
            Outcome::Ignored(why) => write!(f, "ignored: {}", Said(why)),
            Outcome::Wrong { accepted, meant: None } => write!(f, "{}", Said(accepted)),
            Outcome::Wrong { accepted, meant: Some(meant) } => {
                write!(f, "{} (did you mean {}?)", Said(accepted), Said(meant))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_people_in_is_not_shown() {
        let of = |label: &str| Verdict {
            dialect: Dialect::Traefik,
            label: label.to_owned(),
            value: "admin:$apr1$x".to_owned(),
            outcome: Outcome::Used,
        };
        let secret = of("traefik.http.middlewares.a.basicAuth.users");
        assert_eq!((secret.shown_value(), secret.to_string().contains("apr1")), ("***", false));
        assert_eq!(of("traefik.http.routers.a.rule").shown_value(), "admin:$apr1$x");
    }
}
