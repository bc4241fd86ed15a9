//! Bodies on their way through: from a source, piece by piece, into a sink. Nothing is collected.
//!
//! HTTP/2 joins here: a stream of its frames is another [`Source`] and another [`Sink`].

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::time::Duration;

use divisi_http1::chunked::{Chunked, SizeLine};
use divisi_http1::{BodyError, BodyLength, Decoder, HeadLimits, trailer};

use tokio::time::sleep;

use crate::clock::{Elapsed, TICK, Timer};
use crate::desk::{self, Window};
use crate::error::{Error, Fault};
use crate::transport::{Transport, fill, write_all};

/// Below this many bytes a copy is cheaper than a second part for the kernel to look at.
const COPY_BELOW: usize = 4096;

/// How often a peer whose bytes wait unread is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A part of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    /// The body's bytes, without any framing.
    pub(crate) data: &'a [u8],
    /// Nothing comes after this piece but the trailer section, which ends with its empty line where there is one.
    pub(crate) end: Option<&'a [u8]>,
}

/// Where a body comes from.
pub(crate) trait Source {
    /// The next piece. Not to be called again after the piece that is the end.
    async fn next(&mut self) -> Result<Piece<'_>, Error>;

    /// Gives up the last piece and the memory that it was in: the next one will be a while.
    fn rest(&mut self);

    /// Whether the next piece can be had without waiting for the peer.
    fn is_ready(&self) -> bool;

    /// Whether the body's last byte was passed on, so that what follows it is another message.
    fn is_over(&self) -> bool;

    /// Whether what is passed on from now on is to be kept, because it may have to be passed on again.
    fn keep(&mut self, _wanted: bool) {}

    /// Waits until the peer leaves. Bytes that come are kept for whoever reads next, up to `most` and as far as there is room; the
    /// rest stays with the peer.
    async fn left(&mut self, most: usize);

    /// Waits until the peer leaves, after the body's end.
    async fn gone(&mut self) -> Error;

    /// From now on everything that comes belongs to a tunnel, which may be silent for so long.
    fn become_tunnel(&mut self, silence: Duration);
}

/// Where a body goes, behind the head that was written to it before.
pub(crate) trait Sink {
    /// Passes a piece on, together with whatever still waits to be written.
    async fn write(&mut self, piece: Piece<'_>) -> Result<(), Error>;

    /// Passes on what waits to be written, so that a head does not wait for a body that takes its time.
    async fn flush(&mut self) -> Result<(), Error>;

    /// Says that nothing more will come.
    fn finish(&mut self);

    /// Whether the peer has not taken all of the last piece yet. Nothing may be written before it has.
    fn is_behind(&self) -> bool {
        false
    }

    /// Waits until the peer has taken what it was given.
    async fn catch_up(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Passes a whole body on.
pub(crate) async fn pump(source: &mut impl Source, sink: &mut impl Sink) -> Result<(), Error> {
    if !source.is_ready() {
        sink.flush().await?;
    }
    loop {
        let piece = source.next().await?;
        let is_end = piece.end.is_some();
        sink.write(piece).await?;
        if sink.is_behind() {
            source.rest();
            sink.catch_up().await?;
        }
        if is_end {
            return Ok(());
        }
    }
}

/// How long a silent peer is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience<'a> {
    /// This long, from the last byte.
    Silence(Duration),
    /// The same for a client that sends a body, which also has to come at some rate. A trickle would hold its place for
    /// ever. Once the response has `begun` the two sides may be talking, and silence is all that counts.
    Rate { silence: Duration, bytes_per_second: u32, begun: &'a Cell<bool> },
}

impl Patience<'_> {
    pub(crate) fn silence(self) -> Duration {
        match self {
            Self::Silence(silence) | Self::Rate { silence, .. } => silence,
        }
    }

    /// How long may be waited for the next bytes after `bytes` came with `left` to spare.
    pub(crate) fn next(self, left: Duration, bytes: usize) -> Duration {
        match self {
            Self::Rate { silence, bytes_per_second, begun } if !begun.get() => {
                allowance(silence, bytes_per_second, left, bytes)
            }
            Self::Silence(silence) | Self::Rate { silence, .. } => silence,
        }
    }
}

/// How long a peer that must move `rate` bytes per second, or any where that is 0, may be waited for after `bytes` were moved with
/// `left` to spare.
pub(crate) fn allowance(silence: Duration, rate: u32, left: Duration, bytes: usize) -> Duration {
    match (bytes as u64 * 1000).checked_div(u64::from(rate)) {
        Some(bought) => silence.min(left + Duration::from_millis(bought)),
        None => silence,
    }
}

/// A body that is read from a connection.
pub(crate) struct Reader<'a> {
    pub(crate) transport: &'a Transport,
    pub(crate) buffer: &'a mut Window,
    pub(crate) decoder: Decoder,
    pub(crate) timer: &'a Timer,
    pub(crate) patience: Patience<'a>,
    /// Which peer is read from.
    pub(crate) side: Fault,
    /// Counts the bytes that were used.
    pub(crate) count: &'a Cell<u64>,
    /// How long may be waited for the next bytes.
    allowance: Duration,
    /// Bytes of the buffer that the last piece still uses.
    used: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        transport: &'a Transport,
        buffer: &'a mut Window,
        length: BodyLength,
        timer: &'a Timer,
        patience: Patience<'a>,
        side: Fault,
        count: &'a Cell<u64>,
    ) -> Self {
        let allowance = patience.silence();
        let decoder = Decoder::new(length);
        Self { transport, buffer, decoder, timer, patience, side, count, allowance, used: 0 }
    }

