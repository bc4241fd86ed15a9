//! The sending half of a stream of HTTP/2: what the peer takes goes at once, the rest waits within bounds.
//!
//! ```text
//! piece ─► window of the stream ─► budget of the connection ─► frame
//!   └─ no room: the rest is kept here, and whoever sends has to catch up
//! ```

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use divisi_http1::{BodyError, HeadLimits, trailer};
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::{HeaderMap, Response};

use super::budget::{Budget, Place};
use super::spelling;
use crate::body::{Piece, allowance};
use crate::clock::{Elapsed, TICK, Timer};
use crate::error::{Error, Fault};
use crate::settings::Limits;

/// What is handed over at a time: a frame, as most peers take them.
const AT_A_TIME: usize = 16 * 1024;

/// Bytes that wait to be sent, and their place in the budget.
#[derive(Debug)]
pub(crate) struct Parcel {
    bytes: Bytes,
    _place: Option<Place>,
}

impl Parcel {
    /// Bytes that have no place in any budget.
    pub(super) fn of(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), _place: None }
    }
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
    /// Nothing more will come.
    is_finished: Cell<bool>,
}

impl Outlet {
    /// For a client that asks us.
    pub(crate) fn to_client(respond: SendResponse<Parcel>, budget: Budget) -> Self {
        Self::new(Some(respond), None, budget)
    }

    /// For a replica that has got the head of a request.
    pub(crate) fn to_replica(stream: SendStream<Parcel>, budget: Budget) -> Self {
        Self::new(None, Some(stream), budget)
    }

    fn new(respond: Option<SendResponse<Parcel>>, stream: Option<SendStream<Parcel>>, budget: Budget) -> Self {
        let (respond, stream) = (RefCell::new(respond), RefCell::new(stream));
        Self { respond, stream, budget, rest: RefCell::default(), is_finished: Cell::new(false) }
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
    pub(super) fn poll_left(&self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(stream) = &mut *self.stream.borrow_mut() {
            return stream.poll_reset(context).map(drop);
        }
        self.respond.borrow_mut().as_mut().map_or(Poll::Ready(()), |respond| respond.poll_reset(context).map(drop))
    }

    /// Sends what the peer takes of a piece of a body (RFC 9113 5.2), and keeps the rest for [`catch_up`](Self::catch_up).
    pub(crate) fn send(&self, to: Recipient<'_>, piece: Piece<'_>) -> Result<(), Error> {
        let end = End::of(piece, to)?;
        if end.is_some() {
            self.ask_for_no_news();
        }
        let mut data = piece.data;
        while !data.is_empty() {
            let wanted = data.len().min(AT_A_TIME);
            let room = self.room(to, wanted)?.min(wanted);
            let Some(place) = Some(room).filter(|room| *room > 0).and_then(|room| self.budget.try_take(room)) else {
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

    /// Nobody is to be woken for what happens to the stream while its last piece is sent. We would be, by the room that we ask for
    /// ourselves, and find nothing to do. Who waits for anything after that says so anew.
    fn ask_for_no_news(&self) {
        let _ = self.poll_left(&mut Context::from_waker(Waker::noop()));
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
            let room = place.bytes();
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

    fn hand_over(&self, to: Recipient<'_>, bytes: Bytes, place: Option<Place>, ends: bool) -> Result<(), Error> {
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
    async fn place(&self, to: Recipient<'_>, wanted: usize) -> Result<Place, Error> {
        let mut room = self.room(to, wanted)?;
        if room == 0 {
            room = poll_fn(|context| self.poll_room(context)).await.ok_or_else(|| to.gone())?;
        }
        Ok(self.budget.take(room.min(wanted)).await)
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
