//! A client of HTTP/2 that says what the test says, keeps its own books, and judges what comes back.
//!
//! What must not fail panics with a reason; what may has `try_` in its name. SETTINGS and PING of the other side are
//! acknowledged, and windows opened again as DATA comes, unless the test wants it otherwise.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::client::Closed;
use crate::http2::frame::{Frame, PREFACE, code_name, flag, kind, setting};
use crate::http2::hpack::{Decoder, block};
use crate::http2::response::{Ending, Response};
use crate::wait::PATIENCE;

/// The window of a connection, and of a stream where nothing else was said (RFC 9113 6.9.2).
const WINDOW: i64 = 65_535;

/// A connection to whatever is under test.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    decoder: Decoder,
    /// Stream and bytes of a header block that is not whole yet.
    unfinished: Option<(u32, bool, Vec<u8>)>,
    next_stream: u32,
    answers: BTreeMap<u32, Response>,
    resets: BTreeMap<u32, u32>,
    pings: Vec<Vec<u8>>,
    acknowledged: usize,
    settings: Option<Vec<(u16, u32)>>,
    goaway: Option<Frame>,
    closed: Option<Closed>,
    /// What the other side may send.
    inbound: Windows,
    /// What this side may send.
    outbound: Windows,
    /// By how much windows shrink with each acknowledgement that is awaited.
    shrinking: VecDeque<i64>,
    opens_windows: bool,
    acknowledges: bool,
    /// The last frames that came, for messages.
    heard: VecDeque<String>,
}

/// Windows of one direction.
#[derive(Debug)]
struct Windows {
    connection: i64,
    initial: i64,
    streams: BTreeMap<u32, i64>,
}

impl Windows {
    fn new() -> Self {
        Self { connection: WINDOW, initial: WINDOW, streams: BTreeMap::new() }
    }

    fn of(&mut self, stream: u32) -> &mut i64 {
        if stream == 0 { &mut self.connection } else { self.streams.entry(stream).or_insert(self.initial) }
    }

    fn use_up(&mut self, stream: u32, length: usize) -> i64 {
        let length = i64::try_from(length).expect("the length of a frame");
        self.connection -= length;
        *self.of(stream) -= length;
        self.connection.min(*self.of(stream))
    }

    fn change_initial(&mut self, change: i64) {
        self.initial += change;
        self.streams.values_mut().for_each(|window| *window += change);
    }
}

/// The fields of a plain GET.
pub fn get_fields(path: &str) -> Vec<(&str, &str)> {
    vec![(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "app.test")]
}

/// The fields of a plain POST.
pub fn post_fields(path: &str) -> Vec<(&str, &str)> {
    vec![(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "app.test")]
}

