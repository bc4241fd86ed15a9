//! Signals as Docker writes them: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`.

/// What stops a container that names no other signal.
pub(crate) const TERM: u8 = 15;
/// The signal that no process survives.
pub(crate) const KILL: u8 = 9;

const RTMIN: u8 = 34;
const RTMAX: u8 = 64;

/// Linux's numbers, which are the engine's on every architecture that Docker runs on.
const NAMES: [(&str, u8); 32] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("IOT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", KILL),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", TERM),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// The number of a signal; None for what is no signal.
pub(crate) fn number(text: &str) -> Option<u8> {
    let text = text.trim().to_ascii_uppercase();
    if let Ok(number) = text.parse::<u8>() {
        return (1..=RTMAX).contains(&number).then_some(number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(&text);
    if let Some(offset) = name.strip_prefix("RTMIN") {
        return real_time(RTMIN, offset);
    }
    if let Some(offset) = name.strip_prefix("RTMAX") {
        return real_time(RTMAX, offset);
    }
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

fn real_time(from: u8, offset: &str) -> Option<u8> {
    let offset = if offset.is_empty() { 0 } else { offset.parse::<i8>().ok()? };
    from.checked_add_signed(offset).filter(|number| (RTMIN..=RTMAX).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_as_docker_writes_them() {
        let cases = [("SIGTERM", 15), ("term", 15), ("15", 15), ("QUIT", 3), ("3", 3), ("SIGWINCH", 28)];
        for (text, expected) in cases {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        assert_eq!(number("RTMIN+3"), Some(37));
        assert_eq!(number("SIGRTMIN"), Some(34));
        assert_eq!(number("SIGRTMAX-1"), Some(63));
    }

    #[test]
    fn what_is_no_signal_is_none() {
        for text in ["", "0", "65", "SIGNAL", "RTMIN+99", "RTMIN-1", "RTMAX+1", "-9"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
