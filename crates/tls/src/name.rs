//! Which names are the same: upper and lower case, with the root's dot or without.

use std::borrow::Cow;

/// The longest name in DNS (RFC 1035 2.3.4, as text).
const LONGEST: usize = 253;

/// The one form in which names are compared; None for what can be nobody's name.
pub fn normal(name: &str) -> Option<Cow<'_, str>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    let has_upper = name.bytes().any(|byte| byte.is_ascii_uppercase());
    Some(if has_upper { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) })
}

/// What follows the first label: `example.com` of `www.example.com`.
pub fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent).filter(|parent| !parent.is_empty())
}

/// Whether a certificate for `pattern` (a name, or `*.name`) is one for `name`, or for the wildcard `name` (RFC 6125 6.4.3).
pub fn covers(pattern: &str, name: &str) -> bool {
    let below = |suffix| parent(name) == Some(suffix);
    pattern == name || pattern.strip_prefix("*.").is_some_and(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_the_roots_dot_say_nothing() {
        assert_eq!(normal("WWW.Example.COM.").as_deref(), Some("www.example.com"));
        assert_eq!(normal("example.com").as_deref(), Some("example.com"));
        assert_eq!(normal("."), None);
        assert_eq!(normal(&"a".repeat(254)), None);
    }

    #[test]
    fn a_wildcard_is_one_label() {
        assert!(covers("*.example.com", "www.example.com"));
        assert!(covers("*.example.com", "*.example.com"));
        assert!(!covers("*.example.com", "example.com"));
        assert!(!covers("*.example.com", "a.www.example.com"));
        assert!(!covers("www.example.com", "*.example.com"));
    }
}
