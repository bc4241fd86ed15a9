//! How replicas are asked whether they are well.

use std::ops::RangeInclusive;
use std::time::Duration;

use divisi_model::spec::Question;

use crate::values::{duration, is_off};

/// The longest path: far longer than any in use.
const LONGEST: usize = 1024;

/// Who starts a container writes its labels, and is not to make divisi busy with nothing else.
const SHORTEST: Duration = Duration::from_millis(100);

/// What they are asked.
pub(crate) fn question(text: &str) -> Result<Question, String> {
    if is_off(text) {
        Ok(Question::None)
    } else if text == "tcp" {
        Ok(Question::Tcp)
    } else if is_path(text) {
        Ok(Question::Http(text.into()))
    } else {
        Err("neither tcp, a path that begins with / (/health), nor off".to_owned())
    }
}

/// RFC 9112 3.2.1: it becomes part of a request line as it stands.
fn is_path(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/?".contains(&byte);
    text.starts_with('/') && text.len() <= LONGEST && text.bytes().all(is_allowed)
}

/// The statuses of one that is well. Those below 200 are never the answer (RFC 9110 15.2).
pub(crate) fn statuses(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let read = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (200..=599).contains(status));
    match (read(first), read(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err("neither a status from 200 to 599 (204) nor a range of them (200-399)".to_owned()),
    }
}

/// How often they are asked.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    let found = duration(text)?;
    if found < SHORTEST { Err("too often; write 100ms or more (5s, 1m)".to_owned()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions() {
        assert_eq!(question("off"), Ok(Question::None));
        assert_eq!(question("tcp"), Ok(Question::Tcp));
        assert_eq!(question("/up?deep=1"), Ok(Question::Http("/up?deep=1".into())));
        for text in ["", "up", "http://a/up", "/a b", "/a\r\nX: y", "/ü", "/a#b", &format!("/{}", "x".repeat(1024))] {
            assert!(question(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn ranges_of_statuses() {
        assert_eq!(statuses("204"), Ok(204..=204));
        assert_eq!(statuses("200-399"), Ok(200..=399));
        assert_eq!(statuses("200 - 299"), Ok(200..=299));
        for text in ["", "-", "200-", "-299", "100", "399-200", "200-600", "2xx", "200-299-399"] {
            assert!(statuses(text).is_err(), "{text:?}");
        }
    }
}
