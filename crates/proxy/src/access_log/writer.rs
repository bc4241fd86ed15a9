//! The thread that writes, and is the only one to wait for the sink.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{PATIENCE, Page, lines, wait_until};

/// How often lost lines are told of.
const TELL: Duration = Duration::from_secs(10);

/// How soon a sink that takes nothing at the moment is asked again.
const AGAIN: Duration = Duration::from_millis(10);

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Writer(JoinHandle<()>);

impl Writer {
    /// Starts to write `pages`, which go back to their `homes`.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn start(
        sink: Box<dyn Write + Send>,
        pages: Receiver<Page>,
        homes: Vec<SyncSender<Vec<u8>>>,
        dropped: Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let mut work = Work { sink, dropped, told: 0, told_at: None };
        let run = move || {
            while let Ok(Page { worker, mut text }) = pages.recv() {
                work.write(&text);
                work.tell();
                text.clear();
                // The worker has gone if it does not take its page back.
                let _ = homes[worker].try_send(text);
            }
            work.told_at = None;
            work.tell();
        };
        thread::Builder::new().name("access-log".to_owned()).spawn(run).map(Self)
    }

    /// Waits until everything is written, once all workers have ended; a sink that takes nothing is given up.
    pub(crate) fn finish(self) {
        if wait_until(Instant::now() + PATIENCE, || self.0.is_finished()) {
            if self.0.join().is_err() {
                tracing::error!("the writer of the access log had panicked");
            }
        } else {
            tracing::warn!("access log: nobody takes the last lines; they are lost");
        }
    }
}

struct Work {
    sink: Box<dyn Write + Send>,
    dropped: Arc<AtomicU64>,
    /// How many lost lines were told of, and when.
    told: u64,
    told_at: Option<Instant>,
}

impl Work {
    /// A sink that fails may be well again at the next page; until then what it does not take is lost.
    fn write(&mut self, mut text: &[u8]) {
        while !text.is_empty() {
            match self.sink.write(text) {
                Ok(0) => break,
                Ok(count) => text = &text[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(AGAIN),
                Err(error) => {
                    tracing::debug!(%error, "access log: cannot write");
                    break;
                }
            }
        }
        if text.is_empty() && self.sink.flush().is_ok() {
            return;
        }
        self.dropped.fetch_add(lines(text), Ordering::Relaxed);
    }

    /// Only this thread says that lines were lost: whoever takes no lines may take no word of it either.
    fn tell(&mut self) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped == self.told || self.told_at.is_some_and(|at| at.elapsed() < TELL) {
            return;
        }
        let lost = dropped - self.told;
        tracing::warn!("access log: lines lost, because nobody takes them fast enough or at all: {lost}");
        (self.told, self.told_at) = (dropped, Some(Instant::now()));
    }
}
