//! One stream of HTTP/2 as the two ends of an exchange: bodies come from [`Frames`], and go into [`Outlet`].

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use divisi_http1::{BodyError, HeadError, HeadLimits, trailer};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::spelling;
use crate::body::{Patience, Piece, Source, allowance};
use crate::clock::{Elapsed, TICK, Timer};
use crate::error::{Error, Fault};
use crate::settings::Limits;

/// What is handed over at a time: a frame, as most peers take them.
const AT_A_TIME: usize = 16 * 1024;

/// What may wait to be sent on one connection, whichever streams it is of. What waits there has its place in the windows already, so
/// that it goes as soon as the peer reads.
const SEND_BUDGET: usize = 512 * 1024;

/// What the streams of one connection share: who wants to send when all of it is in use waits in line.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(SEND_BUDGET)))
    }
}

/// Bytes that wait to be sent, and their place in the budget.
#[derive(Debug)]
pub(crate) struct Parcel {
    bytes: Bytes,
    _place: Option<OwnedSemaphorePermit>,
}

impl Buf for Parcel {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

/// What ends a body.
#[derive(Debug)]
enum End {
    Plain,
    Trailers(HeaderMap),
}

impl End {
    /// How a piece ends the body; None where it does not.
    fn of(piece: Piece<'_>, to: Recipient<'_>) -> Result<Option<Self>, Error> {
        match piece.end {
            None => Ok(None),
            // A section of HTTP/1.1 without a field is its empty line.
            Some(section) if section.len() <= b"\r\n".len() => Ok(Some(Self::Plain)),
            Some(section) => trailers(section, to.limits, to.side).map(|trailers| Some(Self::Trailers(trailers))),
        }
    }
}

/// What was taken over and has to wait for the peer.
#[derive(Debug, Default)]
struct Rest {
    data: Bytes,
    end: Option<End>,
    /// How long the peer may still take nothing; None where it has not kept us waiting yet.
    allowance: Option<Duration>,
}

/// The sending half of a stream, at either end of it. One task uses it, and its source and its sink both do.
pub(crate) struct Outlet {
    /// Where a final response can still be begun: only a server has that.
    respond: RefCell<Option<SendResponse<Parcel>>>,
    /// Where the body goes, once the head has gone.
    stream: RefCell<Option<SendStream<Parcel>>>,
    budget: Budget,
    rest: RefCell<Rest>,
}

impl Outlet {
    /// For a client that asks us.
    pub(crate) fn to_client(respond: SendResponse<Parcel>, budget: Budget) -> Self {
        Self { respond: RefCell::new(Some(respond)), stream: RefCell::default(), budget, rest: RefCell::default() }
    }

