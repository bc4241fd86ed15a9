//! The query of a URL, as forms write it: `name=value&name=value`, with `%` and `+`.

use std::fmt::Write as _;

/// Its pairs, decoded. What is no text in the end has characters of replacement.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

fn text(sent: &str) -> String {
    let mut bytes = Vec::with_capacity(sent.len());
    let mut rest = sent.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match (first, byte.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Text as it stands in a query.
pub fn encoded(text: &str) -> String {
    let mut sent = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => sent.push(char::from(byte)),
            // Writing to a string does not fail.
            other => drop(write!(sent, "%{other:02X}")),
        }
    }
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_read_again() {
        for value in ["", "a b", "http://a.test/x?y=1&z=%41#é", "Name: va+lue;,\"\n", "%", "%4"] {
            let query = format!("url={}&x=1", encoded(value));
            assert_eq!(pairs(&query), [("url".to_owned(), value.to_owned()), ("x".to_owned(), "1".to_owned())]);
        }
    }

    #[test]
    fn nothing_is_read_that_is_not_there() {
        assert!(pairs("").is_empty() && pairs("&&").is_empty());
        assert_eq!(
            pairs("a+b&%+1=%zz%é%f"),
            [("a b".to_owned(), String::new()), ("% 1".to_owned(), "%zz%é%f".to_owned())]
        );
        assert_eq!(pairs("a=%ff")[0].1, "\u{fffd}");
    }
}
