//! The time of a line, written once a second and copied from then on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use divisi_model::Moment;

use super::Format;
use super::text::digits;

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Writes moments as times of the clock on the wall.
#[derive(Debug)]
pub(super) struct Stamp {
    format: Format,
    /// The time of the wall's clock at the first moment, in nanoseconds.
    origin: u64,
    /// The second that `text` says.
    second: u64,
    text: Vec<u8>,
}

impl Stamp {
    pub(super) fn new(format: Format, wall: SystemTime, now: Moment) -> Self {
        let mut stamp = Self { format, origin: 0, second: u64::MAX, text: Vec::with_capacity(32) };
        stamp.set(wall, now);
        stamp
    }

    /// It is `wall` at the moment `now`. Clocks on walls are set from time to time.
    pub(super) fn set(&mut self, wall: SystemTime, now: Moment) {
        let since = wall.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        self.origin = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX).saturating_sub(now.as_nanos());
    }

    /// The time at `moment`: `25/Nov/2026:21:00:00 +0000`, or `2026-11-25T21:00:00.000Z` (RFC 3339 5.6).
    pub(super) fn of(&mut self, moment: Moment) -> &[u8] {
        let nanos = self.origin.saturating_add(moment.as_nanos());
        let (second, millis) = (nanos / 1_000_000_000, nanos / 1_000_000 % 1000);
        if second != self.second {
            self.second = second;
            self.text.clear();
            match self.format {
                Format::Combined => combined(second, &mut self.text),
                Format::Json => rfc3339(second, &mut self.text),
            }
        }
        if self.format == Format::Json {
            self.text.truncate("2026-11-25T21:00:00.".len());
            digits(millis, 3, &mut self.text);
            self.text.push(b'Z');
        }
        &self.text
    }
}

fn combined(second: u64, out: &mut Vec<u8>) {
    let (year, month, day) = date(second / 86_400);
    digits(day, 2, out);
    out.push(b'/');
    out.extend_from_slice(MONTHS[(month as usize - 1) % 12]);
    out.push(b'/');
    digits(year, 4, out);
    out.push(b':');
    time(second % 86_400, out);
    out.extend_from_slice(b" +0000");
}

fn rfc3339(second: u64, out: &mut Vec<u8>) {
    let (year, month, day) = date(second / 86_400);
    digits(year, 4, out);
    out.push(b'-');
    digits(month, 2, out);
    out.push(b'-');
    digits(day, 2, out);
    out.push(b'T');
    time(second % 86_400, out);
    out.push(b'.');
}

fn time(second: u64, out: &mut Vec<u8>) {
    digits(second / 3600, 2, out);
    out.push(b':');
    digits(second / 60 % 60, 2, out);
    out.push(b':');
    digits(second % 60, 2, out);
}

/// Year, month and day, so many days after the first of 1970. Years are counted from the first of March of the year 0, so that
/// the odd day is the last of its year; 400 of them have always the same 146,097 days.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year, if month < 10 { month + 3 } else { month - 9 });
    (year + u64::from(month <= 2), month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(format: Format, seconds: u64, nanos: u32) -> String {
        let mut stamp = Stamp::new(format, UNIX_EPOCH + Duration::from_secs(seconds), Moment::from_nanos(77));
        let moment = Moment::from_nanos(77 + u64::from(nanos));
        String::from_utf8(stamp.of(moment).to_vec()).expect("text")
    }

    #[test]
    fn both_forms() {
        assert_eq!(at(Format::Combined, 1_795_640_400, 0), "25/Nov/2026:21:00:00 +0000");
        assert_eq!(at(Format::Json, 1_795_640_400, 7_999_999), "2026-11-25T21:00:00.007Z");
    }

    #[test]
    fn every_day_is_the_one_that_others_write() {
        for day in 0..80_000 {
            let wall = UNIX_EPOCH + Duration::from_secs(day * 86_400);
            let (text, (year, month, date)) = (httpdate::fmt_http_date(wall), date(day));
            let month = String::from_utf8_lossy(MONTHS[month as usize - 1]).into_owned();
            assert_eq!(text[5..16], format!("{date:02} {month} {year}"));
        }
    }

    #[test]
    fn the_text_goes_on_with_time() {
        let mut stamp = Stamp::new(Format::Json, UNIX_EPOCH, Moment::from_nanos(0));
        for (nanos, expected) in [(0, "00.000Z"), (5_000_000, "00.005Z"), (1_999_000_000, "01.999Z"), (0, "00.000Z")] {
            assert!(stamp.of(Moment::from_nanos(nanos)).ends_with(expected.as_bytes()), "{nanos}");
        }
    }
}
