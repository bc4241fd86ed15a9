//! Field lines as ranges into the bytes that arrived, so that order and spelling survive, and the names that mean something.

use crate::error::HeadError;

/// The field lines of one head, in order, spelled as they arrived.
#[derive(Debug, Default)]
pub struct Fields {
    bytes: Vec<u8>,
    lines: Vec<Line>,
    /// Which names occur, one bit each: most are asked for and absent.
    seen: u32,
}

/// One field line as ranges into [`Fields::bytes`].
#[derive(Clone, Copy, Debug)]
struct Line {
    name: Span,
    value: Span,
    known: Known,
}

/// A range of bytes; half the size of `Range<usize>`, and `Copy`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The span of `part` in `whole`, which it is a slice of.
    pub(crate) fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        let end = start.wrapping_add(part.len());
        debug_assert!(end <= whole.len(), "the tokeniser returns parts of what it was given");
        // A head is limited to far less than 4 GiB.
        Self { start: start as u32, end: end as u32 }
    }
}

/// One field line.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// The line as it arrived, up to two bytes behind the value.
    line: &'a [u8],
    /// The name as it was spelled.
    pub name: &'a [u8],
    /// The value without the white space around it.
    pub value: &'a [u8],
    /// What the name means here.
    pub known: Known,
}

impl Fields {
    /// Takes over the bytes of a head, reusing its memory.
    pub(crate) fn take(&mut self, head: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(head);
        self.lines.clear();
        self.seen = 0;
    }

    /// Notes what the tokeniser found in `head`, the bytes given to [`take`](Self::take).
    ///
    /// # Errors
    /// The tokeniser lets a bare LF end a line (RFC 9112 2.2 allows it); we do not, the next reader may not either.
    pub(crate) fn note(&mut self, found: &[httparse::Header<'_>], head: &[u8]) -> Result<(), HeadError> {
        if !head.ends_with(b"\r\n\r\n") {
            return Err(HeadError::BareLf);
        }
        for header in found {
            let name = header.name.as_bytes();
            let start = Span::of(name, head).start as usize;
            if start < 2 || &head[start - 2..start] != b"\r\n" {
                return Err(HeadError::BareLf);
            }
            let known = Known::of(name);
            self.seen |= known.bit();
            self.lines.push(Line { name: Span::of(name, head), value: Span::of(header.value, head), known });
        }
        Ok(())
    }

    /// The bytes of one part of the head.
    #[inline]
    pub(crate) fn text(&self, span: Span) -> &[u8] {
        &self.bytes[span.start as usize..span.end as usize]
    }

    #[inline]
    fn field(&self, line: &Line) -> Field<'_> {
        // With what follows the value: at least the end of its line, and that of the head.
        let whole = self.text(Span { start: line.name.start, end: line.value.end + 2 });
        let (name, value) = (self.text(line.name), self.text(line.value));
        Field { line: whole, name, value, known: line.known }
    }

    /// All field lines in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.lines.iter().map(|line| self.field(line))
    }

    /// All field lines of that name, in order.
    #[inline]
    pub fn all(&self, known: Known) -> impl Iterator<Item = Field<'_>> {
        let lines = if self.has(known) { &self.lines[..] } else { &[] };
        lines.iter().filter(move |line| line.known == known).map(|line| self.field(line))
    }

    /// Whether any field line has that name.
    #[inline]
    pub fn has(&self, known: Known) -> bool {
        self.seen & known.bit() != 0
    }

    /// The first field line of that name.
    #[inline]
    pub fn get(&self, known: Known) -> Option<Field<'_>> {
        self.all(known).next()
    }

    /// How many field lines there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl Field<'_> {
    /// Writes the line as it arrived, with exactly one space before the value and none after it.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (before, end) = self.line.split_at(self.line.len() - b"\r\n".len());
        let gap = &before[self.name.len()..before.len() - self.value.len()];
        if gap == b": " && end == b"\r\n" {
            return out.extend_from_slice(self.line);
        }
        out.extend_from_slice(self.name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(self.value);
        out.extend_from_slice(b"\r\n");
    }
}

