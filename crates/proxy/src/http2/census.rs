//! Counts the frames that a peer sends beside requests: cheap to send, and not free to receive.
//!
//! Each kind has an allowance that comes back with time. A peer that goes beyond it is told so (RFC 9113 10.5: ENHANCE_YOUR_CALM)
//! and gets no more. What belongs to bodies and heads is bounded by the library that reads the frames.

use std::cell::{Cell, RefCell};

use divisi_model::Moment;
use h2::Reason;
use tokio::sync::Notify;

use super::PREFACE;
use super::splitter::{Part, Splitter, flag, kind};

/// All that nobody here knows, which is to be passed over (RFC 9113 5.5); what follows 9, CONTINUATION.
const UNKNOWN: u8 = kind::CONTINUATION + 1;

/// Bytes sent for which one more WINDOW_UPDATE, PING and unknown frame are fair: about those of a small response. Clients measure the
/// way with every response, some open the window by as much as they have read, and browsers say how urgent a request is in a frame
/// that is not known here (PRIORITY_UPDATE, RFC 9218 7.1). An answer to a PING is far less.
const BYTES_PER_ANSWER: usize = 64;

/// How many frames of a kind a peer may send at once and within each second after.
const fn allowed(kind: u8) -> Option<u32> {
    match kind {
        // Those with content are bounded by windows.
        kind::DATA => Some(1000),
        kind::PRIORITY | kind::WINDOW_UPDATE | UNKNOWN => Some(1000),
        kind::RST_STREAM => Some(200),
        kind::SETTINGS => Some(50),
        kind::PING => Some(100),
        kind::GOAWAY => Some(10),
        _ => None,
    }
}

/// What a peer has sent.
#[derive(Debug)]
pub(crate) struct Census {
    frames: RefCell<Splitter>,
    /// How many frames of each kind may still come.
    left: [Cell<u32>; UNKNOWN as usize + 1],
    refilled: Cell<Moment>,
    exceeded: Cell<bool>,
    /// The first frame is still to come.
    first: Cell<bool>,
    /// It has come as a whole.
    is_settled: Cell<bool>,
    settled: Notify,
    /// The first frame was none that may be it.
    is_misled: Cell<bool>,
    /// Bytes sent that have not bought a frame yet.
    sent: Cell<usize>,
}

impl Census {
    /// For a peer that begins with the preface, or does not.
    pub(crate) fn new(preface: bool) -> Self {
        let left = std::array::from_fn(|kind| Cell::new(allowed(kind as u8).unwrap_or(0)));
        let before = if preface { PREFACE.len() } else { 0 };
        Self {
            frames: RefCell::new(Splitter::behind(before)),
            left,
            refilled: Cell::new(Moment::now()),
            exceeded: Cell::new(false),
            first: Cell::new(true),
            is_settled: Cell::new(false),
            settled: Notify::new(),
            is_misled: Cell::new(false),
            sent: Cell::new(0),
        }
    }

