//! An attempt at a replica that speaks HTTP/2: one stream among others on a line.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use divisi_http1::{BodyLength, HeadError};
use divisi_model::Moment;
use divisi_tls::upstream::Protocol;
use h2::client::{Builder, Connection, ResponseFuture};
use h2::{Reason, RecvStream};
use http::Response;

use super::lines::{self, Call, Line, Way};
use super::{Attempt, Download, Failed, Interim, Watch, duplex, judge};
use crate::answer::Answer;
use crate::body::{Patience, Piece, Sink, Source, pump};
use crate::clock::Elapsed;
use crate::desk::Window;
use crate::error::{Error, Fault};
use crate::http2::census::Census;
use crate::http2::outlet::{Outlet, Parcel, Recipient};
use crate::http2::stream::{Frames, Stage};
use crate::http2::watched::Watched;
use crate::http2::{self, spelling, websocket};
use crate::settings::Limits;
use crate::transport::carrier::Carrier;
use crate::tunnel;

/// A request that is on its way.
struct Sent {
    outlet: Outlet,
    response: ResponseFuture,
    /// It has no body: none at all, or what follows its head belongs to a tunnel.
    is_all: bool,
}

/// The body of a request on its way to a replica.
struct Upload<'a> {
    outlet: &'a Outlet,
    to: Recipient<'a>,
}

impl Sink for Upload<'_> {
    async fn write(&mut self, piece: Piece<'_>) -> Result<(), Error> {
        self.outlet.send(self.to, piece)
    }

    /// The head has gone already.
    async fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn finish(&mut self) {
        self.outlet.finish();
    }

    fn is_behind(&self) -> bool {
        self.outlet.waiting() > 0
    }

    async fn catch_up(&mut self) -> Result<(), Error> {
        self.outlet.catch_up(self.to).await
    }
}

