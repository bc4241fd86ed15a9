//! The response on its way to a client that speaks HTTP/2, and the few responses that are our own.

use std::cell::Cell;
use std::sync::Arc;

use divisi_http1::{RequestHead, ResponseHead, Version};
use divisi_model::Replica;
use http::{HeaderValue, Response, StatusCode, header};

use super::grpc;
use super::outlet::{Outlet, Recipient};
use super::said::Said;
use super::websocket;
use crate::affinity::Cookie;
use crate::answer::{Answer, Word};
use crate::body::{Piece, Sink};
use crate::error::Error;
use crate::record::Marks;
use crate::rewrite::{self, Reply};
use crate::worker::Worker;

/// A response to a client that speaks HTTP/2.
pub(super) struct Http2Answer<'a> {
    pub(super) outlet: &'a Outlet,
    /// The head that waits for the first piece of its body.
    pub(super) pending: Option<Said<'a>>,
    pub(super) recipient: Recipient<'a>,
    pub(super) worker: &'a Worker,
    /// What was asked of the replica where the client wants a tunnel for WebSocket (RFC 8441).
    pub(super) key: Option<&'a str>,
    pub(super) is_sent: bool,
    /// The client has got something of the final response.
    pub(super) begun: &'a Cell<bool>,
    /// Counts what went out, heads as long as they are spelled.
    pub(super) marks: &'a Marks,
    pub(super) cookie: Option<Cookie>,
    pub(super) hsts: Option<Arc<str>>,
}

impl Http2Answer<'_> {
    /// Sends the head that waits, if one does.
    fn send_head(&mut self, is_all: bool) -> Result<(), Error> {
        let Some(said) = self.pending.take() else { return Ok(()) };
        self.marks.sent.set(self.marks.sent.get() + said.length as u64);
        self.respond(said.head, is_all)
    }

    fn respond(&mut self, head: Response<()>, is_all: bool) -> Result<(), Error> {
        self.is_sent = true;
        if self.outlet.begin(head, is_all) { Ok(()) } else { Err(Error::ClientLeft) }
    }

    fn note_sent(&self, bytes: usize) {
        self.marks.body.set(self.marks.body.get() + bytes as u64);
        self.marks.sent.set(self.marks.sent.get() + bytes as u64);
    }

    /// RFC 8441 5: what is 101 in HTTP/1.1 is 200 here, and has no accept for a key that the client has never sent.
    fn switch(&mut self, head: &ResponseHead) -> Result<(), Error> {
        let expected = websocket::accept(self.key.unwrap_or_default().as_bytes());
        let mut accepts = head.fields().iter().filter(|field| field.name.eq_ignore_ascii_case(b"sec-websocket-accept"));
        if !accepts.any(|field| field.value == expected.as_bytes()) {
            return Err(Error::UnaskedSwitch);
        }
        let mut said = Said::new(&self.worker.values);
        rewrite::interim(head, &mut said);
        let mut response = said.head;
        response.headers_mut().remove("sec-websocket-accept");
        *response.status_mut() = StatusCode::OK;
        self.begun.set(true);
        self.respond(response, false)
    }
}

impl Sink for Http2Answer<'_> {
    async fn write(&mut self, piece: Piece<'_>) -> Result<(), Error> {
        if self.pending.is_some() {
            let is_all = piece.data.is_empty() && piece.end.is_some_and(|section| section.len() <= b"\r\n".len());
            self.send_head(is_all)?;
            if is_all {
                return Ok(());
            }
        }
        self.outlet.send(self.recipient, piece)?;
        self.note_sent(piece.data.len() - self.outlet.waiting());
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.send_head(false)
    }

    fn finish(&mut self) {
        self.outlet.finish();
    }

    fn is_behind(&self) -> bool {
        self.outlet.waiting() > 0
    }

    async fn catch_up(&mut self) -> Result<(), Error> {
        let waiting = self.outlet.waiting();
        let caught_up = self.outlet.catch_up(self.recipient).await;
        self.note_sent(waiting - self.outlet.waiting());
        caught_up
    }
}

impl Answer for Http2Answer<'_> {
    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Error> {
        if head.status() == 101 {
            return self.switch(head);
        }
        let mut said = Said::new(&self.worker.values);
        rewrite::interim(head, &mut said);
        self.outlet.inform(said.head).map_err(|_| Error::ClientLeft)
    }

    fn begin(&mut self, head: &ResponseHead, replica: &Replica, _: bool) {
        self.begun.set(true);
        let date = self.worker.date.borrow();
        let reply = Reply {
            version: Version::Http11,
            keep_alive: true,
            date: date.as_bytes(),
            replica: self.worker.settings.replica_header.then(|| replica.authority()),
            cookie: self.cookie.as_ref().and_then(|cookie| Some((&*cookie.name, cookie.news(replica)?))),
            hsts: self.hsts.as_deref(),
        };
        rewrite::response(head, reply, self.pending.insert(Said::new(&self.worker.values)));
    }

    async fn refuse(&mut self, word: Word<'_>, request: Option<&RequestHead>, _: bool) -> Result<(), Error> {
        self.pending = None;
        let date = HeaderValue::from_str(&self.worker.date.borrow()).ok();
        if let Some(request) = request.filter(|request| grpc::is_grpc(request)) {
            return self.respond(grpc::refusal(word, request, date), true);
        }
        let body = word.body();
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(word.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let fields = [
            (header::DATE, date),
            (header::CONTENT_TYPE, Some(HeaderValue::from_static("text/plain; charset=utf-8"))),
            (header::CONTENT_LENGTH, Some(HeaderValue::from(body.len()))),
            (header::RETRY_AFTER, word.retry_after().map(HeaderValue::from_static)),
            (header::LOCATION, word.location.and_then(|location| HeaderValue::from_str(location).ok())),
        ];
        let said = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        response.headers_mut().extend(said);
        let head_only = request.is_some_and(|request| request.method() == b"HEAD");
        self.respond(response, head_only)?;
        if !head_only {
            self.write(Piece { data: body.as_bytes(), end: Some(&[]) }).await?;
            self.catch_up().await?;
        }
        Ok(())
    }

    fn tie(&mut self, cookie: Option<Cookie>) {
        self.cookie = cookie;
    }

    fn protect(&mut self, hsts: Option<Arc<str>>) {
        self.hsts = hsts;
    }

    fn is_sent(&self) -> bool {
        self.is_sent
    }
}