    /// For a replica that has got the head of a request.
    pub(crate) fn to_replica(stream: SendStream<Parcel>, budget: Budget) -> Self {
        Self { respond: RefCell::default(), stream: RefCell::new(Some(stream)), budget, rest: RefCell::default() }
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
            let _ = stream.send_data(Parcel { bytes: Bytes::new(), _place: None }, true);
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

    /// Sends what the peer takes of a piece of a body (RFC 9113 5.2), and keeps the rest for [`catch_up`](Self::catch_up).
    pub(crate) fn send(&self, to: Recipient<'_>, piece: Piece<'_>) -> Result<(), Error> {
        let end = End::of(piece, to)?;
        let mut data = piece.data;
        while !data.is_empty() {
            let wanted = data.len().min(AT_A_TIME);
            let room = self.room(to, wanted)?.min(wanted);
            let permit = u32::try_from(room).ok().filter(|room| *room > 0);
            let Some(place) = permit.and_then(|room| Arc::clone(&self.budget.0).try_acquire_many_owned(room).ok())
            else {
                let mut rest = self.rest.borrow_mut();
                (rest.data, rest.end) = (Bytes::copy_from_slice(data), end);
                return Ok(());
            };
            let (now, later) = data.split_at(room);
            data = later;
            let ends = later.is_empty() && matches!(end, Some(End::Plain));
            self.hand_over(to, Bytes::copy_from_slice(now), Some(place), ends)?;
        }
        self.end(to, end, piece.data.is_empty())
    }

    /// How much waits for the peer.
    pub(crate) fn waiting(&self) -> usize {
        self.rest.borrow().data.len()
    }

    /// Waits until the peer has taken what waits.
    pub(crate) async fn catch_up(&self, to: Recipient<'_>) -> Result<(), Error> {
        while self.waiting() > 0 {
            let allowance = self.rest.borrow().allowance.unwrap_or(to.silence);
            to.timer.arm(allowance);
            let wanted = self.waiting().min(AT_A_TIME);
            let waited = to.timer.limit(self.place(to, wanted)).await;
            let place = waited.map_err(|Elapsed| to.too_slow())??;
            let room = place.num_permits();
            self.note_taken(to, to.timer.remaining().saturating_sub(TICK), room);
            let mut rest = self.rest.borrow_mut();
            let now = rest.data.split_to(room);
            let ends = rest.data.is_empty() && matches!(rest.end, Some(End::Plain));
            drop(rest);
            self.hand_over(to, now, Some(place), ends)?;
        }
        let mut rest = self.rest.borrow_mut();
        // What was split off it keeps all of it.
        rest.data = Bytes::new();
        let end = rest.end.take();
        drop(rest);
        self.end(to, end, false)
    }

    /// What is taken buys time: one byte now and then would hold a stream for ever.
    fn note_taken(&self, to: Recipient<'_>, left: Duration, bytes: usize) {
        self.rest.borrow_mut().allowance = Some(allowance(to.silence, to.rate, left, bytes));
    }

    fn end(&self, to: Recipient<'_>, end: Option<End>, is_empty: bool) -> Result<(), Error> {
        match end {
            Some(End::Plain) if is_empty => self.hand_over(to, Bytes::new(), None, true),
            Some(End::Trailers(trailers)) => self.with_stream(to, |stream| stream.send_trailers(trailers)),
            Some(End::Plain) | None => Ok(()),
        }
    }

    fn hand_over(
        &self,
        to: Recipient<'_>,
        bytes: Bytes,
        place: Option<OwnedSemaphorePermit>,
        ends: bool,
    ) -> Result<(), Error> {
        self.with_stream(to, |stream| stream.send_data(Parcel { bytes, _place: place }, ends))
    }

    fn with_stream(
        &self,
        to: Recipient<'_>,
        send: impl FnOnce(&mut SendStream<Parcel>) -> Result<(), h2::Error>,
    ) -> Result<(), Error> {
        match &mut *self.stream.borrow_mut() {
            Some(stream) => send(stream).map_err(|_| to.gone()),
            None => Err(to.gone()),
        }
    }

    /// How much the windows allow now.
    fn room(&self, to: Recipient<'_>, wanted: usize) -> Result<usize, Error> {
        let mut room = 0;
        self.with_stream(to, |stream| {
            stream.reserve_capacity(wanted);
            room = stream.capacity();
            Ok(())
        })?;
        Ok(room)
    }

    /// A place for what may be sent next; waits until it is something.
    async fn place(&self, to: Recipient<'_>, wanted: usize) -> Result<OwnedSemaphorePermit, Error> {
        let mut room = self.room(to, wanted)?;
        if room == 0 {
            room = poll_fn(|context| self.poll_room(context)).await.ok_or_else(|| to.gone())?;
        }
        let budget = Arc::clone(&self.budget.0);
        budget.acquire_many_owned(room.min(wanted) as u32).await.map_err(|_| to.gone())
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
    /// Bytes per second that the peer has to take where it keeps us waiting; 0 for any.
    pub(crate) rate: u32,
    pub(crate) side: Fault,
    pub(crate) limits: HeadLimits,
}

impl<'a> Recipient<'a> {
    /// A client, which has to take a response as fast as it has to send a request, or nearly nothing.
    pub(crate) fn client(timer: &'a Timer, limits: &Limits, head: HeadLimits) -> Self {
        let (silence, rate) = (limits.client_timeout, limits.min_body_rate);
        Self { timer, silence, rate, side: Fault::Downstream, limits: head }
    }

    /// A replica, which may take its time.
    pub(crate) fn replica(timer: &'a Timer, silence: Duration, head: HeadLimits) -> Self {
        Self { timer, silence, rate: 0, side: Fault::Upstream, limits: head }
    }

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

    fn rest(&mut self) {
        if !self.is_ahead {
            self.release();
        }
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
