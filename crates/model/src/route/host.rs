//! Which hosts are the same: upper and lower case, with a port or without, with the root's dot or without.

/// The longest name in DNS (RFC 1035 2.3.4, as text). What is longer is nobody's name, and nothing is looked up for it.
pub(crate) const LONGEST: usize = 253;

/// A request's host in the one form in which it is compared. Lies on the stack.
pub(crate) struct HostName {
    bytes: [u8; LONGEST],
    length: usize,
}

impl HostName {
    /// None where it is too long for a name. Odd bytes are kept; they match no rule about a name.
    pub(crate) fn of(host: &[u8]) -> Option<Self> {
        let name = without_port(host);
        let name = name.strip_suffix(b".").unwrap_or(name);
        let mut bytes = [0; LONGEST];
        let room = bytes.get_mut(..name.len())?;
        room.copy_from_slice(name);
        room.make_ascii_lowercase();
        Some(Self { bytes, length: name.len() })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// An IPv6 address keeps its brackets (RFC 3986 3.2.2); its colons are not a port's.
fn without_port(host: &[u8]) -> &[u8] {
    let start = if host.starts_with(b"[") { host.iter().position(|byte| *byte == b']').unwrap_or(0) } else { 0 };
    let colon = host[start..].iter().position(|byte| *byte == b':');
    &host[..colon.map_or(host.len(), |at| start + at)]
}

/// What follows the first label; None where there is nothing, or no label.
pub(crate) fn parent(name: &[u8]) -> Option<&[u8]> {
    match name.iter().position(|byte| *byte == b'.') {
        Some(0) | None => None,
        Some(at) => Some(&name[at + 1..]),
    }
}

/// Whether `name` lies below `suffix`, by one label or, where `deep`, by any number.
pub(crate) fn is_below(name: &[u8], suffix: &[u8], deep: bool) -> bool {
    let mut parents = std::iter::successors(parent(name), |name| parent(name));
    if deep { parents.any(|parent| parent == suffix) } else { parents.next() == Some(suffix) }
}

/// Why nobody can have a host of that name, which is in lower case.
pub(crate) fn fault(name: &str) -> Option<&'static str> {
    let is_address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some();
    let is_odd = |byte: u8| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'));
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > LONGEST {
        Some("it is longer than 253 characters")
    } else if !name.is_ascii() {
        Some("it has characters beyond ASCII; write it in Punycode (xn--…)")
    } else if name.split('.').any(str::is_empty) {
        Some("it has an empty label")
    } else if name.contains('*') {
        Some("a `*` may only stand for the first label, as in `*.example.com`")
    } else if !is_address && name.contains(':') {
        Some("it has a port; requests are told apart by the name alone")
    } else if !is_address && name.bytes().any(is_odd) {
        Some("it has characters that no name has")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_host_are_one() {
        for (host, expected) in [
            ("App.Test", "app.test"),
            ("app.test.:8080", "app.test"),
            ("app.test:", "app.test"),
            ("[::1]:80", "[::1]"),
            ("[::F]", "[::f]"),
            ("[::1", "["),
            ("", ""),
            (":80", ""),
            (".", ""),
        ] {
            let name = HostName::of(host.as_bytes()).expect("short");
            assert_eq!(String::from_utf8_lossy(name.as_bytes()), expected, "{host}");
        }
        assert!(HostName::of(&[b'a'; LONGEST]).is_some() && HostName::of(&[b'a'; LONGEST + 1]).is_none());
    }

    #[test]
    fn labels_are_counted_from_the_left() {
        for (name, one, deep) in [
            ("a.example.com", true, true),
            ("a.b.example.com", false, true),
            ("example.com", false, false),
            (".example.com", false, false),
            ("a..example.com", false, false),
            ("aexample.com", false, false),
        ] {
            let suffix = b"example.com";
            let found = (is_below(name.as_bytes(), suffix, false), is_below(name.as_bytes(), suffix, true));
            assert_eq!(found, (one, deep), "{name}");
        }
    }
}