/// Field names that mean something to a proxy. Everything else passes through unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Spelled with `_` where a known name has `-`. A replica that maps both to one variable (CGI, WSGI) would read it as
    /// that name, so it is treated as an attempt to forge it.
    Alias,
    /// `Connection` (RFC 9110 7.6.1).
    Connection,
    /// `Content-Length` (RFC 9110 8.6).
    ContentLength,
    /// `Date` (RFC 9110 6.6.1).
    Date,
    /// Meant for the far end, never for this connection: `Connection` cannot remove it.
    EndToEnd,
    /// `Expect` (RFC 9110 10.1.1).
    Expect,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `Host` (RFC 9110 7.2).
    Host,
    /// Only for the next hop, whether `Connection` names it or not: `Keep-Alive`, `Proxy-Connection`,
    /// `Proxy-Authenticate`, `Proxy-Authorization`, `HTTP2-Settings`.
    HopByHop,
    /// Any name without a meaning here.
    Other,
    /// `Proxy`, which CGI turns into `HTTP_PROXY` (the httpoxy flaw).
    Proxy,
    /// `TE` (RFC 9110 10.1.4).
    Te,
    /// `Transfer-Encoding` (RFC 9112 6.1).
    TransferEncoding,
    /// `Upgrade` (RFC 9110 7.8).
    Upgrade,
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `X-Forwarded-Host`.
    XForwardedHost,
    /// Any other `X-Forwarded-…`.
    XForwardedOther,
    /// `X-Forwarded-Proto`.
    XForwardedProto,
    /// `X-Real-IP`.
    XRealIp,
}

impl Known {
    /// What a name means here, whatever its case (RFC 9110 5.1).
    pub fn of(name: &[u8]) -> Self {
        let known = match (name.len(), name.first().map_or(0, u8::to_ascii_lowercase)) {
            (2, b't') => same(name, b"te", Self::Te),
            (4, b'd') => same(name, b"date", Self::Date),
            (4, b'h') => same(name, b"host", Self::Host),
            (5, b'p') => same(name, b"proxy", Self::Proxy),
            (6, b'c') => same(name, b"cookie", Self::EndToEnd),
            (6, b'e') => same(name, b"expect", Self::Expect),
            (7, b'u') => same(name, b"upgrade", Self::Upgrade),
            (9, b'f') => same(name, b"forwarded", Self::Forwarded),
            (9, b'x') => same(name, b"x-real-ip", Self::XRealIp),
            (10, b'c') => same(name, b"connection", Self::Connection),
            (10, b'k') => same(name, b"keep-alive", Self::HopByHop),
            (10, b's') => same(name, b"set-cookie", Self::EndToEnd),
            (12, b'c') => same(name, b"content-type", Self::EndToEnd),
            (13, b'a') => same(name, b"authorization", Self::EndToEnd),
            (13, b'c') => same(name, b"cache-control", Self::EndToEnd),
            (14, b'c') => same(name, b"content-length", Self::ContentLength),
            (14, b'h') => same(name, b"http2-settings", Self::HopByHop),
            (16, b'c') => same(name, b"content-encoding", Self::EndToEnd),
            (16, b'p') => same(name, b"proxy-connection", Self::HopByHop),
            (17, b't') => same(name, b"transfer-encoding", Self::TransferEncoding),
            (18, b'p') => same(name, b"proxy-authenticate", Self::HopByHop),
            (19, b'p') => same(name, b"proxy-authorization", Self::HopByHop),
            (13.., b'x') => Self::of_forwarded(name),
            _ => None,
        };
        known.unwrap_or(Self::Other)
    }

