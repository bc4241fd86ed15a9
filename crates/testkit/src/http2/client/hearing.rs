//! What came back: frames are filed by their streams, and read strictly while they are.

use std::io::{self, Read as _};
use std::time::{Duration, Instant};

use super::Client;
use crate::client::Closed;
use crate::http2::frame::{Frame, flag, kind, setting};
use crate::http2::response::{Ending, Response};
use crate::wait::PATIENCE;

impl Client {
    /// Reads until `condition` is true.
    ///
    /// # Panics
    /// When the connection ends or nothing comes for long before it is.
    pub fn wait_for(&mut self, what: &str, condition: impl FnMut(&mut Self) -> bool) {
        if let Err(why) = self.try_wait_for(PATIENCE, condition) {
            panic!("{why} while waiting for {what}; heard: {}", self.heard());
        }
    }

    /// Reads until `condition` is true, for so long at most.
    ///
    /// # Errors
    /// What happened instead.
    pub fn try_wait_for(
        &mut self,
        limit: Duration,
        mut condition: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), String> {
        let end = Instant::now() + limit;
        while !condition(self) {
            if let Some(closed) = self.closed {
                return Err(format!("the connection ended ({closed:?})"));
            }
            if !self.step(end) {
                return Err("nothing came".to_owned());
            }
        }
        Ok(())
    }

    /// Takes whatever has come by now, and answers what wants an answer: not to be called between two pieces of a frame.
    ///
    /// # Panics
    /// When the operating system refuses.
    pub fn drain(&mut self) -> &mut Self {
        self.collect();
        while let Some((frame, used)) = Frame::parse(&self.buffer) {
            self.buffer.drain(..used);
            self.take(frame);
        }
        self
    }

    /// Keeps whatever has come by now for later, so that the other side can send more.
    ///
    /// # Panics
    /// When the operating system refuses.
    pub fn collect(&mut self) -> &mut Self {
        let mut piece = vec![0; 64 * 1024];
        self.stream.set_nonblocking(true).expect("a socket may not block");
        while let Ok(count @ 1..) = self.stream.read(&mut piece) {
            self.buffer.extend_from_slice(&piece[..count]);
        }
        // The end of the connection is read again, and then noted.
        self.stream.set_nonblocking(false).expect("a socket may block");
        self
    }

    /// Takes whatever comes for so long.
    pub fn listen(&mut self, time: Duration) -> &mut Self {
        let _ = self.try_wait_for(time, |_| false);
        self
    }

    /// The GOAWAY of the other side, once it came.
    pub fn goaway(&self) -> Option<&Frame> {
        self.goaway.as_ref()
    }

    /// How the connection ended, once it has.
    pub fn closed(&self) -> Option<Closed> {
        self.closed
    }

    /// How many SETTINGS of this side were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// The code by which a stream was reset, be it before or after its answer was whole.
    pub fn reset_of(&self, stream: u32) -> Option<u32> {
        self.resets.get(&stream).copied()
    }

    /// What came on a stream so far.
    pub fn so_far(&self, stream: u32) -> Response {
        self.answers.get(&stream).cloned().unwrap_or_default()
    }

    /// How many answers have ended, and how.
    pub fn endings(&self) -> impl Iterator<Item = (u32, Ending)> {
        self.answers.iter().filter_map(|(stream, answer)| Some((*stream, answer.ending?)))
    }

