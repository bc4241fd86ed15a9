//! What a strict origin accepts: one spelling for everything, so that no two parsers can read a request differently.
//!
//! It shares nothing with the engine under test on purpose: a mistake made twice is a mistake nobody sees.

/// How long the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    None,
    /// That many bytes.
    Sized(usize),
    /// In chunks.
    Chunked,
}

/// What is wrong with the head of a request, and how its body is framed.
pub fn check(head: &[u8]) -> (Vec<String>, Framing) {
    let mut faults = Vec::new();
    let mut lines = split_lines(head).into_iter();
    let request_line = lines.next().unwrap_or_default();
    if !is_request_line(request_line) {
        faults.push(format!("request line: {}", shown(request_line)));
    }
    let mut fields = Vec::new();
    for line in lines {
        match field(line) {
            Some(field) => fields.push(field),
            None => faults.push(format!("field line: {}", shown(line))),
        }
    }
    let values = |name: &str| -> Vec<&[u8]> {
        fields
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| *value)
            .collect()
    };
    let hosts = values("host").len();
    if hosts != 1 && request_line.ends_with(b"1.1") {
        faults.push(format!("{hosts} Host fields"));
    }
    let framing = check_framing(&values("content-length"), &values("transfer-encoding"), &mut faults);
    (faults, framing)
}

fn check_framing(lengths: &[&[u8]], codings: &[&[u8]], faults: &mut Vec<String>) -> Framing {
    if !lengths.is_empty() && !codings.is_empty() {
        faults.push("Content-Length beside Transfer-Encoding".to_owned());
    }
    if lengths.len() > 1 {
        faults.push("several Content-Length fields".to_owned());
    }
    let length = lengths.first().map(|value| (value, canonical_number(value)));
    if let Some((value, None)) = length {
        faults.push(format!("form of Content-Length: {}", shown(value)));
    }
    if !codings.is_empty() {
        if codings.len() != 1 || !codings[0].eq_ignore_ascii_case(b"chunked") {
            faults.push(format!("form of Transfer-Encoding: {}", shown(&codings.join(&b'|'))));
        }
        return Framing::Chunked;
    }
    match length {
        Some((_, Some(length))) if length < 1_000_000_000 => Framing::Sized(length),
        _ => Framing::None,
    }
}

fn is_request_line(line: &[u8]) -> bool {
    let words: Vec<_> = line.split(|&byte| byte == b' ').collect();
    let [method, target, version] = words[..] else { return false };
    let form = target == b"*" || target.starts_with(b"/") || (target.len() > 7 && target.starts_with(b"http://"));
    let visible = target.iter().all(|byte| (0x21..=0x7e).contains(byte));
    is_token(method) && form && visible && (version == b"HTTP/1.1" || version == b"HTTP/1.0")
}

fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let clean = line[colon..].iter().all(|&byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f));
    (is_token(name) && clean).then_some((name, value))
}

fn is_token(bytes: &[u8]) -> bool {
    let in_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(in_token)
}

fn canonical_number(value: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(value).ok()?;
    let number: usize = text.parse().ok()?;
    (number.to_string() == text && text.len() <= 19).then_some(number)
}

fn split_lines(head: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = head;
    while let Some(at) = crate::message::find(rest, b"\r\n") {
        lines.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    lines.push(rest);
    lines
}

fn shown(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)]))
}

/// What the front of a chunked body is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunk<'a> {
    /// Not whole yet.
    More,
    /// A chunk of data; `used` bytes go with it.
    Data { data: &'a [u8], used: usize },
    /// The last chunk with its trailer fields, if any; `used` bytes go with it.
    Last { trailers: &'a [u8], used: usize },
    /// Nothing a strict reader accepts.
    Bad(String),
}

/// Reads one chunk at the front of `bytes`: hexadecimal size, CRLF, data, CRLF, and no extension.
pub(crate) fn chunk(bytes: &[u8]) -> Chunk<'_> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let line_end = &bytes[digits..bytes.len().min(digits + 2)];
    if digits > 16 || !b"\r\n".starts_with(line_end) || (digits == 0 && !line_end.is_empty()) {
        return Chunk::Bad(format!("chunk line: {}", shown(bytes)));
    }
    if line_end.len() < 2 {
        return Chunk::More;
    }
    let size = std::str::from_utf8(&bytes[..digits]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
    let Some(size) = size else { return Chunk::Bad("chunk size".to_owned()) };
    let start = digits + 2;
    if size == 0 {
        return last_chunk(bytes, start);
    }
    match start.checked_add(size).and_then(|end| Some((end, bytes.get(end..end.checked_add(2)?)?))) {
        None => Chunk::More,
        Some((end, b"\r\n")) => Chunk::Data { data: &bytes[start..end], used: end + 2 },
        Some(_) => Chunk::Bad("chunk data is not followed by CRLF".to_owned()),
    }
}

fn last_chunk(bytes: &[u8], start: usize) -> Chunk<'_> {
    match crate::message::find(&bytes[start - 2..], b"\r\n\r\n") {
        None => Chunk::More,
        Some(0) => Chunk::Last { trailers: b"", used: start + 2 },
        Some(at) => Chunk::Last { trailers: &bytes[start..start + at], used: start + at + 2 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_request_has_no_fault() {
        assert_eq!(check(b"GET / HTTP/1.1\r\nHost: a"), (Vec::new(), Framing::None));
        assert_eq!(check(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12"), (Vec::new(), Framing::Sized(12)));
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_a_fault() {
        let heads = [
            "GET / HTTP/1.1",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a",
            "GET / HTTP/1.1\r\nHost : a\r\nHost: a",
            "GET / HTTP/1.1\r\nHost: a\nX: b",
            "GET / HTTP/1.2\r\nHost: a",
            "G(T / HTTP/1.1\r\nHost: a",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 01",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked",
        ];
        for head in heads {
            assert!(!check(head.as_bytes()).0.is_empty(), "{head:?}");
        }
    }

    #[test]
    fn chunks_are_read_one_by_one() {
        assert_eq!(chunk(b""), Chunk::More);
        assert_eq!(chunk(b"5\r\nhel"), Chunk::More);
        assert_eq!(chunk(b"5\r\nhello\r\n0"), Chunk::Data { data: b"hello", used: 10 });
        assert_eq!(chunk(b"0\r\n\r\nX"), Chunk::Last { trailers: b"", used: 5 });
        assert_eq!(chunk(b"0\r\nA: b\r\n\r\nX"), Chunk::Last { trailers: b"A: b\r\n", used: 11 });
        for bad in ["5;a=b\r\n", "\r\n", "x", "5\n", "5\r\nhelloXX", "5 \r\n", "11111111111111111"] {
            assert!(matches!(chunk(bad.as_bytes()), Chunk::Bad(_)), "{bad:?}");
        }
    }
}
