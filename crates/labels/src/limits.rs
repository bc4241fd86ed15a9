//! Numbers and times that can be turned off.

use std::time::Duration;

use crate::values::{duration, is_off, number};

/// A duration, or none.
pub(crate) fn time_or_off(text: &str) -> Result<Duration, String> {
    if is_off(text) { Ok(Duration::ZERO) } else { duration(text).map_err(|accepted| format!("{accepted}, or off")) }
}

/// A number, or none.
pub(crate) fn number_or_off(text: &str, most: u32) -> Result<u32, String> {
    if is_off(text) { Ok(0) } else { number(text, &(0..=most)).map_err(|accepted| format!("{accepted}, nor off")) }
}

/// A bound, or none. Zero is neither: some read it as "no bound", some as "nothing at all".
pub(crate) fn bound(text: &str) -> Result<Option<u32>, String> {
    if is_off(text) {
        return Ok(None);
    }
    number(text, &(1..=1_000_000)).map(Some).map_err(|accepted| format!("{accepted}, nor off"))
}

/// A share of a hundred, with or without its sign.
pub(crate) fn percent(text: &str) -> Result<u32, String> {
    let digits = text.strip_suffix('%').unwrap_or(text).trim_end();
    number(digits, &(0..=100)).map_err(|_| "not a percentage from 0% to 100%; write one like 20%".to_owned())
}