impl Attempt<'_> {
    pub(super) async fn by_http2<S: Source, A: Answer>(&mut self, body: &mut S, answer: &mut A) -> Result<(), Failed> {
        let connected = self.call().await;
        let (call, is_new) = connected.map_err(|error| Failed { error, reused: false })?;
        self.spell();
        let _watch = Watch::over(self.reply, self.lease.replica());
        body.keep(true);
        match self.converse(&call, body, answer).await {
            Ok(()) => {
                self.marks.note_end();
                Ok(())
            }
            Err(error) => {
                // A line that has ended may have done so before the request came.
                let reused = call.is_over() && !is_new;
                Err(Failed { error: self.cut_off(error), reused })
            }
        }
    }

    /// A place on a line to the replica, a new one where there is no room on those that there are; and whether it is new.
    async fn call(&self) -> Result<(Call, bool), Error> {
        let (worker, replica, name) = (self.worker, self.lease.replica(), self.purpose());
        self.upload.arm(worker.settings.limits.connect_timeout);
        let found = self.upload.limit(worker.lines.find(replica, name.as_deref())).await;
        let duty = match found.map_err(|Elapsed| Error::ConnectTimeout)? {
            Way::There(call) => return Ok((call, false)),
            Way::Make(duty) => duty,
        };
        let transport = self.connect(Protocol::Http2).await?;
        let census = Rc::new(Census::new(false));
        let carrier = Carrier::new(Rc::new(transport), Window::new(&worker.desks.buffers));
        let handshake = builder(&worker.settings.limits).handshake(Watched::new(carrier, Rc::clone(&census)));
        let made = self.upload.limit(handshake).await.map_err(|Elapsed| Error::ConnectTimeout)?;
        let (sender, connection) = made.map_err(|error| Error::Handshake(io::Error::other(error)))?;
        let (call, line) = worker.lines.put(replica, name, sender, census);
        drop(duty);
        tokio::task::spawn_local(carry(connection, line));
        Ok((call, true))
    }

    /// Sends the head.
    async fn send<S: Source>(&mut self, call: &Call, body: &S) -> Result<Sent, Error> {
        let mut sender = call.sender();
        let is_secure = self.lease.replica().speech().scheme.is_secure();
        let mut head = spelling::said_request(self.pending, is_secure)?;
        let upgrade = self.request.upgrade();
        self.upload.arm(self.worker.settings.limits.connect_timeout);
        let is_empty = self.request.body() == BodyLength::Empty;
        if let Some(protocol) = upgrade {
            // RFC 8441 3: the replica says in its settings whether it takes such a request.
            let settled = self.upload.limit(call.settled()).await;
            settled.map_err(|Elapsed| Error::ConnectTimeout)?;
            let is_known = protocol.eq_ignore_ascii_case(b"websocket") && is_empty;
            if !is_known || !sender.is_extended_connect_protocol_enabled() {
                return Err(Error::Uncarried);
            }
            websocket::ask_by_connect(&mut head);
        }
        let is_all = is_empty && (upgrade.is_some() || body.is_over());
        let lost = |error: h2::Error| {
            tracing::debug!(%error, "a line takes no more requests");
            call.hang_up();
            Error::Unreceived
        };
        let ready = self.upload.limit(poll_fn(|context| sender.poll_ready(context))).await;
        ready.map_err(|Elapsed| Error::ConnectTimeout)?.map_err(lost)?;
        let (response, stream) = sender.send_request(head, is_all && upgrade.is_none()).map_err(lost)?;
        Ok(Sent { outlet: Outlet::to_replica(stream, call.budget()), response, is_all })
    }

    /// Both directions at once.
    async fn converse<S: Source, A: Answer>(&mut self, call: &Call, body: &mut S, answer: &mut A) -> Result<(), Error> {
        let Sent { outlet, response, is_all } = self.send(call, body).await?;
        let (worker, reply, begun, patience) = (self.worker, self.reply, self.begun, self.patience());
        let marks = self.marks;
        let uploaded = Cell::new(false);
        let to = Recipient::replica(self.upload, patience, worker.head_limits);
        let mut sink = Upload { outlet: &outlet, to };
        let mut back = Back { call, outlet: &outlet, response, patience, stream: None };
        let ended = {
            let upload = pin!(async {
                if !is_all {
                    pump(body, &mut sink).await?;
                }
                uploaded.set(true);
                if !begun.get() {
                    reply.arm(patience);
                }
                Err(body.gone().await)
            });
            let download = pin!(back.pass_on(self, &uploaded, answer));
            reply.arm(worker.settings.limits.stream_timeout);
            duplex(upload, download, &uploaded, marks, || reply.arm(patience)).await
        };
        match ended {
            Ok(Download::Complete) => {}
            Ok(Download::Switched) => {
                let stream = back.stream.take();
                Box::pin(self.http2_tunnel(&outlet, stream, body, answer)).await;
            }
            Err(error) => {
                outlet.reset(Reason::CANCEL);
                return Err(error);
            }
        }
        Ok(())
    }

    /// What follows where the replica has taken an extended CONNECT.
    async fn http2_tunnel<S: Source, A: Answer>(
        &mut self,
        outlet: &Outlet,
        stream: Option<RecvStream>,
        body: &mut S,
        answer: &mut A,
    ) {
        let Some(mut stream) = stream else { return };
        let _watch = Watch::over(self.upload, self.lease.replica());
        let silence = self.worker.settings.limits.stream_timeout;
        let (timer, side, uncounted) = (self.upload, Fault::Upstream, Cell::new(0));
        let mut sink = Upload { outlet, to: Recipient::replica(timer, silence, self.worker.head_limits) };
        let (patience, stage) = (Patience::Silence(silence), Stage::of(&stream, false));
        let mut source = Frames::new(&mut stream, outlet, stage, timer, patience, side, &uncounted);
        tunnel::run(&mut source, &mut sink, body, answer, silence).await;
        outlet.leave(Reason::CANCEL);
    }
}

/// The way back from the replica.
struct Back<'a> {
    call: &'a Call,
    outlet: &'a Outlet,
    response: ResponseFuture,
    /// How long the response may take to begin.
    patience: Duration,
    /// What follows, where HTTP was left behind.
    stream: Option<RecvStream>,
}