    fn of_forwarded(name: &[u8]) -> Option<Self> {
        let (prefix, rest) = name.split_at_checked("x-forwarded-".len())?;
        let start = same(prefix, b"x-forwarded-", Self::XForwardedOther)?;
        if start == Self::Alias || rest.contains(&b'_') {
            return Some(Self::Alias);
        }
        let known = match rest.len() {
            3 => same(rest, b"for", Self::XForwardedFor),
            4 => same(rest, b"host", Self::XForwardedHost),
            5 => same(rest, b"proto", Self::XForwardedProto),
            _ => None,
        };
        known.or(Some(Self::XForwardedOther))
    }

    #[inline]
    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// `meaning` where a name of the same length is `known` (in lower case), and an alias where it would be if `_` were `-`.
fn same<const N: usize>(name: &[u8], known: &[u8; N], meaning: Known) -> Option<Known> {
    let name: &[u8; N] = name.try_into().ok()?;
    if is_same(name, known) {
        return Some(meaning);
    }
    let alias = name.iter().zip(known).all(|(a, b)| a.eq_ignore_ascii_case(b) || (*a == b'_' && *b == b'-'));
    (alias && meaning != Known::EndToEnd).then_some(Known::Alias)
}

/// Whether `name`, a token (RFC 9110 5.6.2), is `known` in whatever case. Eight bytes at a time, because every field is asked: the bit
/// that makes a letter a small one changes nothing else that is in a known name.
fn is_same<const N: usize>(name: &[u8; N], known: &[u8; N]) -> bool {
    const SMALL: u64 = u64::from_ne_bytes([0x20; 8]);
    let eight = |bytes: &[u8; N], at: usize| bytes[at..].first_chunk().map_or(0, |eight| u64::from_ne_bytes(*eight));
    if N < 8 {
        return name.iter().zip(known).all(|(a, b)| a | 0x20 == *b);
    }
    // The last eight may begin before the ones before have ended.
    let starts = (0..N - 7).step_by(8).chain([N - 8]);
    starts.fold(0, |differs, at| differs | (eight(name, at) | SMALL) ^ eight(known, at)) == 0
}

/// The members of a comma-separated list (RFC 9110 5.6.1), empty ones left out, white space around them removed.
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_whatever_their_case() {
        for (name, known) in [
            ("Host", Known::Host),
            ("hOsT", Known::Host),
            ("TRANSFER-ENCODING", Known::TransferEncoding),
            ("X-Forwarded-Port", Known::XForwardedOther),
            ("x-real-IP", Known::XRealIp),
            ("Cookie", Known::EndToEnd),
            ("X-Custom", Known::Other),
            ("X-Forwarded", Known::Other),
        ] {
            assert_eq!(Known::of(name.as_bytes()), known, "{name}");
        }
    }

    #[test]
    fn every_byte_of_a_name_counts() {
        for name in
            ["te", "host", "proxy", "expect", "upgrade", "forwarded", "connection", "content-type", "content-length"]
                .into_iter()
                .chain(["content-encoding", "transfer-encoding", "proxy-authenticate", "proxy-authorization"])
        {
            assert_ne!(Known::of(name.as_bytes()), Known::Other, "{name}");
            assert_eq!(Known::of(name.to_uppercase().as_bytes()), Known::of(name.as_bytes()), "{name}");
            for at in 0..name.len() {
                let mut other = name.as_bytes().to_vec();
                other[at] = b'!';
                assert_eq!(Known::of(&other), Known::Other, "{}", other.escape_ascii());
            }
        }
    }

    #[test]
    fn an_underscore_forges_only_names_that_matter() {
        assert_eq!(Known::of(b"Content_Length"), Known::Alias);
        assert_eq!(Known::of(b"X_Forwarded_For"), Known::Alias);
        assert_eq!(Known::of(b"x-forwarded_anything"), Known::Alias);
        assert_eq!(Known::of(b"my_header"), Known::Other);
    }

    #[test]
    fn list_members_are_trimmed() {
        let members: Vec<_> = list(b" a,, b\t,c ").collect();
        assert_eq!(members, [&b"a"[..], b"b", b"c"]);
    }
}
