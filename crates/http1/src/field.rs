//! Field lines as ranges into the bytes that arrived, so that order and spelling survive, and the names that mean something.

/// The field lines of one head, in order, spelled as they arrived.
#[derive(Debug, Default)]
pub struct Fields {
    bytes: Vec<u8>,
    lines: Vec<Line>,
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
    }

    /// Notes what the tokeniser found in `head`, the bytes given to [`take`](Self::take).
    pub(crate) fn note(&mut self, found: &[httparse::Header<'_>], head: &[u8]) {
        self.lines.extend(found.iter().map(|header| {
            let name = header.name.as_bytes();
            Line { name: Span::of(name, head), value: Span::of(header.value, head), known: Known::of(name) }
        }));
    }

    /// The bytes of one part of the head.
    pub(crate) fn text(&self, span: Span) -> &[u8] {
        &self.bytes[span.start as usize..span.end as usize]
    }

    /// All field lines in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.lines.iter().map(|line| Field {
            name: self.text(line.name),
            value: self.text(line.value),
            known: line.known,
        })
    }

    /// The first field line of that name.
    pub fn get(&self, known: Known) -> Option<Field<'_>> {
        self.iter().find(|field| field.known == known)
    }

    /// How many field lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
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
        let known = Self::by_length(name);
        let forged = known != Self::Other && known != Self::EndToEnd && name.contains(&b'_');
        if forged { Self::Alias } else { known }
    }

    fn by_length(name: &[u8]) -> Self {
        let candidates: &[(&[u8], Self)] = match name.len() {
            2 => &[(b"te", Self::Te)],
            4 => &[(b"host", Self::Host), (b"date", Self::Date)],
            5 => &[(b"proxy", Self::Proxy)],
            6 => &[(b"cookie", Self::EndToEnd), (b"expect", Self::Expect)],
            7 => &[(b"upgrade", Self::Upgrade)],
            9 => &[(b"x-real-ip", Self::XRealIp), (b"forwarded", Self::Forwarded)],
            10 => {
                &[(b"connection", Self::Connection), (b"keep-alive", Self::HopByHop), (b"set-cookie", Self::EndToEnd)]
            }
            12 => &[(b"content-type", Self::EndToEnd)],
            13 => &[(b"authorization", Self::EndToEnd), (b"cache-control", Self::EndToEnd)],
            14 => &[(b"content-length", Self::ContentLength), (b"http2-settings", Self::HopByHop)],
            15 => &[(b"x-forwarded-for", Self::XForwardedFor)],
            16 => &[
                (b"content-encoding", Self::EndToEnd),
                (b"x-forwarded-host", Self::XForwardedHost),
                (b"proxy-connection", Self::HopByHop),
            ],
            17 => &[(b"transfer-encoding", Self::TransferEncoding), (b"x-forwarded-proto", Self::XForwardedProto)],
            18 => &[(b"proxy-authenticate", Self::HopByHop)],
            19 => &[(b"proxy-authorization", Self::HopByHop)],
            _ => &[],
        };
        let found = candidates.iter().find(|(known, _)| same(name, known)).map(|(_, known)| *known);
        found.unwrap_or_else(|| Self::by_prefix(name))
    }

    fn by_prefix(name: &[u8]) -> Self {
        const PREFIX: &[u8] = b"x-forwarded-";
        match name.get(..PREFIX.len()) {
            Some(start) if same(start, PREFIX) => Self::XForwardedOther,
            _ => Self::Other,
        }
    }
}

/// Whether a name is `known` (in lower case), taking `_` for `-`.
fn same(name: &[u8], known: &[u8]) -> bool {
    name.len() == known.len()
        && name.iter().zip(known).all(|(a, b)| a.to_ascii_lowercase() == *b || (*a == b'_' && *b == b'-'))
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