impl Client {
    /// A connection on which nothing was said yet.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn connect(addr: SocketAddr) -> Self {
        let connect = || -> io::Result<TcpStream> {
            let stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        };
        Self {
            stream: connect().expect("the proxy accepts a connection"),
            buffer: Vec::new(),
            decoder: Decoder::new(4096),
            unfinished: None,
            next_stream: 1,
            answers: BTreeMap::new(),
            resets: BTreeMap::new(),
            pings: Vec::new(),
            acknowledged: 0,
            settings: None,
            goaway: None,
            closed: None,
            inbound: Windows::new(),
            outbound: Windows::new(),
            shrinking: VecDeque::new(),
            opens_windows: true,
            acknowledges: true,
            heard: VecDeque::new(),
        }
    }

    /// A connection on which both sides have said and acknowledged their settings (RFC 9113 3.4).
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn open(addr: SocketAddr) -> Self {
        Self::open_with(addr, &[])
    }

    /// The same with these settings of this side.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn open_with(addr: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut client = Self::connect(addr);
        client.send_raw(PREFACE);
        client.send(Frame::settings(settings));
        client.wait_for("the settings of the other side", |client| client.settings.is_some());
        client.wait_for("the acknowledgement of ours", |client| client.acknowledged > 0);
        client
    }

    /// From now on windows are opened only by the test.
    pub fn keep_windows(&mut self) -> &mut Self {
        self.opens_windows = false;
        self
    }

    /// From now on SETTINGS and PING are not acknowledged.
    pub fn keep_silent(&mut self) -> &mut Self {
        self.acknowledges = false;
        self
    }

    /// What the other side said of a setting.
    pub fn setting(&self, name: u16) -> Option<u32> {
        let values = self.settings.as_ref()?;
        values.iter().rev().find(|(found, _)| *found == name).map(|(_, value)| *value)
    }

    /// How large a frame the other side takes.
    pub fn largest_frame(&self) -> usize {
        self.setting(setting::MAX_FRAME_SIZE).map_or(16_384, |size| size.try_into().expect("24 bits"))
    }

    /// How long the other side may take to take what is sent.
    ///
    /// # Panics
    /// When the operating system refuses.
    pub fn impatient(&mut self, limit: Duration) -> &mut Self {
        self.stream.set_write_timeout(Some(limit)).expect("a timeout can be set");
        self
    }

    /// The socket's receive buffer is small from now on, so that the other side soon notices that nobody reads.
    ///
    /// # Panics
    /// When the operating system refuses.
    pub fn small_buffer(&mut self) -> &mut Self {
        SockRef::from(&self.stream).set_recv_buffer_size(4096).expect("a size can be set");
        self
    }

    // Saying.

    /// Sends bytes as they are. What does not arrive because the other side is gone shows when reading.
    pub fn send_raw(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        // Many a test goes on writing after the other side has judged it.
        let _ = self.try_send_raw(bytes);
        self
    }

    /// Sends bytes as they are, if the other side takes them.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn try_send_raw(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends a frame.
    #[expect(clippy::needless_pass_by_value, reason = "frames are made where they are sent")]
    pub fn send(&mut self, frame: Frame) -> &mut Self {
        self.note(&frame);
        self.send_raw(frame.bytes())
    }

    /// Sends frames in one piece.
    pub fn send_all(&mut self, frames: &[Frame]) -> &mut Self {
        frames.iter().for_each(|frame| self.note(frame));
        self.send_raw(frames.iter().flat_map(Frame::bytes).collect::<Vec<u8>>())
    }

    /// A stream that was not used yet.
    pub fn fresh_stream(&mut self) -> u32 {
        self.next_stream += 2;
        self.next_stream - 2
    }

    /// Begins a request with these fields and leaves it open; returns its stream.
    pub fn begin<N: AsRef<[u8]>, V: AsRef<[u8]>>(&mut self, fields: impl IntoIterator<Item = (N, V)>) -> u32 {
        let stream = self.fresh_stream();
        self.send(Frame::headers(stream, block(fields)));
        stream
    }

    /// Sends a request without a body; returns its stream.
    pub fn request<N: AsRef<[u8]>, V: AsRef<[u8]>>(&mut self, fields: impl IntoIterator<Item = (N, V)>) -> u32 {
        let stream = self.fresh_stream();
        self.send(Frame::headers(stream, block(fields)).end_stream());
        stream
    }

    /// Sends a plain GET; returns its stream.
    pub fn get(&mut self, path: &str) -> u32 {
        self.request(get_fields(path))
    }

    /// Begins a plain POST; returns its stream.
    pub fn post(&mut self, path: &str) -> u32 {
        self.begin(post_fields(path))
    }

    /// Sends a body as the windows allow, and ends the stream.
    ///
    /// # Panics
    /// When the windows are not opened in time.
    pub fn send_body(&mut self, stream: u32, body: &[u8]) -> &mut Self {
        let mut rest = body;
        while !rest.is_empty() {
            self.wait_for("an open window", |client| {
                client.outbound.connection > 0 && *client.outbound.of(stream) > 0 || client.is_over(stream)
            });
            if self.is_over(stream) {
                return self;
            }
            let open = self.outbound.connection.min(*self.outbound.of(stream));
            let open = usize::try_from(open).expect("more than nothing").min(16_384).min(rest.len());
            let (now, later) = rest.split_at(open);
            rest = later;
            self.send(Frame::data(stream, now));
        }
        self.send(Frame::data(stream, []).end_stream())
    }

    /// What this side may still send on a stream.
    pub fn outbound_window(&mut self, stream: u32) -> i64 {
        *self.outbound.of(stream)
    }

    /// Ends the connection without a word.
    pub fn close(self) {}

    fn note(&mut self, frame: &Frame) {
        match frame.kind {
            kind::DATA => {
                self.outbound.use_up(frame.stream, frame.payload.len());
            }
            kind::WINDOW_UPDATE if frame.payload.len() == 4 => {
                *self.inbound.of(frame.stream) += i64::from(frame.number(0).unwrap_or(0) & 0x7fff_ffff);
            }
            kind::SETTINGS if !frame.has(flag::ACK) => self.note_settings(frame),
            kind::HEADERS => {
                self.next_stream = self.next_stream.max((frame.stream & 0x7fff_ffff).saturating_add(2) | 1)
            }
            _ => {}
        }
    }

    /// A larger window counts at once, a smaller one when the other side has said that it knows.
    fn note_settings(&mut self, frame: &Frame) {
        let latest = self.inbound.initial + self.shrinking.iter().sum::<i64>();
        let wanted = frame.settings_values().into_iter().rev().find(|(name, _)| *name == setting::INITIAL_WINDOW_SIZE);
        let change = wanted.map_or(0, |(_, value)| i64::from(value) - latest);
        if change > 0 {
            self.inbound.change_initial(change);
        }
        self.shrinking.push_back(change.min(0));
    }

    // Hearing.

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

    /// Takes whatever has come by now.
    ///
    /// # Panics
    /// When the operating system refuses.
    pub fn drain(&mut self) -> &mut Self {
        let mut piece = vec![0; 64 * 1024];
        self.stream.set_nonblocking(true).expect("a socket may not block");
        while let Ok(count @ 1..) = self.stream.read(&mut piece) {
            self.buffer.extend_from_slice(&piece[..count]);
        }
        // The end of the connection is read again, and then noted.
        self.stream.set_nonblocking(false).expect("a socket may block");
        while let Some((frame, used)) = Frame::parse(&self.buffer) {
            self.buffer.drain(..used);
            self.take(frame);
        }
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

    // Judging.

    /// The answer on a stream, which must come whole.
    ///
    /// # Panics
    /// When it does not.
    pub fn expect_response(&mut self, stream: u32) -> Response {
        let answer = self.response(stream);
        assert!(answer.is_complete() && answer.status() != 0, "{}; heard: {}", answer.shown(), self.heard());
        answer
    }

    /// The connection goes on: a PING is answered.
    ///
    /// # Panics
    /// When it is not.
    pub fn expect_alive(&mut self) -> &mut Self {
        let payload = [&b"alive"[..], &self.next_stream.to_be_bytes()[1..]].concat();
        self.pings.clear();
        self.send(Frame::new(kind::PING, 0, 0, payload.clone()));
        self.wait_for("the answer to a PING", |client| client.pings.contains(&payload));
        assert!(self.goaway.is_none(), "an unexpected {:?}", self.goaway);
        self
    }

    /// The connection goes on, and so does service on it.
    ///
    /// # Panics
    /// When it does not.
    pub fn expect_served(&mut self) -> &mut Self {
        let answer = self.fetch("/");
        assert_eq!(answer.status(), 200, "{}", answer.shown());
        self
    }

    /// A connection error (RFC 9113 5.4.1): GOAWAY with one of these codes, and then the end. The end alone is allowed,
    /// too: the GOAWAY is a SHOULD, and may be lost when a socket is closed on unread bytes.
    ///
    /// # Panics
    /// When it is not one.
    pub fn expect_connection_error(&mut self, codes: &[u32]) {
        let waited = self.try_wait_for(PATIENCE, |client| client.closed.is_some());
        let said = self.goaway.as_ref().and_then(Frame::code);
        assert!(waited.is_ok(), "the connection should have ended with {}; heard: {}", names(codes), self.heard());
        if let Some(said) = said {
            assert!(codes.contains(&said), "GOAWAY {} and not {}", code_name(said), names(codes));
        }
    }

    /// The end of the connection, whatever is said before it.
    ///
    /// # Panics
    /// When it does not end.
    pub fn expect_closed(&mut self) {
        self.wait_for("the end of the connection", |client| client.closed.is_some());
    }

    /// GOAWAY with one of these codes; the connection may go on.
    ///
    /// # Panics
    /// When none comes, or another.
    pub fn expect_goaway(&mut self, codes: &[u32]) -> Frame {
        self.wait_for("GOAWAY", |client| client.goaway.is_some());
        let goaway = self.goaway.clone().expect("it came");
        let said = goaway.code().expect("a code");
        assert!(codes.contains(&said), "GOAWAY {} and not {}", code_name(said), names(codes));
        goaway
    }

    /// RST_STREAM with one of these codes, and nothing for the connection.
    ///
    /// # Panics
    /// When something else comes.
    pub fn expect_reset(&mut self, stream: u32, codes: &[u32]) {
        let answer = self.response(stream);
        let reset = answer.reset();
        assert!(
            reset.is_some_and(|code| codes.contains(&code)),
            "not {}: {}; heard: {}",
            names(codes),
            answer.shown(),
            self.heard()
        );
    }

    /// A stream error (RFC 9113 5.4.2), which a peer may take for one of the connection.
    ///
    /// # Panics
    /// When it is neither.
    pub fn expect_stream_error(&mut self, stream: u32, codes: &[u32]) {
        let over = |client: &mut Self| client.goaway.is_some() || client.reset_of(stream).is_some();
        let waited = self.try_wait_for(PATIENCE, over);
        let said = self.reset_of(stream).or_else(|| self.goaway.as_ref().and_then(Frame::code));
        match said {
            Some(said) => {
                assert!(codes.contains(&said), "{} and not {}; heard: {}", code_name(said), names(codes), self.heard())
            }
            None => assert!(self.closed.is_some(), "{waited:?} and not {}; heard: {}", names(codes), self.heard()),
        }
    }

    /// What a malformed request gets (RFC 9113 8.1.1): a stream error, or an answer of 400 and the like before it.
    ///
    /// # Panics
    /// When it is taken for a good one.
    pub fn expect_malformed(&mut self, stream: u32) {
        use crate::http2::frame::code;
        let over = |client: &mut Self| client.goaway.is_some() || client.is_over(stream);
        let waited = self.try_wait_for(PATIENCE, over);
        let answer = self.so_far(stream);
        if (400..500).contains(&answer.status()) {
            return;
        }
        let said = answer.reset().or_else(|| self.goaway.as_ref().and_then(Frame::code));
        let refused = said.map_or(self.closed.is_some(), |said| said == code::PROTOCOL_ERROR);
        assert!(refused, "taken for a good request: {} ({waited:?}); heard: {}", answer.shown(), self.heard());
    }

    fn is_over(&self, stream: u32) -> bool {
        self.answers.get(&stream).is_some_and(|answer| answer.ending.is_some())
    }

    // Reading.

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

fn names(codes: &[u32]) -> String {
    codes.iter().map(|code| code_name(*code)).collect::<Vec<_>>().join(" or ")
}
