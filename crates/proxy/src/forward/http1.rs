//! An attempt at a replica that speaks HTTP/1.

use std::cell::Cell;
use std::io;
use std::pin::pin;

use divisi_http1::scan::Scan;
use divisi_http1::{BodyLength, HeadError, HeadLimits, RequestHead, ResponseHead};
use divisi_model::{Lease, Moment};
use divisi_tls::upstream::Protocol;

use super::{Attempt, Download, Failed, Interim, Watch, duplex, judge};
use crate::answer::Answer;
use crate::body::{Coding, Patience, Reader, Source, Writer, pump};
use crate::clock::{Elapsed, Timer};
use crate::desk::Window;
use crate::error::{Error, Fault};
use crate::proof::Proof;
use crate::record::Marks;
use crate::transport::{Transport, fill};
use crate::tunnel;
use crate::worker::Worker;

impl Attempt<'_> {
    pub(super) async fn by_http1<S: Source, A: Answer>(&mut self, body: &mut S, answer: &mut A) -> Result<(), Failed> {
        let name = self.purpose();
        let pooled = self.pooled(name.as_deref());
        let reused = pooled.is_some();
        let stream = match pooled {
            Some(stream) => stream,
            None => self.connect(Protocol::Http1).await.map_err(|error| Failed { error, reused: false })?,
        };
        self.buffer.clear();
        self.spell();
        let _watch = Watch::over(self.reply, self.lease.replica());
        let repeatable = self.request.is_idempotent();
        let proof = Proof::begin(&stream, reused && !repeatable);
        body.keep(reused || repeatable);
        match self.exchange(&stream, body, answer).await {
            Ok(Download::Complete) => {}
            Ok(Download::Switched) => {
                Box::pin(self.http1_tunnel(&stream, body, answer)).await;
                return Ok(());
            }
            Err(error) => match self.cut_off(error) {
                error @ Error::CutOff => return Err(Failed { error, reused: false }),
                error => return Err(Failed { error: proof.examine(&stream, error).await, reused }),
            },
        }
        let now = self.marks.note_end();
        // A byte that nobody asked for belongs to nobody: such a connection is never used again (RFC 9112 9.2).
        if self.response.keeps_alive() && body.is_over() && self.buffer.is_empty() {
            self.worker.pool.put(self.lease.replica(), stream, name, now);
        }
        Ok(())
    }

    fn pooled(&self, name: Option<&str>) -> Option<Transport> {
        if self.fresh {
            return None;
        }
        self.worker.pool.take(self.lease.replica(), name, !self.request.is_idempotent())
    }

    /// Both directions at once, since a replica may answer before it has read everything, and stream while it reads.
    async fn exchange<S: Source, A: Answer>(
        &mut self,
        stream: &Transport,
        body: &mut S,
        answer: &mut A,
    ) -> Result<Download, Error> {
        let (worker, request, reply, begun) = (self.worker, self.request, self.reply, self.begun);
        let limits = &worker.settings.limits;
        let uploaded = Cell::new(false);
        let uncounted = Cell::new(0);
        let mut sink = Writer {
            transport: stream,
            pending: &mut *self.pending,
            coding: if request.body() == BodyLength::Chunked { Coding::Chunked } else { Coding::Plain },
            timer: self.upload,
            silence: limits.response_timeout,
            side: Fault::Upstream,
            limits: worker.head_limits,
            sent: false,
            count: &uncounted,
        };
        let upload = pin!(async {
            pump(body, &mut sink).await?;
            uploaded.set(true);
            if !begun.get() {
                reply.arm(limits.response_timeout);
            }
            Err(body.gone().await)
        });
        let (buffer, response) = (&mut *self.buffer, &mut *self.response);
        let back = Back { stream, buffer, response, reply, marks: self.marks };
        // Pinned where they are made: what is made first and pinned then is copied, and both are large.
        let download = pin!(back.pass_on(request, worker, self.lease, &uploaded, answer));
        reply.arm(limits.stream_timeout);
        duplex(upload, download, &uploaded, self.marks, || reply.arm(limits.response_timeout)).await
    }

    /// What follows a 101. One timer serves both directions: a tunnel is silent only when nothing moves either way.
    async fn http1_tunnel<S: Source, A: Answer>(&mut self, stream: &Transport, body: &mut S, answer: &mut A) {
        let _watch = Watch::over(self.upload, self.lease.replica());
        let silence = self.worker.settings.limits.stream_timeout;
        let uncounted = Cell::new(0);
        let mut sink = Writer {
            transport: stream,
            pending: &mut *self.pending,
            coding: Coding::Plain,
            timer: self.upload,
            silence,
            side: Fault::Upstream,
            limits: HeadLimits::default(),
            sent: false,
            count: &uncounted,
        };
        let (patience, side) = (Patience::Silence(silence), Fault::Upstream);
        let buffer = &mut *self.buffer;
        let mut source = Reader::new(stream, buffer, BodyLength::UntilClose, self.upload, patience, side, &uncounted);
        tunnel::run(&mut source, &mut sink, body, answer, silence).await;
    }
}

