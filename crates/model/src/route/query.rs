//! Parameters of a query, as forms write them (`application/x-www-form-urlencoded`): this is how Traefik and the programs
//! behind read them.

use std::borrow::Cow;

use super::path;

/// The values of a parameter, as they were sent. A pair with `;` in it is none: some read that as two.
pub(crate) fn values<'a>(query: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    let pairs = query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty() && !pair.contains(&b';'));
    let split = pairs.map(|pair| match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &[][..]),
    });
    split.filter(move |(found, _)| is_text(found, name)).map(|(_, value)| value)
}

/// Whether that was sent for this text.
pub(crate) fn is_text(sent: &[u8], text: &str) -> bool {
    // Decoded, it is not longer.
    sent.len() >= text.len() && decoded(sent).eq(text.bytes())
}

/// The text for which that was sent. Allocates where something is encoded, which only an expression has to know.
pub(crate) fn text(sent: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = !sent.iter().any(|byte| matches!(byte, b'%' | b'+'));
    if is_plain { Cow::Borrowed(sent) } else { Cow::Owned(decoded(sent).collect()) }
}

fn decoded(sent: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = sent;
    std::iter::from_fn(move || {
        let (first, after) = rest.split_first()?;
        let escaped = path::escaped(first, after);
        rest = if escaped.is_some() { &after[2..] } else { after };
        Some(escaped.unwrap_or(if *first == b'+' { b' ' } else { *first }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_forms() {
        for (query, expected) in [
            ("", &[][..]),
            ("a", &[""]),
            ("a=", &[""]),
            ("a=1&b=2&a=3", &["1", "3"]),
            ("%61=x+y%2Bz", &["x y+z"]),
            ("a=1;a=2", &[]),
            ("&&a=%zz%4", &["%zz%4"]),
            ("ab=1&A=1&=a", &[]),
        ] {
            let found: Vec<_> = values(query.as_bytes(), "a").map(|value| text(value).into_owned()).collect();
            assert_eq!(found, expected.iter().map(|text| text.as_bytes()).collect::<Vec<_>>(), "{query}");
        }
    }
}
