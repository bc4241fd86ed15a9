//! The access log: one line for each exchange, and nobody waits for it.
//!
//! ```text
//! Record ─► Journal (a worker's own page) ── full, or at a tick ──► writer (one thread) ─► sink
//!                    ▲                                                │
//!                    └──────────────── empty pages ◄──────────────────┘
//! ```
//!
//! A worker has a fixed number of pages. When the sink is slower than the requests all of them are on their way; then lines are
//! thrown away and counted, and requests go on. Once the pages exist, a line costs no allocation and no lock.

mod combined;
mod date;
mod json;
mod text;
mod writer;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use divisi_http1::{RequestHead, Version};
use divisi_model::{Moment, Name, Replica};

use self::date::Stamp;
pub(crate) use self::writer::Writer;
use crate::identity::Speech;

/// Pages of one worker.
const PAGES: usize = 8;

/// Bytes of a page.
const PAGE: usize = 64 * 1024;

/// More than the longest line has: what clients say is cut off, and so is every name.
const LONGEST: usize = 32 * 1024;

/// How long the end of the program waits for a sink that takes nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a line of the access log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The combined format of Apache and nginx, and fields `key=value` behind it.
    #[default]
    Combined,
    /// An object of JSON.
    Json,
}

/// Where the access log goes, and how it is written.
pub struct AccessLog {
    format: Format,
    sink: Box<dyn Write + Send>,
}

impl AccessLog {
    /// A log of that format, written to `sink`, which may block: requests do not wait for it.
    pub fn new(format: Format, sink: impl Write + Send + 'static) -> Self {
        Self { format, sink: Box::new(sink) }
    }

    /// Starts the writer, and makes a journal for each worker. What is lost is counted in `dropped`.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(crate) fn open(self, workers: usize, dropped: &Arc<AtomicU64>) -> std::io::Result<(Writer, Vec<Journal>)> {
        let (full, pages) = sync_channel(workers * PAGES);
        let (homes, journals): (Vec<_>, Vec<_>) = (0..workers)
            .map(|worker| {
                let (home, empty) = sync_channel(PAGES);
                (home, Journal::new(self.format, worker, full.clone(), empty, Arc::clone(dropped)))
            })
            .unzip();
        Ok((Writer::start(self.sink, pages, homes, Arc::clone(dropped))?, journals))
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("format", &self.format).finish_non_exhaustive()
    }
}

/// What one exchange came to.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) client: IpAddr,
    /// The same as text, where there is one.
    pub(crate) address: Option<&'a str>,
    /// None where the client sent something else.
    pub(crate) request: Option<&'a RequestHead>,
    /// Which HTTP it spoke.
    pub(crate) speech: Speech,
    /// What it sent instead.
    pub(crate) unread: &'a [u8],
    pub(crate) since: Moment,
    /// 0 where the client got none.
    pub(crate) status: u16,
    /// Bytes of the response's body.
    pub(crate) body: u64,
    pub(crate) service: Option<&'a Name>,
    pub(crate) replica: Option<&'a Replica>,
    pub(crate) attempts: u16,
    pub(crate) held: Option<Duration>,
    pub(crate) connect: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) total: Duration,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) reason: Option<&'a str>,
}

/// Lines on their way from a worker to the writer.
#[derive(Debug)]
pub(crate) struct Page {
    worker: usize,
    text: Vec<u8>,
}

/// Where one worker writes its lines.
#[derive(Debug)]
pub(crate) struct Journal {
    format: Format,
    worker: usize,
    page: RefCell<Vec<u8>>,
    /// Pages that exist.
    pages: Cell<usize>,
    stamp: RefCell<Stamp>,
    full: SyncSender<Page>,
    empty: Receiver<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

impl Journal {
    fn new(
        format: Format,
        worker: usize,
        full: SyncSender<Page>,
        empty: Receiver<Vec<u8>>,
        dropped: Arc<AtomicU64>,
    ) -> Self {
        let page = RefCell::new(Vec::with_capacity(PAGE));
        let stamp = RefCell::new(Stamp::new(format, SystemTime::now(), Moment::now()));
        Self { format, worker, page, pages: Cell::new(1), stamp, full, empty, dropped }
    }

    /// Writes a line, or counts it as lost where there is no room.
    pub(crate) fn write(&self, entry: &Entry<'_>) {
        if self.page.borrow().len() > PAGE - LONGEST && !self.hand_over() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let (mut page, mut stamp) = (self.page.borrow_mut(), self.stamp.borrow_mut());
        let time = stamp.of(entry.since);
        match self.format {
            Format::Combined => combined::write(entry, time, &mut page),
            Format::Json => json::write(entry, time, &mut page),
        }
        page.push(b'\n');
    }

    /// Gives what was written to the writer, if there is a page to go on with. Called at every tick.
    pub(crate) fn tick(&self) {
        if !self.page.borrow().is_empty() {
            self.hand_over();
        }
    }

    /// Asks what time it is. Called once a second.
    pub(crate) fn set_time(&self) {
        self.stamp.borrow_mut().set(SystemTime::now(), Moment::now());
    }

