//! One attempt at one replica: connect, send the request, pass the response on, both at the same time.
//!
//! | file | job |
//! |---|---|
//! | `mod` | what an attempt is, and how both its directions run at once |
//! | [`connect`] | a new connection to a replica |
//! | [`http1`], [`http2`] | the attempt itself, in what the replica speaks |
//! | [`lines`] | connections of HTTP/2, each for many requests at a time |

mod connect;
mod http1;
mod http2;
pub(crate) mod lines;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use divisi_http1::{HeadError, RequestHead, ResponseHead};
use divisi_model::route::Rewritten;
use divisi_model::speech::Scheme;
use divisi_model::{Lease, Moment, Replica};

use crate::answer::Answer;
use crate::body::Source;
use crate::clock::Timer;
use crate::desk::Window;
use crate::error::{Error, Fault};
use crate::http2::grpc;
use crate::identity::Identity;
use crate::record::Marks;
use crate::rewrite::{self, Introduction, Via};
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
    pub(crate) introduction: &'a mut Introduction,
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
    /// Sends the request to the replica and passes the response on. By reference, here and below: an attempt is large to move.
    pub(crate) async fn run<S: Source, A: Answer>(&mut self, body: &mut S, answer: &mut A) -> Result<(), Failed> {
        match self.lease.replica().speech().scheme {
            Scheme::H2c | Scheme::H2 => self.by_http2(body, answer).await,
            // There is no gRPC but in HTTP/2.
            Scheme::Http | Scheme::Https if grpc::is_grpc(self.request) => self.by_http2(body, answer).await,
            Scheme::Http | Scheme::Https => self.by_http1(body, answer).await,
        }
    }

    /// Spells the request as the replica gets it.
    fn spell(&mut self) {
        self.pending.clear();
        let via = Via { replica: self.lease.replica().authority(), path: self.path, hides_host: self.hides_host };
        rewrite::request(self.request, self.identity, via, self.introduction, self.pending);
    }

    /// How long a response may take to begin. A call of gRPC may stream for long before it is answered, and says itself for how long.
    fn patience(&self) -> Duration {
        let limits = &self.worker.settings.limits;
        if grpc::is_grpc(self.request) { limits.stream_timeout } else { limits.response_timeout }
    }

    /// What an error is, where the replica's time to finish is over: its end.
    fn cut_off(&self, error: Error) -> Error {
        let is_cut = error.fault() == Fault::Upstream && self.lease.replica().is_cut(Moment::now());
        if is_cut { Error::CutOff } else { error }
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
    marks: &Marks,
    upload_failed: impl Fn(),
) -> Result<Download, Error> {
    let mut refused: Option<Error> = None;
    let mut through = false;
    poll_fn(|context| {
        marks.note_wait();
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
                        // Why the request was not taken says more, unless the replica itself says that it has not acted.
                        let says_less = error.is_unanswered() && !error.nothing_sent();
                        return Poll::Ready(Err(refused.take().filter(|_| says_less).unwrap_or(error)));
                    }
                },
                Side::Upload | Side::Download => {}
            }
        }
        if through && uploaded.get() { Poll::Ready(Ok(Download::Complete)) } else { Poll::Pending }
    })
    .await
}

/// RFC 9110 15.6: a 5xx says that the replica has failed, but for two that are about the request.
fn judge(status: u16, worker: &Worker, lease: &Lease, now: Moment) {
    let good = status < 500 || matches!(status, 501 | 505);
    if lease.answered(good, now) {
        worker.published.alarm().raise(lease.replica());
    }
}

/// Counts interim responses.
#[derive(Default)]
struct Interim(usize);

impl Interim {
    /// One more.
    ///
    /// # Errors
    /// There have been enough.
    fn count(&mut self) -> Result<(), Error> {
        self.0 += 1;
        let enough = self.0 > MOST_INTERIM;
        let error = || Error::BadResponse(HeadError::Malformed("interim responses without end"));
        if enough { Err(error()) } else { Ok(()) }
    }
}
