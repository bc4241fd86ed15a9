//! One attempt at one replica: connect, send the request, pass the response on, both at the same time.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use divisi_http1::scan::Scan;
use divisi_http1::{BodyLength, HeadError, HeadLimits, RequestHead, ResponseHead};
use divisi_model::route::Rewritten;
use divisi_model::{Lease, Moment, Replica};
use tokio::net::TcpStream;

use crate::answer::Answer;
use crate::body::{Coding, Patience, Reader, Source, Writer, pump};
use crate::clock::{Elapsed, Timer};
use crate::desk::Window;
use crate::error::{Error, Fault};
use crate::identity::Identity;
use crate::proof::Proof;
use crate::record::Marks;
use crate::rewrite::{self, Via};
use crate::transport::{Tcp, Transport, fill};
use crate::tunnel;
use crate::worker::Worker;

/// Interim responses (RFC 9110 15.2) that one request may bring: each buys time, and time must end.
const MOST_INTERIM: usize = 100;

/// Everything one attempt needs besides the two ends of the client's connection.
pub(crate) struct Attempt<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) lease: &'a Lease,
    pub(crate) request: &'a RequestHead,
    pub(crate) identity: &'a Identity,
    /// What the replica sent and nobody has used yet.
    pub(crate) buffer: &'a mut Window,
    pub(crate) response: &'a mut ResponseHead,
    /// What waits to be written to the replica.
    pub(crate) pending: &'a mut Vec<u8>,
    /// Bounds what goes to the replica.
    pub(crate) upload: &'a Timer,
    /// Bounds what comes from it.
    pub(crate) reply: &'a Timer,
    /// The client has got something of the response.
    pub(crate) begun: &'a Cell<bool>,
    /// A connection from the pool has just failed: take a new one.
    pub(crate) fresh: bool,
    pub(crate) marks: &'a Marks,
    /// The path that stands in the place of the client's.
    pub(crate) path: Option<&'a Rewritten>,
    /// The replica is called by its own address.
    pub(crate) hides_host: bool,
}

/// How an attempt failed.
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// It happened on a connection from the pool, which the replica may have closed before the request reached it.
    pub(crate) reused: bool,
}

/// How the download ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Download {
    /// The whole response was passed on.
    Complete,
    /// The replica has left HTTP behind.
    Switched,
}

impl Attempt<'_> {
    /// Sends the request to the replica and passes the response on.
    pub(crate) async fn run<S: Source, A: Answer>(mut self, body: &mut S, answer: &mut A) -> Result<(), Failed> {
        let pooled = self.pooled();
        let reused = pooled.is_some();
        let stream = match pooled {
            Some(stream) => stream,
            None => self.connect().await.map_err(|error| Failed { error, reused: false })?,
        };
        self.pending.clear();
        self.buffer.clear();
        let via = Via { replica: self.lease.replica().authority(), path: self.path, hides_host: self.hides_host };
        rewrite::request(self.request, self.identity, via, self.pending);
        let _watch = Watch::over(self.reply, self.lease.replica());
        let repeatable = self.request.is_idempotent();
        let proof = Proof::begin(&stream, reused && !repeatable);
        body.keep(reused || repeatable);
        match self.exchange(&stream, body, answer).await {
            Ok(Download::Complete) => {}
            Ok(Download::Switched) => {
                let _watch = Watch::over(self.upload, self.lease.replica());
                let limit = self.worker.settings.limits.stream_timeout;
                tunnel::run(&stream, self.buffer, self.pending, body, answer, self.upload, limit).await;
                return Ok(());
            }
            Err(error) if error.fault() == Fault::Upstream && self.lease.replica().is_cut(Moment::now()) => {
                return Err(Failed { error: Error::CutOff, reused: false });
            }
            Err(error) => return Err(Failed { error: proof.examine(&stream, error).await, reused }),
        }
        let now = Moment::now();
        self.marks.ended.set(Some(now));
        // A byte that nobody asked for belongs to nobody: such a connection is never used again (RFC 9112 9.2).
        if self.response.keeps_alive() && body.is_over() && self.buffer.is_empty() {
            self.worker.pool.put(self.lease.replica(), stream, now);
        }
        Ok(())
    }

    fn pooled(&self) -> Option<Transport> {
        if self.fresh {
            return None;
        }
        self.worker.pool.take(self.lease.replica(), !self.request.is_idempotent())
    }

    async fn connect(&self) -> Result<Transport, Error> {
        let begun = Moment::now();
        self.upload.arm(self.worker.settings.limits.connect_timeout);
        let connected = self.upload.limit(TcpStream::connect(self.lease.replica().addr())).await;
        let stream = connected.map_err(|Elapsed| Error::ConnectTimeout)?.map_err(Error::Connect)?;
        stream.set_nodelay(true).map_err(Error::Connect)?;
        self.marks.connect.set(Some(Moment::now().since(begun)));
        Ok(Transport::Tcp(Tcp::new(stream)))
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
        let upload = async {
            pump(body, &mut sink).await?;
            uploaded.set(true);
            if !begun.get() {
                reply.arm(limits.response_timeout);
            }
            Err(body.gone().await)
        };
        let (buffer, response) = (&mut *self.buffer, &mut *self.response);
        let back = Back { stream, buffer, response, reply, marks: self.marks };
        let download = back.pass_on(request, worker, self.lease, &uploaded, answer);
        reply.arm(limits.stream_timeout);
        duplex(pin!(upload), pin!(download), &uploaded, || reply.arm(limits.response_timeout)).await
    }
}