    fn hand_over(&self) -> bool {
        let next = match self.empty.try_recv() {
            Ok(page) => page,
            Err(TryRecvError::Empty) if self.pages.get() < PAGES => {
                self.pages.set(self.pages.get() + 1);
                Vec::with_capacity(PAGE)
            }
            Err(_) => return false,
        };
        self.send(self.page.replace(next));
        true
    }

    /// There is room for as many pages as exist, so it fails only where the writer has died.
    fn send(&self, text: Vec<u8>) {
        if let Err(unsent) = self.full.try_send(Page { worker: self.worker, text }) {
            let (TrySendError::Full(page) | TrySendError::Disconnected(page)) = unsent;
            self.dropped.fetch_add(lines(&page.text), Ordering::Relaxed);
        }
    }
}

/// What is left goes out. The last page needs no other one to follow.
impl Drop for Journal {
    fn drop(&mut self) {
        let page = self.page.take();
        if !page.is_empty() {
            self.send(page);
        }
    }
}

/// How much is told of what others say; the rest is cut off.
mod bounds {
    pub(super) const METHOD: usize = 32;
    pub(super) const TARGET: usize = 2048;
    pub(super) const HOST: usize = 255;
    pub(super) const REFERER: usize = 512;
    pub(super) const USER_AGENT: usize = 512;
    pub(super) const NAME: usize = 255;
    pub(super) const REASON: usize = 512;
}

/// The first field of that name, which is in lower case.
fn field<'a>(request: &'a RequestHead, name: &[u8]) -> Option<&'a [u8]> {
    request.fields().iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

fn first_line(text: &[u8]) -> &[u8] {
    text.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default()
}

fn lines(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Waits until `is_done`, but no longer than until `deadline`.
fn wait_until(deadline: Instant, is_done: impl Fn() -> bool) -> bool {
    while !is_done() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}

/// Which version of HTTP a request came in.
fn version(entry: &Entry<'_>, request: &RequestHead) -> &'static [u8] {
    match (entry.speech, request.version()) {
        (Speech::Http2, _) => b"HTTP/2.0",
        (Speech::Http1, Version::Http10) => b"HTTP/1.0",
        (Speech::Http1, Version::Http11) => b"HTTP/1.1",
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use allocation_counter::measure;
    use divisi_http1::HeadLimits;

    use super::*;

    #[test]
    fn a_line_allocates_nothing() {
        let mut request = RequestHead::default();
        let text = b"GET /\"a?b HTTP/1.1\r\nHost: a\r\nUser-Agent: \xff\"\r\nReferer: http://a/\r\n\r\n";
        request.parse(text, HeadLimits::default()).expect("a head").expect("all of it");
        let name = Name { project: "shop".into(), service: "web".into() };
        let entry = Entry {
            client: Ipv4Addr::LOCALHOST.into(),
            address: None,
            request: Some(&request),
            speech: Speech::Http1,
            unread: &[],
            since: Moment::now(),
            status: 503,
            body: 7,
            service: Some(&name),
            replica: None,
            attempts: 2,
            held: Some(Duration::from_millis(1)),
            connect: None,
            first_byte: None,
            total: Duration::from_secs(1),
            received: 1,
            sent: 2,
            reason: Some("\"none\""),
        };
        for format in [Format::Combined, Format::Json] {
            let (_writer, journals) =
                AccessLog::new(format, std::io::sink()).open(1, &Arc::default()).expect("a thread");
            let journal = &journals[0];
            let info = measure(|| (0..50).for_each(|_| journal.write(&entry)));
            assert_eq!((info.count_total, journal.page.borrow().capacity()), (0, PAGE), "{format:?}");
        }
    }

    #[test]
    fn the_longest_line_fits() {
        let odd = [b'\x01'; 20_000];
        let name = Name { project: "\x01".repeat(999).into(), service: "\x01".repeat(999).into() };
        let mut request = RequestHead::default();
        let text =
            format!("GET /{0} HTTP/1.1\r\nHost: a\r\nReferer: {0}\r\nUser-Agent: {0}\r\n\r\n", "\"".repeat(5000));
        let limits = HeadLimits { size: 99_999, ..HeadLimits::default() };
        request.parse(text.as_bytes(), limits).expect("a head").expect("all of it");
        for (format, request) in [(Format::Combined, None), (Format::Json, None), (Format::Json, Some(&request))] {
            let (_writer, journals) =
                AccessLog::new(format, std::io::sink()).open(1, &Arc::default()).expect("a thread");
            journals[0].write(&Entry {
                client: Ipv4Addr::LOCALHOST.into(),
                address: None,
                request,
                speech: Speech::Http1,
                unread: &odd,
                since: Moment::now(),
                status: 0,
                body: u64::MAX,
                service: Some(&name),
                replica: None,
                attempts: u16::MAX,
                held: Some(Duration::MAX),
                connect: Some(Duration::MAX),
                first_byte: Some(Duration::MAX),
                total: Duration::MAX,
                received: u64::MAX,
                sent: u64::MAX,
                reason: Some(&"\x01".repeat(999)),
            });
            assert!((5000..LONGEST).contains(&journals[0].page.borrow().len()), "{format:?}");
        }
    }
}
