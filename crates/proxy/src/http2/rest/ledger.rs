//! What two sides of a connection of HTTP/2 have said that outlasts their streams.

use std::io::IoSlice;
use std::time::Duration;

use divisi_model::Moment;

use super::super::PREFACE;
use super::super::splitter::{FrameHead, Part, Splitter, flag, kind};
use super::table::Table;

/// RFC 9113 6.5.2: the settings by their numbers, from 1 on.
const SETTINGS: usize = 6;
const HEADER_TABLE_SIZE: usize = 1;
const INITIAL_WINDOW_SIZE: usize = 4;

/// RFC 9113 6.9.2: how far every window is open at first, in bytes.
pub(super) const FIRST_WINDOW: u32 = 65_535;

/// What a client and we have said to each other.
#[derive(Debug)]
pub(crate) struct Ledger {
    heard: Ear,
    said: Ear,
    facts: Facts,
    /// What is to be said could not be written yet.
    is_behind: bool,
}

/// What of it is valid now.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// What the client has set, by numbers less one.
    settings: [Option<u32>; SETTINGS],
    has_settings: bool,
    /// The client has acknowledged ours.
    is_acknowledged: bool,
    /// The last stream that the client has opened; 0 before the first.
    pub(super) last_stream: u32,
    /// How much we may send, and how much the client may, whatever the stream.
    pub(super) window: i64,
    pub(super) client_window: i64,
    pub(super) table: Table,
    /// When we have given up a stream last.
    reset: Option<Moment>,
    /// Something was said that cannot be told again.
    is_lost: bool,
}

impl Default for Ledger {
    fn default() -> Self {
        let facts = Facts {
            settings: [None; SETTINGS],
            has_settings: false,
            is_acknowledged: false,
            last_stream: 0,
            window: FIRST_WINDOW.into(),
            client_window: FIRST_WINDOW.into(),
            table: Table::default(),
            reset: None,
            is_lost: false,
        };
        let heard = Ear { frames: Splitter::behind(PREFACE.len()), ..Ear::default() };
        Self { heard, said: Ear::default(), facts, is_behind: false }
    }
}

impl Ledger {
    /// Whether the connection can rest with nothing kept but the facts, once its last stream is over: both sides are at rest, and all
    /// that the client relies on can be told again.
    ///
    /// It cannot where a client's heads come in several frames or change the size of the table, and where it has said that it is about to
    /// leave.
    pub(in crate::http2) fn is_complete(&self) -> bool {
        let Facts { has_settings, is_acknowledged, last_stream, is_lost, .. } = self.facts;
        let is_known = has_settings && is_acknowledged && last_stream > 0 && !is_lost;
        is_known && !self.is_behind && self.heard.frames.is_between() && self.said.frames.is_between()
    }

    /// Whether something was said that cannot be told again.
    pub(in crate::http2) fn is_lost(&self) -> bool {
        self.facts.is_lost
    }

    /// For how long we have given up no stream.
    ///
    /// RFC 9113 5.1: what the client has sent before it knew is ignored for some time, by whoever still knows that stream. Crate h2 does
    /// for a second.
    pub(in crate::http2) fn unreset(&self) -> Duration {
        self.facts.reset.map_or(Duration::MAX, |reset| Moment::now().since(reset))
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Gives back the memory that is not in use.
    pub(in crate::http2) fn shrink(&mut self) {
        self.facts.table.shrink();
    }

    /// Notes what the client has said.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        let Self { heard, facts, .. } = self;
        if facts.is_lost {
            return;
        }
        heard.listen(bytes, |head, content| facts.hear(head, content));
    }

    /// Notes that we have said the first so many bytes of `parts`.
    pub(super) fn say(&mut self, parts: &[IoSlice<'_>], mut bytes: usize) {
        let Self { said, facts, is_behind, .. } = self;
        *is_behind = false;
        if facts.is_lost {
            return;
        }
        for part in parts {
            let part = &part[..part.len().min(bytes)];
            bytes -= part.len();
            said.listen(part, |head, content| facts.say(head, content));
        }
    }

    /// Notes that we could not say what is to be said.
    pub(super) fn fall_behind(&mut self) {
        self.is_behind = true;
    }
}

impl Facts {
    /// The client's settings, as they are written.
    pub(super) fn settings(&self) -> Vec<u8> {
        let set = self.settings.iter().zip(1u16..).filter_map(|(value, number)| Some((number, (*value)?)));
        set.flat_map(|(number, value)| number.to_be_bytes().into_iter().chain(value.to_be_bytes())).collect()
    }

