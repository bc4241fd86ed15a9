//! Tables, times, numbers.

use std::time::Duration;

/// Rows of cells, each column as wide as its widest cell. Cells are single lines.
#[derive(Debug)]
pub(super) struct Table {
    /// Which columns are numbers, and stand to the right.
    right: &'static [bool],
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with that heading.
    pub(super) fn new(heading: &[&str], right: &'static [bool]) -> Self {
        Self { right, rows: vec![heading.iter().map(|cell| one_line(cell)).collect()] }
    }

    /// One more row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(&cell)).collect());
    }

    /// All of it, each line behind `indent`.
    pub(super) fn text(&self, indent: &str) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column));
        let widths: Vec<usize> =
            (0..columns).map(|column| cells(column).map(|cell| cell.chars().count()).max().unwrap_or(0)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = indent.to_owned();
            for ((cell, width), column) in row.iter().zip(&widths).zip(0..) {
                let is_right = self.right.get(column).copied().unwrap_or(false);
                let padded = if is_right { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
                line.push_str(&padded);
                line.push_str("   ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// The most characters of a rule or a value in a table. `--json` has all of it.
const MOST: usize = 60;

/// As much of a long text as a table has room for.
pub(super) fn brief(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text of others, which must not write to the terminal as it likes.
pub(super) fn one_line(text: &str) -> String {
    let shown = |char: char| match char {
        '\n' => '\u{21b5}',
        char if char.is_control() => '\u{fffd}',
        char => char,
    };
    text.chars().map(shown).collect()
}

/// How long something has been so: two units are enough.
pub(super) fn since(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default().as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m {:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

/// How soon something answers.
pub(super) fn latency(seconds: f64) -> String {
    match seconds {
        _ if seconds < 0.000_999_5 => format!("{:.0} µs", seconds * 1e6),
        _ if seconds < 0.009_995 => format!("{:.1} ms", seconds * 1e3),
        _ if seconds < 0.999_5 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.1} s"),
    }
}

/// One of something, or several.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        for (seconds, expected) in [
            (0.0, "0s"),
            (59.9, "59s"),
            (60.0, "1m 00s"),
            (3599.0, "59m 59s"),
            (7500.0, "2h 05m"),
            (90_000.0, "1d 01h"),
            (-1.0, "0s"),
            (f64::NAN, "0s"),
            (1e300, "0s"),
        ] {
            assert_eq!(since(seconds), expected, "{seconds}");
        }
        for (seconds, expected) in
            [(0.000_83, "830 µs"), (0.0041, "4.1 ms"), (0.0437, "44 ms"), (0.9999, "1.0 s"), (12.34, "12.3 s")]
        {
            assert_eq!(latency(seconds), expected);
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(brief(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(brief(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
    }

    #[test]
    fn columns_stand_in_line() {
        let mut table = Table::new(&["NAME", "COUNT"], &[false, true]);
        table.row(["é\x1b[2J\n".to_owned(), "7".to_owned()]);
        table.row(["longest".to_owned()]);
        assert_eq!(table.text("  "), "  NAME      COUNT\n  é\u{fffd}[2J\u{21b5}        7\n  longest\n");
    }
}