    /// The last frames that came.
    pub fn heard(&self) -> String {
        self.heard.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The answer on a stream, to its end, whatever that is.
    ///
    /// # Panics
    /// When nothing comes for long.
    pub fn response(&mut self, stream: u32) -> Response {
        let waited = self.try_wait_for(PATIENCE, |client| client.is_over(stream));
        let mut answer = self.so_far(stream);
        if let Err(why) = waited {
            assert!(self.closed.is_some(), "{why} of an answer on stream {stream}; heard: {}", self.heard());
            answer.ending = Some(Ending::Cut);
        }
        answer
    }

    /// A GET and its answer, which must be whole.
    ///
    /// # Panics
    /// When it is not.
    pub fn fetch(&mut self, path: &str) -> Response {
        let stream = self.get(path);
        self.expect_response(stream)
    }

    pub(super) fn is_over(&self, stream: u32) -> bool {
        self.answers.get(&stream).is_some_and(|answer| answer.ending.is_some())
    }

    /// Takes one frame, or the end; false when neither came until `end`.
    fn step(&mut self, end: Instant) -> bool {
        loop {
            if let Some((frame, used)) = Frame::parse(&self.buffer) {
                self.buffer.drain(..used);
                self.take(frame);
                return true;
            }
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left)).expect("a timeout can be set");
            let mut piece = vec![0; 64 * 1024];
            match self.stream.read(&mut piece) {
                Ok(0) => self.closed = Some(Closed::Fin),
                Ok(count) => {
                    self.buffer.extend_from_slice(&piece[..count]);
                    continue;
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return false;
                }
                Err(_) => self.closed = Some(Closed::Reset),
            }
            return true;
        }
    }

    fn take(&mut self, frame: Frame) {
        if self.heard.len() == 12 {
            self.heard.pop_front();
        }
        self.heard.push_back(format!("{frame:?}"));
        assert!(frame.payload.len() <= 16_384, "a frame that is too large: {frame:?}");
        let whole = self.unfinished.is_none() || frame.kind == kind::CONTINUATION;
        assert!(whole, "{frame:?} within a header block");
        match frame.kind {
            kind::DATA => self.take_data(&frame),
            kind::HEADERS => self.take_block(frame.stream, frame.ends_stream(), &frame, unpadded(&frame)),
            kind::CONTINUATION => {
                let (stream, ends, mut so_far) = self.unfinished.take().expect("a header block to go on with");
                so_far.extend_from_slice(&frame.payload);
                self.take_block(stream, ends, &frame, so_far);
            }
            kind::RST_STREAM => {
                let code = frame.code().expect("four bytes");
                self.resets.entry(frame.stream).or_insert(code);
                let answer = self.answers.entry(frame.stream).or_default();
                answer.ending.get_or_insert(Ending::Reset(code));
            }
            kind::SETTINGS => self.take_settings(&frame),
            kind::PING if frame.has(flag::ACK) => self.pings.push(frame.payload),
            kind::PING if self.acknowledges => {
                self.send(Frame::new(kind::PING, flag::ACK, 0, frame.payload));
            }
            kind::GOAWAY => self.goaway = Some(frame),
            kind::WINDOW_UPDATE => {
                let increment = frame.number(0).expect("four bytes");
                assert!(increment > 0, "a window opened by nothing");
                *self.outbound.of(frame.stream) += i64::from(increment);
            }
            kind::PUSH_PROMISE => panic!("a push nobody wants"),
            _ => {}
        }
    }

    fn take_data(&mut self, frame: &Frame) {
        let left = self.inbound.use_up(frame.stream, frame.payload.len());
        assert!(left >= 0 || frame.payload.is_empty(), "{frame:?} overruns its window by {}", -left);
        let data = unpadded(frame);
        let answer = self.answers.entry(frame.stream).or_default();
        assert!(!answer.fields.is_empty(), "{frame:?} before an answer");
        assert!(answer.ending != Some(Ending::Complete), "{frame:?} after the end");
        answer.body.extend_from_slice(&data);
        answer.pieces += 1;
        if frame.ends_stream() {
            answer.ending.get_or_insert(Ending::Complete);
        }
        if self.opens_windows && !frame.payload.is_empty() {
            let length = u32::try_from(frame.payload.len()).expect("24 bits");
            self.send(Frame::window_update(0, length));
            if !frame.ends_stream() {
                self.send(Frame::window_update(frame.stream, length));
            }
        }
    }

    fn take_block(&mut self, stream: u32, ends: bool, frame: &Frame, block: Vec<u8>) {
        if !frame.has(flag::END_HEADERS) {
            self.unfinished = Some((stream, ends, block));
            return;
        }
        let fields = self.decoder.decode(&block).unwrap_or_else(|why| panic!("{frame:?} cannot be read: {why}"));
        let answer = self.answers.entry(stream).or_default();
        answer.add_fields(fields).unwrap_or_else(|why| panic!("{frame:?} breaks the rules by {why}"));
        if ends {
            answer.ending.get_or_insert(Ending::Complete);
        }
    }

    fn take_settings(&mut self, frame: &Frame) {
        assert_eq!(frame.stream, 0, "settings of a stream");
        if frame.has(flag::ACK) {
            self.acknowledged += 1;
            let change = self.shrinking.pop_front().unwrap_or(0);
            self.inbound.change_initial(change);
            return;
        }
        let values = frame.settings_values();
        if let Some((_, value)) = values.iter().rev().find(|(name, _)| *name == setting::INITIAL_WINDOW_SIZE) {
            self.outbound.change_initial(i64::from(*value) - self.outbound.initial);
        }
        self.settings.get_or_insert_default().extend(values);
        if self.acknowledges {
            self.send(Frame::settings_ack());
        }
    }
}

/// The payload without padding and priority.
fn unpadded(frame: &Frame) -> Vec<u8> {
    let mut payload = &frame.payload[..];
    if frame.has(flag::PADDED) {
        let (length, rest) = payload.split_first().expect("the length of the padding");
        payload = &rest[..rest.len() - usize::from(*length)];
    }
    if frame.kind == kind::HEADERS && frame.has(flag::PRIORITY) {
        payload = &payload[5..];
    }
    payload.to_vec()
}
