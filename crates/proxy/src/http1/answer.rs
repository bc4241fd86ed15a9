//! The response on its way to a client that speaks HTTP/1, and the few responses that are our own.

use std::cell::Cell;
use std::sync::Arc;

use divisi_http1::{RequestHead, ResponseHead, Version};
use divisi_model::Replica;

use crate::affinity::Cookie;
use crate::answer::{Answer, Word};
use crate::body::{Piece, Sink, Writer};
use crate::error::Error;
use crate::rewrite::{self, Reply};
use crate::worker::Worker;

/// A response to a client that speaks HTTP/1.
pub(crate) struct Http1Answer<'a> {
    pub(crate) writer: Writer<'a>,
    pub(crate) worker: &'a Worker,
    pub(crate) version: Version,
    /// The connection will serve another request.
    pub(crate) keep_alive: bool,
    /// The client has got something of the final response.
    pub(crate) begun: &'a Cell<bool>,
    /// Where the response breaks off, only a reset tells the client.
    pub(crate) ends_with_connection: bool,
    /// Counts the bytes of the body that went out.
    pub(crate) body: &'a Cell<u64>,
    /// Ties the client to its replica, where that is wanted.
    pub(crate) cookie: Option<Cookie>,
    /// What browsers are to remember of TLS.
    pub(crate) hsts: Option<Arc<str>>,
}

impl Sink for Http1Answer<'_> {
    async fn write(&mut self, piece: Piece<'_>) -> Result<(), Error> {
        self.writer.write(piece).await?;
        self.body.set(self.body.get() + piece.data.len() as u64);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush().await
    }

    fn finish(&mut self) {
        self.writer.finish();
    }
}

impl Answer for Http1Answer<'_> {
    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Error> {
        // RFC 9110 15.2: never to a client of HTTP/1.0.
        if self.version == Version::Http10 {
            return Ok(());
        }
        rewrite::interim(head, self.writer.pending);
        self.begun.set(head.status() == 101);
        self.writer.flush().await?;
        // The final response is still to come, from us if need be.
        self.writer.sent = self.begun.get();
        Ok(())
    }

    fn begin(&mut self, head: &ResponseHead, replica: &Replica, in_step: bool) {
        self.ends_with_connection = !rewrite::delimits_itself(head, self.version);
        // RFC 9112 9.6: said as early as it is known.
        self.keep_alive &= in_step && !self.ends_with_connection && !self.worker.clock.is_stopping();
        self.begun.set(true);
        self.writer.coding = rewrite::coding(head, self.version);
        let date = self.worker.date.borrow();
        let reply = Reply {
            version: self.version,
            keep_alive: self.keep_alive,
            date: date.as_bytes(),
            replica: self.worker.settings.replica_header.then(|| replica.authority()),
            cookie: self.cookie.as_ref().and_then(|cookie| Some((&*cookie.name, cookie.news(replica)?))),
            hsts: self.hsts.as_deref(),
        };
        rewrite::response(head, reply, self.writer.pending);
    }

    async fn refuse(&mut self, word: Word<'_>, request: Option<&RequestHead>, in_step: bool) -> Result<(), Error> {
        self.keep_alive &= in_step && !self.worker.clock.is_stopping();
        let body = word.body();
        let head_only = request.is_some_and(|request| request.method() == b"HEAD");
        let out = &mut *self.writer.pending;
        out.clear();
        out.extend_from_slice(format!("HTTP/1.1 {} {}\r\n", word.status, word.phrase()).as_bytes());
        rewrite::put(out, b"Date", self.worker.date.borrow().as_bytes());
        rewrite::put(out, b"Content-Type", b"text/plain; charset=utf-8");
        rewrite::put(out, b"Content-Length", body.len().to_string().as_bytes());
        if let Some(seconds) = word.retry_after() {
            rewrite::put(out, b"Retry-After", seconds.as_bytes());
        }
        if let Some(location) = word.location {
            rewrite::put(out, b"Location", location.as_bytes());
        }
        rewrite::connection(self.version, self.keep_alive, out);
        out.extend_from_slice(b"\r\n");
        if !head_only {
            out.extend_from_slice(body.as_bytes());
        }
        self.writer.flush().await?;
        self.body.set(if head_only { 0 } else { body.len() as u64 });
        Ok(())
    }

    fn tie(&mut self, cookie: Option<Cookie>) {
        self.cookie = cookie;
    }

    fn protect(&mut self, hsts: Option<Arc<str>>) {
        self.hsts = hsts;
    }

    fn is_sent(&self) -> bool {
        self.writer.sent
    }
}
