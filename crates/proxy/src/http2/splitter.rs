//! Where frames begin and end in a stream of bytes (RFC 9113 4.1), for those who only count or remember: frames are read by whoever
//! answers them.

/// RFC 9113 6: frames by their numbers.
pub(super) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// RFC 9113 6: flags of frames, each of which some kinds have.
pub(super) mod flag {
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_STREAM: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// RFC 9113 4.1: every frame begins with so many bytes.
const HEADER: usize = 9;

/// What a frame begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FrameHead {
    /// How long its content is, in bytes.
    pub(super) length: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// Its stream; 0 is the connection itself.
    pub(super) stream: u32,
}

impl FrameHead {
    fn read([a, b, c, kind, flags, d, e, f, g]: [u8; HEADER]) -> Self {
        // The first bit of the stream is reserved, and passed over.
        let stream = u32::from_be_bytes([d, e, f, g]) & 0x7fff_ffff;
        Self { length: u32::from_be_bytes([0, a, b, c]), kind, flags, stream }
    }

    /// As it goes over the wire.
    pub(super) fn bytes(self) -> [u8; HEADER] {
        let [_, a, b, c] = self.length.to_be_bytes();
        let [d, e, f, g] = self.stream.to_be_bytes();
        [a, b, c, self.kind, self.flags, d, e, f, g]
    }
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Head(FrameHead),
    /// Some of the content of the frame, or all of it.
    Content(&'a [u8]),
}

/// Where in a stream of frames the bytes are that come next.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    header: [u8; HEADER],
    /// How much of the header has come.
    known: u8,
    /// How much of the content is still to come.
    left: u32,
}

impl Splitter {
    /// A stream of frames behind so many bytes that are none.
    pub(super) fn behind(bytes: usize) -> Self {
        Self { left: bytes as u32, ..Self::default() }
    }

    /// Takes the next part from `bytes`; None where there is none yet.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Part<'a>> {
        if self.left > 0 {
            let (part, rest) = bytes.split_at(bytes.len().min(self.left as usize));
            *bytes = rest;
            self.left -= part.len() as u32;
            return (!part.is_empty()).then_some(Part::Content(part));
        }
        let known = usize::from(self.known);
        let (part, rest) = bytes.split_at(bytes.len().min(HEADER - known));
        *bytes = rest;
        self.header[known..known + part.len()].copy_from_slice(part);
        self.known += part.len() as u8;
        if usize::from(self.known) < HEADER {
            return None;
        }
        self.known = 0;
        let head = FrameHead::read(self.header);
        self.left = head.length;
        Some(Part::Head(head))
    }

    /// Whether the last frame has come as a whole, and nothing of the next one.
    pub(super) fn is_between(&self) -> bool {
        self.known == 0 && self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let head = FrameHead { length: 3, kind: kind::PING, flags: flag::ACK, stream: 0x7fff_ffff };
        let mut bytes = b"before".to_vec();
        bytes.extend(head.bytes());
        bytes.extend(b"abc");
        bytes.extend(FrameHead::default().bytes());
        for cut in 1..=bytes.len() {
            let mut splitter = Splitter::behind(6);
            let (mut heads, mut content) = (Vec::new(), Vec::new());
            for mut part in bytes.chunks(cut) {
                while let Some(part) = splitter.next(&mut part) {
                    match part {
                        Part::Head(head) => heads.push(head),
                        Part::Content(part) => content.extend_from_slice(part),
                    }
                }
            }
            assert_eq!(heads, [head, FrameHead::default()], "cut at {cut}");
            assert_eq!(content, b"beforeabc", "cut at {cut}");
            assert!(splitter.is_between(), "cut at {cut}");
        }
    }
}