    /// Gives up what the last piece used; what stays in the buffer belongs to the next message.
    pub(crate) fn release(&mut self) {
        let used = std::mem::take(&mut self.used);
        self.use_up(used);
    }

    fn use_up(&mut self, bytes: usize) {
        self.count.set(self.count.get() + bytes as u64);
        self.buffer.consume(bytes);
    }

    async fn fill(&mut self) -> Result<usize, Error> {
        if self.buffer.is_full() {
            // Data never fills the buffer, it is used first. This is a trailer section without an end.
            return Err(self.malformed(Chunked::window_full()));
        }
        self.timer.arm(self.allowance);
        let count = match self.timer.limit(fill(self.transport, self.buffer)).await {
            Ok(Ok(count)) => count,
            Ok(Err(_)) => return Err(self.broken_off()),
            Err(Elapsed) => return Err(self.too_slow()),
        };
        self.allowance = self.patience.next(self.timer.remaining().saturating_sub(TICK), count);
        Ok(count)
    }

    fn malformed(&self, error: BodyError) -> Error {
        if self.side == Fault::Downstream { Error::BadRequestBody(error) } else { Error::BadResponseBody(error) }
    }

    fn broken_off(&self) -> Error {
        if self.side == Fault::Downstream { Error::ClientLeft } else { Error::BrokenOff }
    }

    fn too_slow(&self) -> Error {
        if self.side == Fault::Downstream { Error::ClientTooSlow } else { Error::BrokenOff }
    }
}

impl Source for Reader<'_> {
    async fn next(&mut self) -> Result<Piece<'_>, Error> {
        self.release();
        let step = loop {
            if !self.buffer.is_empty() || self.decoder.is_done() {
                let decoded = self.decoder.decode(self.buffer.filled_mut());
                let step = decoded.map_err(|error| self.malformed(error))?;
                if step.end.is_some() || !step.data.is_empty() {
                    break step;
                }
                self.use_up(step.consumed);
            }
            if self.fill().await? == 0 {
                if self.decoder.ends_with_connection() {
                    return Ok(Piece { data: &[], end: Some(&[]) });
                }
                return Err(self.broken_off());
            }
        };
        self.used = step.consumed;
        Ok(Piece { data: self.buffer.part(step.data), end: step.end.map(|section| self.buffer.part(section)) })
    }

    fn rest(&mut self) {
        self.release();
        self.buffer.shelve();
    }

    fn is_ready(&self) -> bool {
        self.decoder.is_done() || self.buffer.len() > self.used
    }

    fn is_over(&self) -> bool {
        self.decoder.is_done()
    }

    async fn left(&mut self, most: usize) {
        self.release();
        while self.buffer.len() < most && !self.buffer.is_full() {
            if !matches!(fill(self.transport, self.buffer).await, Ok(1..)) {
                return;
            }
        }
        // With bytes unread the end cannot be read either, but it can be seen.
        while !self.transport.has_ended() {
            sleep(LOOK).await;
        }
    }

    async fn gone(&mut self) -> Error {
        self.left(usize::MAX).await;
        Error::ClientLeft
    }

    fn become_tunnel(&mut self, silence: Duration) {
        self.release();
        self.decoder = Decoder::UntilClose;
        self.patience = Patience::Silence(silence);
        self.allowance = silence;
    }
}