impl Back<'_> {
    /// Passes the response on. Also says whether the replica may still read what is left of the request.
    async fn pass_on<A: Answer>(
        &mut self,
        attempt: &mut Attempt<'_>,
        uploaded: &Cell<bool>,
        answer: &mut A,
    ) -> Result<(Download, bool), Error> {
        let (worker, request, reply) = (attempt.worker, attempt.request, attempt.reply);
        let mut interim = Interim::default();
        let (head, mut stream) = loop {
            match reply.limit(poll_fn(|context| self.poll_head(context))).await {
                Err(Elapsed) => return Err(Error::ResponseTimeout),
                Ok(Err(error)) => return Err(unanswered(&error, self.call)),
                Ok(Ok(Head::Final(response))) => break response_of(response),
                Ok(Ok(Head::Interim(response))) => {
                    interim.count()?;
                    spelling::respell(&response, None, attempt.pending);
                    parse(attempt)?;
                    answer.interim(attempt.response).await?;
                    reply.arm(self.patience);
                }
            }
        };
        let now = Moment::now();
        attempt.marks.note_head(now);
        judge(head.status().as_u16(), worker, attempt.lease, now);
        let switches = request.upgrade().filter(|_| head.status().is_success()).map(|_| websocket::accept_of(request));
        spelling::respell(&head, switches.as_deref(), attempt.pending);
        parse(attempt)?;
        if switches.is_some() {
            answer.interim(attempt.response).await?;
            self.stream = Some(stream);
            return Ok((Download::Switched, false));
        }
        answer.begin(attempt.response, attempt.lease.replica(), uploaded.get());
        let patience = Patience::Silence(worker.settings.limits.stream_timeout);
        let (uncounted, stage) = (Cell::new(0), Stage::of(&stream, false));
        let mut body = Frames::new(&mut stream, self.outlet, stage, reply, patience, Fault::Upstream, &uncounted);
        body.look_ahead().await;
        pump(&mut body, answer).await?;
        Ok((Download::Complete, true))
    }

    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<Head, h2::Error>> {
        if let Poll::Ready(Some(interim)) = self.response.poll_informational(context) {
            return Poll::Ready(interim.map(Head::Interim));
        }
        Pin::new(&mut self.response).poll(context).map_ok(Head::Final)
    }
}

/// A head that has come.
enum Head {
    Interim(Response<()>),
    Final(Response<RecvStream>),
}

fn response_of(response: Response<RecvStream>) -> (Response<()>, RecvStream) {
    let (parts, stream) = response.into_parts();
    (Response::from_parts(parts, ()), stream)
}

/// Judges a head as strictly as one of HTTP/1.1.
fn parse(attempt: &mut Attempt<'_>) -> Result<(), Error> {
    let limits = attempt.worker.head_limits;
    match attempt.response.parse(attempt.pending, attempt.request, limits) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Error::BadResponse(HeadError::Malformed("not as HTTP/2 has it"))),
        Err(error) => Err(Error::BadResponse(error)),
    }
}

/// What it says that a stream has ended before its response.
fn unanswered(error: &h2::Error, call: &Call) -> Error {
    if error.is_io() || error.is_go_away() {
        call.hang_up();
    }
    // RFC 9113 8.7: whoever refuses a stream has not acted on it, nor on those that a GOAWAY leaves out (6.8).
    let is_refused = error.reason() == Some(Reason::REFUSED_STREAM) || error.is_go_away();
    match error {
        error if error.is_remote() && is_refused => Error::Unreceived,
        error if error.is_remote() || error.is_io() => Error::Unanswered { in_order: false },
        _ => Error::BadResponse(HeadError::Malformed("not as HTTP/2 has it")),
    }
}

/// Nothing is pushed, and what a replica may send of one body before it is used is bounded as for clients.
fn builder(limits: &Limits) -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .initial_window_size(http2::WINDOW)
        // Room for all of them: clients that do not read hold up their own responses, and nobody else's on the same line.
        .initial_connection_window_size(http2::WINDOW * lines::MOST)
        .max_send_buffer_size(http2::SEND_BUFFER);
    builder
}

/// Carries what is on a line, until it ends.
async fn carry(connection: Connection<Watched, Parcel>, line: Rc<Line>) {
    let mut connection = pin!(connection);
    let ended = poll_fn(|context| match connection.as_mut().poll(context) {
        Poll::Pending if line.census.is_exceeded() => Poll::Ready(Ok(())),
        other => other,
    });
    if let Err(error) = ended.await {
        tracing::debug!(%error, "a connection to a replica ended");
    }
    line.is_over.set(true);
    // There will be no settings any more.
    line.census.settle();
}
