//! Which names are nobody else's, so that no public authority certifies them and a local one may.

/// Domains that are set aside: `localhost` and `test` (RFC 6761), `local` (RFC 6762), `home.arpa` (RFC 8375), and `internal`
/// (ICANN, 2024).
pub(crate) const DOMAINS: [&str; 5] = ["localhost", "local", "internal", "test", "home.arpa"];

/// Whether `name` (or the wildcard `*.name`), in lower case, means something only in one's own network: a name in a domain that
/// is set aside, or one without a dot.
pub fn is_private(name: &str) -> bool {
    let name = name.trim_start_matches('*').trim_start_matches('.');
    let is_below = |domain: &str| {
        let rest = name.strip_suffix(domain);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    !name.is_empty() && (!name.contains('.') || DOMAINS.iter().any(|domain| is_below(domain)))
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn only_names_that_are_set_aside_are_private() {
        for name in ["localhost", "echo.localhost", "a.b.test", "nas", "printer.local", "*.internal", "x.home.arpa"] {
            assert!(is_private(name), "{name}");
        }
        for name in ["example.com", "arpa.home", "home.arpa.example.com", "mylocalhost.com", "x.notlocal.net", "*.", ""]
        {
            assert!(!is_private(name), "{name}");
        }
    }
}