    /// Whether the peer has sent more of something than it may.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded.get()
    }

    /// What such a peer is told.
    pub(super) fn blame(&self) -> Reason {
        if self.is_misled.get() { Reason::PROTOCOL_ERROR } else { Reason::ENHANCE_YOUR_CALM }
    }

    /// Counts the frames in what has just come.
    pub(crate) fn read(&self, mut bytes: &[u8]) {
        let frames = &mut *self.frames.borrow_mut();
        while let Some(part) = frames.next(&mut bytes) {
            if let Part::Head(head) = part {
                // RFC 9113 3.4: the preface ends with settings, be they empty.
                if self.first.replace(false) && head.kind != kind::SETTINGS {
                    self.is_misled.set(true);
                    self.exceeded.set(true);
                }
                // RFC 9113 6.1: an empty frame that ends a body is as good as any.
                if head.kind != kind::DATA || head.length == 0 && head.flags & flag::END_STREAM == 0 {
                    self.count(head.kind);
                }
            }
            if frames.is_between() && !self.first.get() {
                self.settle();
            }
        }
    }

    /// Waits until the peer's settings have come (RFC 9113 3.4), or never will.
    pub(crate) async fn settled(&self) {
        let settled = self.settled.notified();
        if !self.is_settled.get() {
            settled.await;
        }
    }

    /// Whoever waits for settings waits no longer.
    pub(crate) fn settle(&self) {
        if !self.is_settled.replace(true) {
            self.settled.notify_waiters();
        }
    }

    /// Notes that so many bytes went to the peer.
    pub(crate) fn wrote(&self, bytes: usize) {
        let sent = self.sent.get() + bytes;
        self.sent.set(sent % BYTES_PER_ANSWER);
        for kind in [kind::WINDOW_UPDATE, kind::PING, UNKNOWN] {
            let left = &self.left[usize::from(kind)];
            left.set(left.get().saturating_add((sent / BYTES_PER_ANSWER) as u32));
        }
    }

    fn count(&self, kind: u8) {
        let kind = kind.min(UNKNOWN);
        if allowed(kind).is_none() {
            return;
        }
        let left = &self.left[usize::from(kind)];
        if left.get() == 0 {
            self.refill();
        }
        match left.get() {
            0 => self.exceeded.set(true),
            some => left.set(some - 1),
        }
    }

    /// Once a second everything may come again.
    fn refill(&self) {
        let now = Moment::now();
        if now.since(self.refilled.get()).as_secs() >= 1 {
            self.refilled.set(now);
            for (kind, left) in self.left.iter().enumerate() {
                left.set(left.get().max(allowed(kind as u8).unwrap_or(0)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::splitter::FrameHead;
    use super::*;

    fn frame(kind: u8, length: u32) -> Vec<u8> {
        let mut frame = FrameHead { length, kind, flags: 0, stream: 1 }.bytes().to_vec();
        frame.resize(frame.len() + length as usize, 0);
        frame
    }

    #[test]
    fn what_is_beyond_the_allowance_is_noticed_however_it_is_cut() {
        for cut in [1, 7, 9, 1000] {
            let census = Census::new(true);
            let mut bytes = PREFACE.to_vec();
            bytes.extend(frame(kind::SETTINGS, 0));
            (0..100).for_each(|_| bytes.extend(frame(kind::PING, 8)));
            bytes.chunks(cut).for_each(|part| census.read(part));
            assert!(!census.is_exceeded());
            census.read(&frame(kind::PING, 8));
            assert!(census.is_exceeded(), "cut at {cut}");
        }
    }

    #[tokio::test]
    async fn settings_have_come_with_the_last_byte_of_the_first_frame() {
        for length in [0, 12] {
            let census = Census::new(true);
            let mut bytes = PREFACE.to_vec();
            bytes.extend(frame(kind::SETTINGS, length));
            let (last, before) = bytes.split_last().expect("bytes");
            let mut settled = std::pin::pin!(census.settled());
            for byte in before {
                census.read(&[*byte]);
                assert!(is_pending(&mut settled).await, "{length}");
            }
            census.read(&[*last]);
            settled.await;
            census.settled().await;
        }
    }

    async fn is_pending(waiting: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *waiting).poll(context).is_pending())
        })
        .await
    }

    #[test]
    fn data_is_free_and_nothing_at_all_is_not() {
        let census = Census::new(false);
        census.read(&frame(kind::SETTINGS, 0));
        (0..5000).for_each(|_| census.read(&frame(kind::DATA, 1)));
        assert!(!census.is_exceeded());
        (0..=1000).for_each(|_| census.read(&frame(kind::DATA, 0)));
        assert!(census.is_exceeded());
    }

    #[test]
    fn frames_that_nobody_knows_have_one_allowance_together() {
        let census = Census::new(false);
        census.read(&frame(kind::SETTINGS, 0));
        (0..1000).for_each(|number| census.read(&frame(UNKNOWN + (number % 200) as u8, 8)));
        assert!(!census.is_exceeded());
        census.read(&frame(0xff, 8));
        assert!(census.is_exceeded());
    }

    #[test]
    fn who_is_sent_much_may_open_windows_often() {
        let census = Census::new(false);
        census.read(&frame(kind::SETTINGS, 0));
        census.wrote(10_000 * BYTES_PER_ANSWER);
        (0..11_000).for_each(|_| census.read(&frame(kind::WINDOW_UPDATE, 4)));
        assert!(!census.is_exceeded());
        census.read(&frame(kind::WINDOW_UPDATE, 4));
        assert!(census.is_exceeded());
    }
}
