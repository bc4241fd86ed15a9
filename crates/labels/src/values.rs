//! Text to value. Every error says what is accepted, with an example.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// Stores a value that could be read.
///
/// # Errors
/// It could not.
pub fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

/// The same where the setting may also be absent.
///
/// # Errors
/// The value could not be read.
pub fn put_some<T>(place: &mut Option<T>, value: Result<T, String>) -> Result<(), String> {
    put(place, value.map(Some))
}

/// Whether the user wants none of it. Zero is not among the words: of some things it means none, of others no bound.
pub fn is_off(text: &str) -> bool {
    ["off", "no", "false"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A whole number between two bounds.
///
/// # Errors
/// What would have been accepted.
pub fn number<N: FromStr + PartialOrd + Display>(text: &str, range: &RangeInclusive<N>) -> Result<N, String> {
    let found = text.parse().ok().filter(|number| range.contains(number));
    found.ok_or_else(|| format!("not a whole number from {} to {}", range.start(), range.end()))
}

/// A number of bytes between two bounds.
///
/// # Errors
/// What would have been accepted.
pub fn size(text: &str, range: &RangeInclusive<usize>) -> Result<usize, String> {
    let found = bytes(text).filter(|size| range.contains(size));
    found.ok_or_else(|| {
        let (least, most) = (Size(*range.start()), Size(*range.end()));
        format!("not a size from {least} to {most}; write bytes, or a unit (512, 32KiB, 1MiB)")
    })
}

fn bytes(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

struct Size(usize);

impl Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let even = units.into_iter().find(|(shift, _)| self.0 > 0 && self.0.is_multiple_of(1 << shift));
        let (shift, unit) = even.unwrap_or((0, ""));
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

/// Long enough for every purpose here, and far from where adding it to a clock overflows.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A duration that may be nothing.
///
/// # Errors
/// What would have been accepted.
pub fn duration(text: &str) -> Result<Duration, String> {
    span(text)
        .filter(|span| *span <= LONGEST)
        .ok_or_else(|| "not a duration up to 365d; write numbers with units (500ms, 10s, 1m30s, 1h, 7d)".to_owned())
}

/// A duration that must be something.
///
/// # Errors
/// What would have been accepted.
pub fn timeout(text: &str) -> Result<Duration, String> {
    let found = duration(text)?;
    if found.is_zero() { Err("no time at all; write a longer one (500ms, 10s, 1h)".to_owned()) } else { Ok(found) }
}

fn span(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
        let (unit, tail) = tail.split_at(tail.bytes().take_while(u8::is_ascii_alphabetic).count());
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(millis)?))?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// Yes or no.
///
/// # Errors
/// What would have been accepted.
pub fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("neither yes nor no; write true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_no_clock_and_no_memory_can_hold_are_refused() {
        for value in ["", "s", "10", "-1s", "1s1", "366d", "99999999999999999999h", "18446744073709551615d", "1s 2s"] {
            assert!(duration(value).is_err(), "{value:?}");
        }
        for (value, millis) in [("0", 0), ("0s", 0), ("500ms", 500), ("1m30s", 90_000), ("365d", 31_536_000_000)] {
            assert_eq!(duration(value).map(|time| time.as_millis()), Ok(millis), "{value:?}");
        }
        let any = 0..=usize::MAX;
        for value in ["", "KiB", "-1", "1.5MiB", "99999999999999999999", "99999999999999GiB", "1TB"] {
            assert!(size(value, &any).is_err(), "{value:?}");
        }
        for (value, bytes) in [("0", 0), ("128", 128), ("32KiB", 32 << 10), ("1m", 1 << 20), ("2 GB", 2 << 30)] {
            assert_eq!(size(value, &any), Ok(bytes), "{value:?}");
        }
    }

    #[test]
    fn nothing_is_off_by_accident() {
        assert!(["off", "OFF", "no", "False"].into_iter().all(is_off));
        assert!(!["", "0", "on", "none", "offline"].into_iter().any(is_off));
    }
}
