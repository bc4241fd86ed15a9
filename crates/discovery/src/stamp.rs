//! The engine's clock, as its answers write it: RFC 3339.

/// Nanoseconds since 1970 of `2024-05-06T07:08:09.123456789Z`, where that is a time at all.
pub(crate) fn nanos(text: &str) -> Option<i64> {
    let digits = |from: usize, length: usize| -> Option<i64> {
        let part = text.get(from..from + length)?;
        if part.bytes().all(|byte| byte.is_ascii_digit()) { part.parse().ok() } else { None }
    };
    let days = days(digits(0, 4)?, digits(5, 2)?, digits(8, 2)?)?;
    let seconds = digits(11, 2)? * 3600 + digits(14, 2)? * 60 + digits(17, 2)?;
    let rest = text.get(19..)?;
    let fraction = rest.strip_prefix('.').map_or("", |rest| {
        let end = rest.bytes().take_while(u8::is_ascii_digit).count();
        &rest[..end.min(9)]
    });
    let nanos = format!("{fraction:0<9}").parse::<i64>().ok()?;
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let seconds = days * 86_400 + seconds - offset(zone)?;
    // Docker writes the year 1 for a start that has not been.
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos).filter(|nanos| *nanos > 0)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar (Howard Hinnant's `days_from_civil`, years from 0 on).
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let seconds = hours.parse::<u8>().ok().map(i64::from)? * 3600 + minutes.parse::<u8>().ok().map(i64::from)? * 60;
    match zone.as_bytes().first()? {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_docker_and_podman_write_them() {
        let cases = [
            ("1970-01-01T00:00:00.000000001Z", 1),
            ("2000-02-29T12:00:00Z", 951_825_600_000_000_000),
            ("2026-11-25T18:35:28.5Z", 1_795_631_728_500_000_000),
            ("2026-11-25T18:35:28.123456789Z", 1_795_631_728_123_456_789),
            ("2026-11-25T20:05:28+01:30", 1_795_631_728_000_000_000),
            ("2026-11-25T16:35:28.5-02:00", 1_795_631_728_500_000_000),
        ];
        for (text, expected) in cases {
            assert_eq!(nanos(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        let cases = [
            "",
            "never",
            "0001-01-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-25T18:35:28",
            "9999-12-31T23:59:59Z",
        ];
        for text in cases {
            assert_eq!(nanos(text), None, "{text}");
        }
        assert_eq!(nanos("2026-11-25T18:35:28.ü"), None);
        assert_eq!(nanos("+026-11-25T18:35:28Z"), None);
    }
}