    /// How far the window of a new stream is open to us.
    pub(super) fn first_window(&self) -> u32 {
        self.settings[INITIAL_WINDOW_SIZE - 1].unwrap_or(FIRST_WINDOW)
    }

    fn hear(&mut self, head: FrameHead, content: &[u8]) {
        match head.kind {
            // RFC 9113 6.9: padding counts, frame headers do not.
            kind::DATA => self.client_window -= i64::from(head.length),
            kind::HEADERS => self.hear_head(head, content),
            kind::SETTINGS if head.flags & flag::ACK != 0 => self.is_acknowledged = true,
            kind::SETTINGS => self.hear_settings(content),
            kind::WINDOW_UPDATE if head.stream == 0 => self.window += increment(content),
            // A head in several frames is one of many large ones, and who says GOAWAY will ask for nothing more.
            kind::CONTINUATION | kind::GOAWAY => self.lose(),
            _ => {}
        }
    }

    fn say(&mut self, head: FrameHead, content: &[u8]) {
        match head.kind {
            kind::DATA => self.window -= i64::from(head.length),
            kind::WINDOW_UPDATE if head.stream == 0 => self.client_window += increment(content),
            kind::RST_STREAM => self.reset = Some(Moment::now()),
            _ => {}
        }
    }

    fn hear_head(&mut self, head: FrameHead, content: &[u8]) {
        self.last_stream = self.last_stream.max(head.stream);
        let noted = block(head, content).map(|block| self.table.note(block));
        if noted.is_none_or(|noted| noted.is_err()) {
            self.lose();
        }
    }

    fn hear_settings(&mut self, content: &[u8]) {
        for setting in content.chunks_exact(6) {
            let [a, b, c, d, e, f] = *setting else { continue };
            let number = usize::from(u16::from_be_bytes([a, b]));
            // Another size of the table is said at the beginning of the next head, which those in between would not have.
            if number == HEADER_TABLE_SIZE && self.has_settings {
                self.lose();
            }
            if let Some(value) = number.checked_sub(1).and_then(|number| self.settings.get_mut(number)) {
                *value = Some(u32::from_be_bytes([c, d, e, f]));
            }
        }
        self.has_settings = true;
    }

    fn lose(&mut self) {
        self.is_lost = true;
        self.table = Table::default();
    }
}

/// The compressed head in a frame (RFC 9113 6.2); None where the frame does not hold all of it.
fn block(head: FrameHead, content: &[u8]) -> Option<&[u8]> {
    if head.flags & flag::END_HEADERS == 0 {
        return None;
    }
    let (padding, content) = match head.flags & flag::PADDED {
        0 => (0, content),
        _ => content.split_first().map(|(padding, rest)| (usize::from(*padding), rest))?,
    };
    let priority = if head.flags & flag::PRIORITY == 0 { 0 } else { 5 };
    content.get(priority..content.len().checked_sub(padding)?)
}

/// RFC 9113 6.9: by how much a window is opened. The first bit is reserved.
fn increment(content: &[u8]) -> i64 {
    content.try_into().map_or(0, |bytes| i64::from(u32::from_be_bytes(bytes) & 0x7fff_ffff))
}

/// Listens to one of the two sides.
#[derive(Debug, Default)]
struct Ear {
    frames: Splitter,
    /// The frame that was begun last.
    head: FrameHead,
    /// What has come of its content, where it comes in parts.
    content: Vec<u8>,
}

impl Ear {
    /// Calls `note` for every frame that is complete, with the content of those kinds that are listened to.
    fn listen(&mut self, mut bytes: &[u8], mut note: impl FnMut(FrameHead, &[u8])) {
        while let Some(part) = self.frames.next(&mut bytes) {
            let is_whole = self.frames.is_between();
            match part {
                Part::Head(head) => {
                    self.head = head;
                    if is_whole {
                        note(head, &[]);
                    }
                }
                Part::Content(_) if !matters(self.head.kind) => {
                    if is_whole {
                        note(self.head, &[]);
                    }
                }
                Part::Content(part) if is_whole && self.content.is_empty() => note(self.head, part),
                Part::Content(part) => {
                    self.content.extend_from_slice(part);
                    if is_whole {
                        note(self.head, &std::mem::take(&mut self.content));
                    }
                }
            }
        }
    }
}

/// Whether the content of such frames is listened to.
fn matters(frame: u8) -> bool {
    matches!(frame, kind::HEADERS | kind::SETTINGS | kind::WINDOW_UPDATE)
}