/// How a body is framed on the connection that it is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// In chunks.
    Chunked,
    /// As it is; its length was announced, or the connection's end is its end.
    Plain,
}

/// A body that is written to a connection.
pub(crate) struct Writer<'a> {
    pub(crate) transport: &'a Transport,
    /// What waits to be written before the next piece: the head, at first.
    pub(crate) pending: &'a mut Vec<u8>,
    pub(crate) coding: Coding,
    pub(crate) timer: &'a Timer,
    /// How long the peer may take nothing.
    pub(crate) silence: Duration,
    /// Which peer is written to.
    pub(crate) side: Fault,
    pub(crate) limits: HeadLimits,
    /// The peer has got something.
    pub(crate) sent: bool,
    /// Counts the bytes that the peer got.
    pub(crate) count: &'a Cell<u64>,
}

impl Writer<'_> {
    /// Writes what waits, then `data`, then `tail`, in one go.
    async fn send(&mut self, data: &[u8], tail: &[u8]) -> Result<(), Error> {
        self.timer.arm(self.silence);
        let parts = &mut [IoSlice::new(self.pending), IoSlice::new(data), IoSlice::new(tail)];
        // Most heads come with a small body or with none, and one part is cheaper to write than three.
        let parts = if data.is_empty() && tail.is_empty() { &mut parts[..1] } else { &mut parts[..] };
        let length = parts.iter().map(|part| part.len() as u64).sum::<u64>();
        // Said first: where the write is given up half way, nothing else may be written in its place.
        self.sent = true;
        let sent = self.timer.limit(write_all(self.transport, parts)).await;
        if let Ok(Ok(())) = sent {
            self.count.set(self.count.get() + length);
        }
        desk::empty(self.pending);
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.refused(error)),
            Err(Elapsed) => Err(self.refused(io::ErrorKind::TimedOut.into())),
        }
    }

    fn refused(&self, error: io::Error) -> Error {
        match self.side {
            Fault::Downstream if error.kind() == io::ErrorKind::TimedOut => Error::ClientTooSlow,
            Fault::Downstream => Error::ClientLeft,
            _ => Error::UpstreamWrite(error),
        }
    }

    /// RFC 9112 7.1.2: the last chunk and those trailer fields that may pass.
    fn end(&mut self, section: &[u8]) -> Result<(), Error> {
        self.pending.extend_from_slice(b"0\r\n");
        trailer::copy_allowed(section, self.limits, self.pending).map_err(|error| match self.side {
            // The section came from the other side.
            Fault::Downstream => Error::BadResponseBody(BodyError::Trailer(error)),
            _ => Error::BadRequestBody(BodyError::Trailer(error)),
        })?;
        self.pending.extend_from_slice(b"\r\n");
        Ok(())
    }
}

impl Sink for Writer<'_> {
    async fn write(&mut self, piece: Piece<'_>) -> Result<(), Error> {
        let chunk = self.coding == Coding::Chunked && !piece.data.is_empty();
        if chunk {
            self.pending.extend_from_slice(SizeLine::new(piece.data.len()).as_bytes());
        }
        if piece.data.len() < COPY_BELOW {
            self.pending.extend_from_slice(piece.data);
            if chunk {
                self.pending.extend_from_slice(b"\r\n");
            }
        } else {
            self.send(piece.data, if chunk { b"\r\n" } else { b"" }).await?;
        }
        if let Some(section) = piece.end
            && self.coding == Coding::Chunked
        {
            self.end(section)?;
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Error> {
        if self.pending.is_empty() { Ok(()) } else { self.send(&[], &[]).await }
    }

    fn finish(&mut self) {
        self.transport.finish();
    }
}
