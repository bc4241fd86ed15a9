//! One stream of HTTP/2 as the two ends of an exchange: bodies come from [`Frames`], and go into [`Outlet`].

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use divisi_http1::{BodyError, HeadError, HeadLimits, trailer};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response};

use super::spelling;
use crate::body::{Patience, Piece, Source};
use crate::clock::{Elapsed, TICK, Timer};
use crate::error::{Error, Fault};

/// What is handed over at a time: a frame, as most peers take them.
const AT_A_TIME: usize = 16 * 1024;

/// The sending half of a stream, at either end of it. One task uses it, and its source and its sink both do.
pub(crate) struct Outlet {
    /// Where a final response can still be begun: only a server has that.
    respond: RefCell<Option<SendResponse<Bytes>>>,
    /// Where the body goes, once the head has gone.
    stream: RefCell<Option<SendStream<Bytes>>>,
    /// Nothing more will come.
    is_finished: Cell<bool>,
}

impl Outlet {
    /// For a client that asks us.
    pub(crate) fn to_client(respond: SendResponse<Bytes>) -> Self {
        Self { respond: RefCell::new(Some(respond)), stream: RefCell::new(None), is_finished: Cell::new(false) }
    }

    /// For a replica that has got the head of a request.
    pub(crate) fn to_replica(stream: SendStream<Bytes>) -> Self {
        Self { respond: RefCell::new(None), stream: RefCell::new(Some(stream)), is_finished: Cell::new(false) }
    }

    /// Says something before the final response (RFC 9113 8.1).
    pub(crate) fn inform(&self, head: Response<()>) -> Result<(), h2::Error> {
        self.respond.borrow_mut().as_mut().map_or(Ok(()), |respond| respond.send_informational(head))
    }

    /// Begins the final response; whether it was still to be begun.
    pub(crate) fn begin(&self, head: Response<()>, is_all: bool) -> bool {
        let respond = self.respond.borrow_mut().take();
        let stream = respond.and_then(|mut respond| respond.send_response(head, is_all).ok());
        let has_begun = stream.is_some();
        *self.stream.borrow_mut() = stream;
        has_begun
    }

    /// Says that nothing more will come. The peer may be gone already; then there is nobody to tell.
    pub(crate) fn finish(&self) {
        if let Some(stream) = &mut *self.stream.borrow_mut() {
            let _ = stream.send_data(Bytes::new(), true);
            self.is_finished.set(true);
        }
    }

    /// Gives the stream up, unless nothing more would come anyway: what waits to be sent would be lost with it. Whatever the peer
    /// still says is then refused when all of that is sent.
    pub(crate) fn leave(&self, reason: Reason) {
        if !self.is_finished.get() {
            self.reset(reason);
        }
    }

    /// Gives the stream up.
    pub(crate) fn reset(&self, reason: Reason) {
        if let Some(stream) = &mut *self.stream.borrow_mut() {
            stream.send_reset(reason);
        }
        if let Some(respond) = &mut *self.respond.borrow_mut() {
            respond.send_reset(reason);
        }
    }

    /// Waits until the peer has given the stream up.
    fn poll_left(&self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(stream) = &mut *self.stream.borrow_mut() {
            return stream.poll_reset(context).map(drop);
        }
        self.respond.borrow_mut().as_mut().map_or(Poll::Ready(()), |respond| respond.poll_reset(context).map(drop))
    }

    /// Sends a piece of a body, as fast as the peer takes it (RFC 9113 5.2).
    pub(crate) async fn send(&self, to: Recipient<'_>, piece: Piece<'_>) -> Result<(), Error> {
        // A section of HTTP/1.1 without a field is its empty line.
        let section = piece.end.filter(|section| section.len() > b"\r\n".len());
        let ends = piece.end.is_some() && section.is_none();
        let mut data = piece.data;
        while !data.is_empty() {
            let room = self.room(to, data.len().min(AT_A_TIME)).await?;
            let (now, later) = data.split_at(room.min(data.len()));
            data = later;
            self.with_stream(to, |stream| stream.send_data(Bytes::copy_from_slice(now), ends && later.is_empty()))?;
        }
        if ends && piece.data.is_empty() {
            self.with_stream(to, |stream| stream.send_data(Bytes::new(), true))?;
        }
        if let Some(section) = section {
            let trailers = trailers(section, to.limits, to.side)?;
            self.with_stream(to, |stream| stream.send_trailers(trailers))?;
        }
        Ok(())
    }