/// A timer that also ends when a replica's time to finish is over (design, invariant 5), as long as this lives.
struct Watch<'a>(&'a Timer);

impl<'a> Watch<'a> {
    fn over(timer: &'a Timer, replica: &Arc<Replica>) -> Self {
        timer.watch(Some(Arc::clone(replica)));
        Self(timer)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.watch(None);
    }
}

/// The two directions of an exchange.
#[derive(Clone, Copy, Debug)]
enum Side {
    Download,
    Upload,
}

/// Runs both directions of an exchange until the response is through and the request too, or one of them cannot go on.
///
/// A replica that takes no more of the request may still have answered: its response is waited for (RFC 9112 9.5), from
/// `upload_failed` on as long as for any. A replica that has answered may still want the rest of the request.
async fn duplex(
    mut upload: Pin<&mut impl Future<Output = Result<Infallible, Error>>>,
    mut download: Pin<&mut impl Future<Output = Result<(Download, bool), Error>>>,
    uploaded: &Cell<bool>,
    upload_failed: impl Fn(),
) -> Result<Download, Error> {
    let mut refused: Option<Error> = None;
    let mut through = false;
    poll_fn(|context| {
        // Once the request is out, the response comes first: its end makes looking after the client unnecessary.
        for side in if uploaded.get() { [Side::Download, Side::Upload] } else { [Side::Upload, Side::Download] } {
            match side {
                Side::Upload if refused.is_none() => {
                    let Poll::Ready(Err(error)) = upload.as_mut().poll(context) else { continue };
                    let may_wait = error.fault() == Fault::Upstream && !error.is_timeout() && !through;
                    if !may_wait {
                        return Poll::Ready(if through { Ok(Download::Complete) } else { Err(error) });
                    }
                    upload_failed();
                    refused = Some(error);
                }
                Side::Download if !through => match download.as_mut().poll(context) {
                    Poll::Pending => {}
                    Poll::Ready(Ok((Download::Complete, true))) if refused.is_none() && !uploaded.get() => {
                        through = true
                    }
                    Poll::Ready(Ok((download, _))) => return Poll::Ready(Ok(download)),
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(Err(refused.take().filter(|_| error.is_unanswered()).unwrap_or(error)));
                    }
                },
                Side::Upload | Side::Download => {}
            }
        }
        if through && uploaded.get() { Poll::Ready(Ok(Download::Complete)) } else { Poll::Pending }
    })
    .await
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
        for passed in 0.. {
            if !response.is_interim() {
                break;
            }
            if passed == MOST_INTERIM {
                return Err(Error::BadResponse(HeadError::Malformed("interim responses without end")));
            }
            answer.interim(response).await?;
            reply.arm(worker.settings.limits.response_timeout);
            receive(stream, buffer, response, request, reply, worker.head_limits).await?;
        }
        let now = Moment::now();
        marks.first_byte.set(Some(now));
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

/// RFC 9110 15.6: a 5xx says that the replica has failed, but for two that are about the request.
fn judge(status: u16, worker: &Worker, lease: &Lease, now: Moment) {
    let good = status < 500 || matches!(status, 501 | 505);
    if lease.answered(good, now) {
        worker.published.alarm().raise(lease.replica());
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
