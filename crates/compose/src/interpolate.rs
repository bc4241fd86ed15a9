//! What `${DOMAIN}` stands for.
//!
//! ```text
//! $NAME ${NAME}        its value; nothing, and a warning, where it is not set
//! ${NAME:-default}     the default where it is not set or empty; with - where it is not set
//! ${NAME:?message}     an error where it is not set or empty; with ? where it is not set
//! ${NAME:+other}       the other where it is set and not empty; with + where it is set
//! $$                   the sign itself
//! ```
//!
//! Defaults and others may have variables in them again.

use crate::problem::Fault;

/// The longest text that comes of variables, and far more than any value is.
const LONGEST: usize = 64 * 1024;

/// How deep defaults stand in defaults.
const DEEPEST: usize = 16;

/// Looks up a variable.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Puts values in the place of variables, and notes which are not set.
pub(crate) fn interpolate(text: &str, lookup: Lookup<'_>, unset: &mut Vec<String>) -> Result<String, Fault> {
    if !text.contains('$') {
        return Ok(text.to_owned());
    }
    Template { whole: text, lookup, unset }.fill(text, 0)
}

struct Template<'a, 'b> {
    whole: &'a str,
    lookup: Lookup<'b>,
    unset: &'b mut Vec<String>,
}

impl Template<'_, '_> {
    fn fill(&mut self, text: &str, depth: usize) -> Result<String, Fault> {
        if depth > DEEPEST {
            return Err(Fault::TooDeep(DEEPEST));
        }
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            filled.push_str(before);
            rest = if let Some(after) = after.strip_prefix('$') {
                filled.push('$');
                after
            } else if let Some(inside) = after.strip_prefix('{') {
                let (inside, after) = self.braced(inside)?;
                filled.push_str(&self.expression(inside, depth)?);
                after
            } else {
                let (name, after) = self.name(after)?;
                filled.push_str(&self.value(name));
                after
            };
            if filled.len() > LONGEST {
                return Err(Fault::TooLarge);
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn wrong(&self) -> Fault {
        const SHOWN: usize = 80;
        Fault::Template(self.whole.chars().take(SHOWN).collect())
    }

    fn name<'t>(&self, text: &'t str) -> Result<(&'t str, &'t str), Fault> {
        let is_name =
            |(at, byte): (usize, u8)| byte == b'_' || byte.is_ascii_alphabetic() || at > 0 && byte.is_ascii_digit();
        let end = text.bytes().enumerate().position(|letter| !is_name(letter)).unwrap_or(text.len());
        if end == 0 { Err(self.wrong()) } else { Ok(text.split_at(end)) }
    }

    /// What stands before the brace that closes, and what stands behind it.
    fn braced<'t>(&self, text: &'t str) -> Result<(&'t str, &'t str), Fault> {
        let mut open = 1_usize;
        let mut last = 0;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'{' if last == b'$' => open += 1,
                b'}' => open -= 1,
                _ => {}
            }
            if open == 0 {
                return Ok((&text[..at], &text[at + 1..]));
            }
            last = byte;
        }
        Err(self.wrong())
    }

    fn expression(&mut self, inside: &str, depth: usize) -> Result<String, Fault> {
        let (name, rest) = self.name(inside)?;
        if rest.is_empty() {
            return Ok(self.value(name));
        }
        let (counts_empty, operator) = rest.strip_prefix(':').map_or((false, rest), |operator| (true, operator));
        let found = (self.lookup)(name).filter(|value| !counts_empty || !value.is_empty());
        match (operator.as_bytes().first(), found) {
            (Some(b'-' | b'?'), Some(value)) => Ok(value),
            (Some(b'-'), None) | (Some(b'+'), Some(_)) => self.fill(&operator[1..], depth + 1),
            (Some(b'+'), None) => Ok(String::new()),
            (Some(b'?'), None) => {
                let message = self.fill(&operator[1..], depth + 1)?;
                let message = if message.is_empty() { "the file asks for it".to_owned() } else { message };
                Err(Fault::Required { name: name.to_owned(), message })
            }
            _ => Err(self.wrong()),
        }
    }

    fn value(&mut self, name: &str) -> String {
        (self.lookup)(name).unwrap_or_else(|| {
            self.unset.push(name.to_owned());
            String::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<String, Fault> {
        let lookup = |name: &str| match name {
            "A" => Some("a".to_owned()),
            "EMPTY" => Some(String::new()),
            "LONG" => Some("x".repeat(40_000)),
            _ => None,
        };
        interpolate(text, &lookup, &mut Vec::new())
    }

    #[test]
    fn all_forms() {
        for (text, wanted) in [
            ("$A-${A}$$A", "a-a$A"),
            ("${NO:-x}${EMPTY:-x}${NO-x}${EMPTY-x}", "xxx"),
            ("${A:+x}${EMPTY:+x}${NO:+x}${EMPTY+x}${NO+x}", "xx"),
            ("${NO:-${NO2:-${A}}}!", "a!"),
            ("${NO:-{{A}}", "{{A}"),
            ("${A:?no}${EMPTY?no}", "a"),
            ("$NO.${NO}", "."),
            ("Host(`${A}.com`) && ^.*$$", "Host(`a.com`) && ^.*$"),
            ("${NO:-a:-b}", "a:-b"),
            ("${NO:-$$x}", "$x"),
        ] {
            assert_eq!(of(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        for text in ["$", "a$", "$ ", "$1", "${", "${}", "${A", "${A!}", "${1}", "${A:}", "${A:-${A}"] {
            assert!(matches!(of(text), Err(Fault::Template(_))), "{text}: {:?}", of(text));
        }
        assert_eq!(of("${EMPTY:?say ${A}}"), Err(Fault::Required { name: "EMPTY".into(), message: "say a".into() }));
        assert_eq!(of("$LONG$LONG"), Err(Fault::TooLarge));
        assert!(of(&"${NO:-".repeat(100)).is_err() && of(&"${NO:-".repeat(100_000)).is_err());
        let deep = format!("{}{}", "${NO:-".repeat(50), "}".repeat(50));
        assert_eq!(of(&deep), Err(Fault::TooDeep(DEEPEST)));
    }
}