    fn with_stream(
        &self,
        to: Recipient<'_>,
        send: impl FnOnce(&mut SendStream<Bytes>) -> Result<(), h2::Error>,
    ) -> Result<(), Error> {
        match &mut *self.stream.borrow_mut() {
            Some(stream) => send(stream).map_err(|_| to.gone()),
            None => Err(to.gone()),
        }
    }

    /// How much may be sent now; waits until it is something.
    async fn room(&self, to: Recipient<'_>, wanted: usize) -> Result<usize, Error> {
        let mut room = 0;
        self.with_stream(to, |stream| {
            stream.reserve_capacity(wanted);
            room = stream.capacity();
            Ok(())
        })?;
        if room > 0 {
            return Ok(room);
        }
        to.timer.arm(to.silence);
        match to.timer.limit(poll_fn(|context| self.poll_room(context))).await {
            Ok(Some(room)) => Ok(room),
            Ok(None) => Err(to.gone()),
            Err(Elapsed) => Err(to.too_slow()),
        }
    }

    fn poll_room(&self, context: &mut Context<'_>) -> Poll<Option<usize>> {
        let mut stream = self.stream.borrow_mut();
        let Some(stream) = stream.as_mut() else { return Poll::Ready(None) };
        loop {
            match ready!(stream.poll_capacity(context)) {
                Some(Ok(0)) => {}
                Some(Ok(room)) => return Poll::Ready(Some(room)),
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        }
    }
}

/// Who is sent to, and for how long that may take.
#[derive(Clone, Copy)]
pub(crate) struct Recipient<'a> {
    pub(crate) timer: &'a Timer,
    /// How long the peer may take nothing.
    pub(crate) silence: Duration,
    pub(crate) side: Fault,
    pub(crate) limits: HeadLimits,
}

