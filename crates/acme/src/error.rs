//! Why there is no new certificate, and whose fault that is.

use std::time::Duration;

use instant_acme::Problem;
use thiserror::Error;

use crate::certificate::CertificateError;
use crate::dns::DnsError;
use crate::settings::Kind;
use crate::store::StoreError;

/// Why there is no new certificate.
#[derive(Debug, Error)]
pub enum AcmeError {
    /// The authority cannot be reached, or what it says makes no sense.
    #[error("the authority: {}", chain(.0))]
    Authority(#[source] instant_acme::Error),
    /// The authority says no.
    #[error("the authority says: {}", text(.0))]
    Refused(Problem),
    /// The authority could not convince itself that the names are ours.
    #[error("the authority could not verify by {}: {said}", .kind.name())]
    Unverified {
        /// How it tried.
        kind: Kind,
        /// What it says about each name.
        said: String,
    },
    /// There is no way to convince it.
    #[error("for {name} the authority offers {offered}, and {why}")]
    NoWay {
        /// The name.
        name: String,
        /// What it offers.
        offered: String,
        /// Why none of it can be done.
        why: &'static str,
    },
    /// None of several ways leads there.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    EveryWay(Vec<Self>),
    /// It took longer than is reasonable.
    #[error("the authority has not finished after {0:?}")]
    Slow(Duration),
    /// A record could not be changed.
    #[error("the record for dns-01: {0}")]
    Dns(#[from] DnsError),
    /// What came is not what was ordered.
    #[error("what the authority gave is of no use: {0}")]
    Useless(#[from] CertificateError),
    /// No key could be made.
    #[error("no certificate request: {0}")]
    Request(#[from] rcgen::Error),
    /// The folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A mistake of ours.
    #[error("divisi itself failed; please tell its authors what the log says")]
    Panicked,
    /// Another divisi took over, because this one was asleep.
    #[error("another divisi on the same folder has taken over")]
    Overtaken,
}

impl AcmeError {
    /// Whether the authority does not know our account, as happens to a test authority that was started again.
    pub(crate) fn is_unknown_account(&self) -> bool {
        self.is("accountDoesNotExist")
    }

    /// Whether the authority says that we ask for too much (RFC 8555 6.6).
    pub(crate) fn is_rate_limit(&self) -> bool {
        self.is("rateLimited") || matches!(self, Self::Refused(problem) if problem.status == Some(429))
    }

    /// Whether an order might be taken if it did not say what it replaces: the authority has no renewal information, knows
    /// nothing of that certificate, or has seen it replaced before (RFC 9773 5).
    pub(crate) fn may_be_the_replaced_one(&self) -> bool {
        match self {
            Self::Refused(_) => !self.is_rate_limit() && !self.is_unknown_account(),
            Self::Authority(instant_acme::Error::Unsupported(_)) => true,
            Self::Authority(instant_acme::Error::Other(other)) => other.to_string().starts_with("replaces field"),
            _ => false,
        }
    }

    /// All of these, which are one or more.
    pub(crate) fn every(mut failures: Vec<Self>) -> Self {
        match failures.len() {
            1 => failures.remove(0),
            _ => Self::EveryWay(failures),
        }
    }

    fn is(&self, name: &str) -> bool {
        matches!(self, Self::Refused(problem) if problem.r#type.as_deref().is_some_and(|of| of.ends_with(name)))
    }
}

impl From<instant_acme::Error> for AcmeError {
    fn from(error: instant_acme::Error) -> Self {
        match error {
            instant_acme::Error::Api(problem) => Self::Refused(problem),
            error => Self::Authority(error),
        }
    }
}

impl Kind {
    /// As the RFCs call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Dns01 => "dns-01",
        }
    }
}

/// What a problem document says.
pub(crate) fn text(problem: &Problem) -> String {
    let mut text = problem.detail.clone().unwrap_or_else(|| "no reason".to_owned());
    for part in &problem.subproblems {
        text.push_str("; ");
        text.push_str(&part.to_string());
    }
    if let Some(kind) = &problem.r#type {
        text.push_str(&format!(" ({})", kind.trim_start_matches("urn:ietf:params:acme:error:")));
    }
    clean(&text, 500)
}

/// The begin of a text in one line, and without what could disturb a terminal.
pub(crate) fn clean(text: &str, longest: usize) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(longest).collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Transparent errors repeat what they hold.
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(json: &str) -> AcmeError {
        instant_acme::Error::Api(serde_json::from_str(json).unwrap()).into()
    }

    #[test]
    fn what_the_authority_says_is_told_in_one_clean_line() {
        let said = problem(
            r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too\nmany \u001b[31mcertificates","status":429,
            "subproblems":[{"detail":"a.example is one of them"}]}"#,
        );
        assert_eq!(
            said.to_string(),
            "the authority says: too many  [31mcertificates; : a.example is one of them (rateLimited)"
        );
        assert!(said.is_rate_limit() && !said.is_unknown_account());
        assert!(problem(r#"{"status":429}"#).is_rate_limit());
        let long = problem(&format!(r#"{{"detail":"{}"}}"#, "x".repeat(100_000)));
        assert!(long.to_string().len() < 600);
    }

    #[test]
    fn no_text_of_others_has_lines_of_its_own() {
        assert_eq!(clean("a\r\nb\u{1b}[0m", 5), "a  b ");
    }

    #[test]
    fn an_account_that_is_gone_is_known_as_such() {
        assert!(problem(r#"{"type":"urn:ietf:params:acme:error:accountDoesNotExist"}"#).is_unknown_account());
        assert!(!problem(r#"{"detail":"accountDoesNotExist"}"#).is_unknown_account());
    }
}