/// The way back from the replica.
struct Back<'a> {
    stream: &'a Transport,
    buffer: &'a mut Window,
    response: &'a mut ResponseHead,
    reply: &'a Timer,
    marks: &'a Marks,
}

impl Back<'_> {
    /// Passes the response on. Also says whether the replica still reads what is left of the request.
    async fn pass_on<A: Answer>(
        self,
        request: &RequestHead,
        worker: &Worker,
        lease: &Lease,
        uploaded: &Cell<bool>,
        answer: &mut A,
    ) -> Result<(Download, bool), Error> {
        let Back { stream, buffer, response, reply, marks } = self;
        receive(stream, buffer, response, request, reply, worker.head_limits).await?;
        let mut interim = Interim::default();
        while response.is_interim() {
            interim.count()?;
            answer.interim(response).await?;
            reply.arm(worker.settings.limits.response_timeout);
            receive(stream, buffer, response, request, reply, worker.head_limits).await?;
        }
        let now = Moment::now();
        marks.note_head(now);
        judge(response.status(), worker, lease, now);
        if response.status() == 101 {
            // RFC 9110 7.8: only to a protocol that the client has offered.
            if !request.upgrade().is_some_and(|asked| response.switches_to(asked)) {
                return Err(Error::UnaskedSwitch);
            }
            answer.interim(response).await?;
            return Ok((Download::Switched, false));
        }
        answer.begin(response, lease.replica(), uploaded.get() || response.keeps_alive());
        let patience = Patience::Silence(worker.settings.limits.stream_timeout);
        let uncounted = Cell::new(0);
        let mut body = Reader::new(stream, buffer, response.body(), reply, patience, Fault::Upstream, &uncounted);
        pump(&mut body, answer).await?;
        body.release();
        Ok((Download::Complete, response.keeps_alive()))
    }
}

/// Reads one response head.
async fn receive(
    stream: &Transport,
    buffer: &mut Window,
    head: &mut ResponseHead,
    request: &RequestHead,
    timer: &Timer,
    limits: HeadLimits,
) -> Result<(), Error> {
    let mut scan = Scan::default();
    loop {
        let found = scan.parse(buffer.filled(), |window| head.parse(window, request, limits));
        if let Some(length) = found.map_err(Error::BadResponse)? {
            buffer.consume(length);
            return Ok(());
        }
        if buffer.len() >= limits.size {
            return Err(Error::BadResponse(HeadError::TooLarge));
        }
        if buffer.is_full() {
            buffer.grow(limits.size);
        }
        let count = match timer.limit(fill(stream, buffer)).await {
            Ok(Ok(count)) => count,
            Ok(Err(error)) => return Err(ended(buffer, Some(&error))),
            Err(Elapsed) => return Err(Error::ResponseTimeout),
        };
        if count == 0 {
            return Err(ended(buffer, None));
        }
        if !b"HTTP/".starts_with(&buffer.filled()[..buffer.len().min(5)]) {
            return Err(Error::BadResponse(HeadError::Malformed("not an HTTP/1.1 response")));
        }
    }
}

/// The connection ended before the head did.
fn ended(buffer: &Window, error: Option<&io::Error>) -> Error {
    if !buffer.is_empty() {
        return Error::BadResponse(HeadError::Malformed("the connection ended within the response head"));
    }
    tracing::debug!(?error, "a replica closed its connection without a response");
    // RFC 9293 3.10.7.4: a reset that follows the peer's end is told as a broken pipe.
    Error::Unanswered { in_order: error.is_none_or(|error| error.kind() == io::ErrorKind::BrokenPipe) }
}
