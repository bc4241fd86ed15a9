//! Yes and no, times and lists as Go writes them.

use std::time::Duration;

/// Most entries of a list.
const MOST: usize = 1024;

/// Go's `ParseBool`, and the words that people write besides.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => crate::values::yes_or_no(text),
    }
}

/// Whatever it says.
pub(crate) fn anything(_: &str) -> Result<(), String> {
    Ok(())
}

/// Whether it is yes or no.
pub(crate) fn yes(text: &str) -> Result<(), String> {
    boolean(text).map(drop)
}

/// How much is told of a request in traces.
pub(crate) fn verbosity(text: &str) -> Result<(), String> {
    one_of(text, &["minimal", "detailed"])
}

/// One of some words, in whatever case.
pub(crate) fn one_of(text: &str, words: &[&str]) -> Result<(), String> {
    let is_one = words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is_one { Ok(()) } else { Err(format!("none of {}", words.join(", "))) }
}

/// Whether a label turns on something that needs nothing else: anything but `true` and nothing turns it off.
pub(crate) fn turns_on(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("true")
}

/// Words with commas between them.
pub(crate) fn list(text: &str) -> Result<Vec<String>, String> {
    let words: Vec<_> = text.split(',').map(str::trim).filter(|word| !word.is_empty()).take(MOST + 1).collect();
    if words.len() > MOST {
        return Err(format!("a list of more than {MOST} entries"));
    }
    Ok(words.into_iter().map(str::to_owned).collect())
}

/// A duration: a number alone counts seconds, and the rest is as Go has it.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const LONGEST: f64 = 365.0 * 24.0 * 3600.0;
    const WANTED: &str = "not a duration up to 365d; write seconds, or numbers with units (10, 500ms, 1m30s)";
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()))
            .filter(|time| time.as_secs_f64() <= LONGEST)
            .ok_or_else(|| WANTED.to_owned());
    }
    let seconds = seconds(text).filter(|seconds| (0.0..=LONGEST).contains(seconds)).ok_or(WANTED)?;
    Ok(Duration::from_secs_f64(seconds))
}

fn seconds(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|char: char| char.is_ascii_digit() || char == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let factor = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_in_go() {
        for (text, millis) in
            [("10", 10_000), ("500ms", 500), ("1m30s", 90_000), ("1.5s", 1500), ("2h", 7_200_000), ("0", 0)]
        {
            assert_eq!(duration(text).map(|time| time.as_millis()), Ok(millis), "{text}");
        }
        for text in ["", "s", "-1s", "1d", "1 s", "99999999999", "1e9s", "..s", "9000h", "nans", "infs"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(list(" a, b ,,c"), Ok(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
        assert!(list(&"a,".repeat(1025)).is_err());
        assert_eq!((boolean("T"), boolean("0"), boolean("yes")), (Ok(true), Ok(false), Ok(true)));
        assert!(boolean("flase").is_err() && boolean("").is_err());
        assert!(turns_on("") && turns_on("True") && !turns_on("false") && !turns_on("1"));
    }
}
