//! Whether a value is one where it does nothing here: who moves from nginx-proxy hears of a slip of the pen before the day on
//! which it matters.

use crate::native::port_number;
use crate::values::number;

/// Says what would have been accepted.
pub(crate) type Check = fn(&str) -> Result<(), String>;

fn one_of(text: &str, words: &[&str]) -> Result<(), String> {
    if words.contains(&text) { Ok(()) } else { Err(format!("none of {}", words.join(", "))) }
}

fn fits(is: bool, accepted: &str) -> Result<(), String> {
    if is { Ok(()) } else { Err(accepted.to_owned()) }
}

pub(super) fn path(text: &str) -> Result<(), String> {
    fits(text.starts_with('/'), "not a path that begins with / (/var/www)")
}

pub(super) fn mail(text: &str) -> Result<(), String> {
    fits(text.contains('@'), "not an address of mail (me@example.com)")
}

pub(super) fn yes(text: &str) -> Result<(), String> {
    fits(matches!(text, "true" | "false"), "neither true nor false")
}

pub(super) fn policy(text: &str) -> Result<(), String> {
    let is_known = text.starts_with("Mozilla-") || text.starts_with("AWS-");
    fits(is_known, "not the name of a policy (Mozilla-Intermediate, AWS-TLS-1-2-2017-01)")
}

pub(super) fn challenge(text: &str) -> Result<(), String> {
    one_of(text, &["true", "false", "legacy"])
}

pub(super) fn port(text: &str) -> Result<(), String> {
    port_number(text).map(drop)
}

pub(super) fn tokens(text: &str) -> Result<(), String> {
    one_of(text, &["on", "off", "build"])
}

pub(super) fn keepalive(text: &str) -> Result<(), String> {
    let is_known = matches!(text, "auto" | "disabled") || number(text, &(0..=u32::MAX)).is_ok();
    fits(is_known, "neither auto, disabled nor a number of connections")
}

pub(super) fn redirect(text: &str) -> Result<(), String> {
    one_of(text, &["301", "302", "303", "307", "308"])
}
