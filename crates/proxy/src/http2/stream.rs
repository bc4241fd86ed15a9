//! The receiving half of a stream of HTTP/2: bodies come from [`Frames`], and go into [`Outlet`].

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use divisi_http1::{BodyError, HeadError};
use h2::{Reason, RecvStream};

use super::outlet::Outlet;
use super::spelling;
use crate::body::{Patience, Piece, Source};
use crate::clock::{Elapsed, TICK, Timer};
use crate::error::{Error, Fault};

/// How far the body of a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Data,
    /// What comes now belongs to a tunnel that there is not yet.
    Before,
    Over,
}

impl Stage {
    /// How far `stream` has come with its head, which asks for a tunnel where `is_tunnel`.
    pub(crate) fn of(stream: &RecvStream, is_tunnel: bool) -> Self {
        match is_tunnel {
            true => Self::Before,
            false if stream.is_end_stream() => Self::Over,
            false => Self::Data,
        }
    }
}

/// A body that comes as frames.
pub(crate) struct Frames<'a> {
    stream: &'a mut RecvStream,
    outlet: &'a Outlet,
    stage: Stage,
    /// The piece that was given out last, or comes next.
    piece: Bytes,
    /// Bytes that were used before it, and whose place in the window has not been given back.
    used: usize,
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
    /// The body of `stream`, which is at `stage`.
    pub(crate) fn new(
        stream: &'a mut RecvStream,
        outlet: &'a Outlet,
        stage: Stage,
        timer: &'a Timer,
        patience: Patience<'a>,
        side: Fault,
        count: &'a Cell<u64>,
    ) -> Self {
        let (piece, section, allowance) = (Bytes::new(), Vec::new(), patience.silence());
        Self {
            stream,
            outlet,
            stage,
            piece,
            used: 0,
            is_ahead: false,
            section,
            timer,
            patience,
            allowance,
            side,
            count,
        }
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
        let used = std::mem::take(&mut self.used) + std::mem::take(&mut self.piece).len();
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

    /// Whoever sends keeps it meanwhile, so that its place in the window is still taken.
    fn rest(&mut self) {
        self.used += std::mem::take(&mut self.piece).len();
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
