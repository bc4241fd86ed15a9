//! `Host` and the authority of a request target (RFC 3986 3.2), as far as a host on the web can use it.

/// Whether `authority` is a host with an optional port: a registered name, an IPv4 address or an IPv6 address in brackets.
///
/// Stricter than RFC 3986: no user information, no percent-encoding and no sub-delimiters. No real host name holds them, and
/// each is a way to be read as one host here and as another one there.
pub fn is_valid(authority: &[u8]) -> bool {
    match authority.first() {
        Some(b'[') => match authority.iter().position(|byte| *byte == b']') {
            Some(end) => is_ipv6(&authority[1..end]) && is_port(&authority[end + 1..]),
            None => false,
        },
        Some(_) => {
            // A table, and one look at each byte, because every request is asked about its host.
            let end = authority.iter().position(|byte| !NAME[usize::from(*byte)]).unwrap_or(authority.len());
            end > 0 && is_port(&authority[end..])
        }
        None => false,
    }
}

/// The bytes of a name.
const NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    table
};

fn is_ipv6(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Nothing, or a colon with at most five digits of a number below 65536; RFC 3986 3.2.3 lets the digits be absent.
fn is_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', digits @ ..] if digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit) => {
            digits.iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0')) <= 65535
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_tricks() {
        for good in
            ["a", "app.test", "app.test:80", "app.test.", "app.test:", "127.0.0.1:8080", "[::1]", "[::1]:80", "my_app"]
        {
            assert!(is_valid(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a,b",
            "u@a",
            "a/b",
            "a?b",
            "a#b",
            "a b",
            "a:80x",
            "a:999999",
            "a:65536",
            "a:1:2",
            "[::1",
            "[::1]x",
            "[fe80::1%eth0]",
            "a%2eb",
            "<a>",
            "t\u{e9}st",
            "[a]",
        ] {
            assert!(!is_valid(bad.as_bytes()), "{bad}");
        }
    }
}
