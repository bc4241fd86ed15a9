//! The response on its way to the client, and the few responses that are our own.

use std::cell::Cell;

use divisi_http1::{RequestHead, ResponseHead, Version};
use divisi_model::Replica;

use crate::affinity::Cookie;
use crate::body::{Piece, Sink, Writer};
use crate::error::Error;
use crate::rewrite::{self, Reply};
use crate::transport::Transport;
use crate::worker::Worker;

/// Where a response goes. HTTP/2 joins here with a stream of its own.
pub(crate) trait Answer: Sink {
    /// Passes an interim response on, or the 101 that ends HTTP.
    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Error>;

    /// Begins the final response; its head goes out with the first piece of its body. `in_step` is false where the rest of
    /// the request will not be read, so that no other request can follow it.
    fn begin(&mut self, head: &ResponseHead, replica: &Replica, in_step: bool);
}

/// A response to a client that speaks HTTP/1.
pub(crate) struct Http1Answer<'a, T> {
    pub(crate) writer: Writer<'a, T>,
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
}

impl<T: Transport> Sink for Http1Answer<'_, T> {
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

impl<T: Transport> Answer for Http1Answer<'_, T> {
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
        };
        rewrite::response(head, reply, self.writer.pending);
    }
}

impl<T: Transport> Http1Answer<'_, T> {
    /// Answers in our own name: what happened, in one line for a person.
    pub(crate) async fn refuse(
        &mut self,
        status: u16,
        reason: &str,
        request: Option<&RequestHead>,
    ) -> Result<(), Error> {
        let body = format!("divisi: {reason}\n");
        let head_only = request.is_some_and(|request| request.method() == b"HEAD");
        let out = &mut *self.writer.pending;
        out.clear();
        out.extend_from_slice(format!("HTTP/1.1 {status} {}\r\n", phrase(status)).as_bytes());
        rewrite::put(out, b"Date", self.worker.date.borrow().as_bytes());
        rewrite::put(out, b"Content-Type", b"text/plain; charset=utf-8");
        rewrite::put(out, b"Content-Length", body.len().to_string().as_bytes());
        if status == 503 {
            // RFC 9110 10.2.3: replicas come back within seconds, or not by themselves.
            rewrite::put(out, b"Retry-After", b"1");
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
}

/// RFC 9110 15 and RFC 6585 5.
fn phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        404 => "Not Found",
        408 => "Request Timeout",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}
