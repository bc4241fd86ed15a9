//! A client of HTTP/2 that says what the test says, keeps its own books, and judges what comes back.
//!
//! What must not fail panics with a reason; what may has `try_` in its name. SETTINGS and PING of the other side are
//! acknowledged, and windows opened again as DATA comes, unless the test wants it otherwise.
//!
//! Here it speaks; `hearing` has what came back, `judging` what must.

mod hearing;
mod judging;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::client::Closed;
use crate::http2::frame::{Frame, PREFACE, flag, kind, setting};
use crate::http2::hpack::{Decoder, block};
use crate::http2::response::Response;
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

    /// What the other side may still send on a stream.
    pub fn inbound_window(&mut self, stream: u32) -> i64 {
        *self.inbound.of(stream)
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
        let table = frame.settings_values().into_iter().rev().find(|(name, _)| *name == setting::HEADER_TABLE_SIZE);
        if let Some((_, size)) = table {
            self.decoder.allow(size as usize);
        }
    }
}
