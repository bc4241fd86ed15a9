//! Text and numbers for a line, written without a detour through `core::fmt`, which costs more than the line.

use std::time::Duration;

/// What is cut off is seen to be.
const CUT: &[u8] = b"...";

/// A number with at least so many digits.
pub(super) fn digits(number: u64, least: usize, out: &mut Vec<u8>) {
    let mut text = [b'0'; 20];
    let (mut at, mut rest) = (text.len(), number);
    while rest > 0 {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&text[at.min(text.len() - least.clamp(1, text.len()))..]);
}

/// Seconds with six decimals.
pub(super) fn seconds(time: Duration, out: &mut Vec<u8>) {
    digits(time.as_secs(), 1, out);
    out.push(b'.');
    digits(u64::from(time.subsec_micros()), 6, out);
}

/// Text for between quotes, or where `bare` for between spaces: what is no plain ASCII becomes `\xNN`, so that nothing in it ends
/// the text, the line, or the peace of a terminal. Of longer text than `most` the rest is cut off.
pub(super) fn escaped(text: &[u8], most: usize, bare: bool, out: &mut Vec<u8>) {
    bounded(text, most, out, |text, out| {
        let is_plain = |byte: &u8| PLAIN[usize::from(*byte)] && !(bare && *byte == b' ');
        let mut rest = text;
        loop {
            let plain = rest.iter().position(|byte| !is_plain(byte)).unwrap_or(rest.len());
            out.extend_from_slice(&rest[..plain]);
            let Some(odd) = rest.get(plain) else { return };
            match odd {
                b'"' | b'\\' => out.extend([b'\\', *odd]),
                odd => hexadecimal(*odd, out),
            }
            rest = &rest[plain + 1..];
        }
    });
}

/// Text for between the quotes of a string of JSON (RFC 8259 7). What is no UTF-8 becomes `\\xNN`, which reads as `\xNN`.
pub(super) fn json(text: &[u8], most: usize, out: &mut Vec<u8>) {
    bounded(text, most, out, |text, out| {
        if text.iter().all(|byte| PLAIN[usize::from(*byte)]) {
            return out.extend_from_slice(text);
        }
        for chunk in text.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    '"' | '\\' => out.extend([b'\\', letter as u8]),
                    // Terminals obey those of Latin-1, too.
                    letter if letter.is_control() => {
                        out.extend_from_slice(b"\\u00");
                        out.extend(hex(letter as u32 as u8));
                    }
                    letter => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
            for byte in chunk.invalid() {
                out.push(b'\\');
                hexadecimal(*byte, out);
            }
        }
    });
}

fn bounded(text: &[u8], most: usize, out: &mut Vec<u8>, write: impl Fn(&[u8], &mut Vec<u8>)) {
    write(&text[..text.len().min(most)], out);
    if text.len() > most {
        out.extend_from_slice(CUT);
    }
}

fn hexadecimal(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\x");
    out.extend(hex(byte));
}

fn hex(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|half| b"0123456789abcdef"[usize::from(half)])
}

/// The bytes that are written as they are, between quotes.
const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        table[byte] = !matches!(byte as u8, b'"' | b'\\');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn numbers_have_the_digits_they_need() {
        for (number, least, expected) in
            [(0, 1, "0"), (0, 3, "000"), (7, 2, "07"), (1234, 2, "1234"), (u64::MAX, 1, "18446744073709551615")]
        {
            assert_eq!(written(|out| digits(number, least, out)), expected);
        }
        assert_eq!(written(|out| seconds(Duration::from_nanos(61_000_042_999), out)), "61.000042");
    }

    #[test]
    fn nothing_ends_a_text_or_a_line() {
        let odd = b"a \"b\\\r\n\x00\x1b\x7f\xc3\xa9\xff";
        assert_eq!(written(|out| escaped(odd, 99, false, out)), "a \\\"b\\\\\\x0d\\x0a\\x00\\x1b\\x7f\\xc3\\xa9\\xff");
        assert_eq!(written(|out| escaped(b"a b", 99, true, out)), "a\\x20b");
        assert_eq!(written(|out| json(odd, 99, out)), "a \\\"b\\\\\\u000d\\u000a\\u0000\\u001b\\u007f\u{e9}\\\\xff");
        assert_eq!(written(|out| json("\u{9b}31m".as_bytes(), 99, out)), "\\u009b31m");
    }

    #[test]
    fn what_is_long_is_cut() {
        assert_eq!(written(|out| escaped(b"abcd", 3, false, out)), "abc...");
        assert_eq!(written(|out| json(b"abc", 3, out)), "abc");
        assert_eq!(written(|out| json("ab\u{e9}".as_bytes(), 3, out)), "ab\\\\xc3...");
    }
}