impl Recipient<'_> {
    fn gone(self) -> Error {
        match self.side {
            Fault::Downstream => Error::ClientLeft,
            _ => Error::UpstreamWrite(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn too_slow(self) -> Error {
        match self.side {
            Fault::Downstream => Error::ClientTooSlow,
            _ => Error::UpstreamWrite(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// How far the body of a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Data,
    /// What comes now belongs to a tunnel that there is not yet.
    Before,
    Over,
}

/// A body that comes as frames.
pub(crate) struct Frames<'a> {
    stream: &'a mut RecvStream,
    outlet: &'a Outlet,
    stage: Stage,
    /// The piece that was given out last, or comes next.
    piece: Bytes,
    /// It comes next.
    is_ahead: bool,
    /// The trailer section, spelled as in HTTP/1.1.
    section: Vec<u8>,
    timer: &'a Timer,
    patience: Patience<'a>,
    allowance: Duration,
    side: Fault,
    count: &'a Cell<u64>,
}

impl<'a> Frames<'a> {
    /// The body of `stream`, which has none before a tunnel is made where `is_tunnel`.
    pub(crate) fn new(
        stream: &'a mut RecvStream,
        outlet: &'a Outlet,
        is_tunnel: bool,
        timer: &'a Timer,
        patience: Patience<'a>,
        side: Fault,
        count: &'a Cell<u64>,
    ) -> Self {
        let stage = match is_tunnel {
            true => Stage::Before,
            false if stream.is_end_stream() => Stage::Over,
            false => Stage::Data,
        };
        let (piece, section, allowance) = (Bytes::new(), Vec::new(), patience.silence());
        Self { stream, outlet, stage, piece, is_ahead: false, section, timer, patience, allowance, side, count }
    }

    /// Takes what has come with the head already, so that both can go on together.
    pub(crate) async fn look_ahead(&mut self) {
        poll_fn(|context| {
            if self.stage == Stage::Data
                && let Poll::Ready(Some(Ok(data))) = self.stream.poll_data(context)
            {
                (self.piece, self.is_ahead) = (data, true);
            }
            Poll::Ready(())
        })
        .await;
    }

    /// RFC 9113 5.2: the peer may send as much again as has been used.
    fn release(&mut self) {
        let used = std::mem::take(&mut self.piece).len();
        if used > 0 {
            self.count.set(self.count.get() + used as u64);
            // Fails only where the stream is gone, and with it its window.
            let _ = self.stream.flow_control().release_capacity(used);
        }
    }

    /// The next data; None where only trailers can follow.
    async fn data(&mut self) -> Result<Option<Bytes>, Error> {
        self.timer.arm(self.allowance);
        let data = match self.timer.limit(poll_fn(|context| self.stream.poll_data(context))).await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(data))) => data,
            Ok(Some(Err(error))) => return Err(self.broken(&error)),
            Err(Elapsed) => return Err(self.too_slow()),
        };
        self.allowance = self.patience.next(self.timer.remaining().saturating_sub(TICK), data.len());
        Ok(Some(data))
    }

    async fn trailers(&mut self) -> Result<(), Error> {
        self.timer.arm(self.allowance);
        match self.timer.limit(poll_fn(|context| self.stream.poll_trailers(context))).await {
            Ok(Ok(trailers)) => {
                if let Some(trailers) = trailers {
                    spelling::fields(trailers.iter(), &mut self.section);
                    self.section.extend_from_slice(b"\r\n");
                }
                Ok(())
            }
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(Elapsed) => Err(self.too_slow()),
        }
    }

    fn broken(&self, error: &h2::Error) -> Error {
        let is_malformed = error.reason() == Some(Reason::PROTOCOL_ERROR) && !error.is_remote() && !error.is_io();
        match self.side {
            Fault::Downstream if is_malformed => {
                Error::BadRequestBody(BodyError::Trailer(HeadError::Malformed("not as it was announced")))
            }
            Fault::Downstream => Error::ClientLeft,
            _ => Error::BrokenOff,
        }
    }

    fn too_slow(&self) -> Error {
        if self.side == Fault::Downstream { Error::ClientTooSlow } else { Error::BrokenOff }
    }
}

impl Source for Frames<'_> {
    async fn next(&mut self) -> Result<Piece<'_>, Error> {
        if !std::mem::take(&mut self.is_ahead) {
            self.release();
            if self.stage == Stage::Data {
                match self.data().await? {
                    Some(data) => self.piece = data,
                    None => {
                        self.trailers().await?;
                        self.stage = Stage::Over;
                    }
                }
            }
        }
        if self.stage == Stage::Data && self.stream.is_end_stream() {
            self.stage = Stage::Over;
        }
        Ok(Piece { data: &self.piece, end: (self.stage != Stage::Data).then_some(&*self.section) })
    }

    fn is_ready(&self) -> bool {
        self.is_ahead || self.stage != Stage::Data
    }

    fn is_over(&self) -> bool {
        self.stage != Stage::Data && !self.is_ahead
    }

    /// Nothing is read meanwhile: what the peer has sent waits where the windows bound it.
    async fn left(&mut self, _: usize) {
        poll_fn(|context| self.outlet.poll_left(context)).await;
    }

    async fn gone(&mut self) -> Error {
        self.left(usize::MAX).await;
        if self.side == Fault::Downstream { Error::ClientLeft } else { Error::BrokenOff }
    }

    fn become_tunnel(&mut self, silence: Duration) {
        if self.stage == Stage::Before {
            self.stage = Stage::Data;
        }
        self.patience = Patience::Silence(silence);
        self.allowance = silence;
    }
}

/// RFC 9110 6.5.1: those trailer fields that may pass.
fn trailers(section: &[u8], limits: HeadLimits, to: Fault) -> Result<HeaderMap, Error> {
    let mut lines = Vec::new();
    trailer::copy_allowed(section, limits, &mut lines).map_err(|error| match to {
        // The section came from the other side.
        Fault::Downstream => Error::BadResponseBody(BodyError::Trailer(error)),
        _ => Error::BadRequestBody(BodyError::Trailer(error)),
    })?;
    Ok(spelling::said_fields(&lines, |_, _| false))
}
