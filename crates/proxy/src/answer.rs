//! Where responses go, whatever HTTP the client speaks, and what divisi says in its own name.

use std::sync::Arc;

use divisi_http1::{RequestHead, ResponseHead};
use divisi_model::Replica;

use crate::affinity::Cookie;
use crate::body::Sink;
use crate::error::Error;

/// Where a response goes.
pub(crate) trait Answer: Sink {
    /// Passes an interim response on, or the 101 that ends HTTP.
    async fn interim(&mut self, head: &ResponseHead) -> Result<(), Error>;

    /// Begins the final response; its head goes out with the first piece of its body. `in_step` is false where the rest of
    /// the request will not be read, so that no other request can follow it.
    fn begin(&mut self, head: &ResponseHead, replica: &Replica, in_step: bool);

    /// Answers in our own name. `in_step` as for [`begin`](Self::begin).
    async fn refuse(&mut self, word: Word<'_>, request: Option<&RequestHead>, in_step: bool) -> Result<(), Error>;

    /// Ties the client to the replica that answers, or does not.
    fn tie(&mut self, cookie: Option<Cookie>);

    /// What browsers are to remember of TLS, in the head of the response (RFC 6797).
    fn protect(&mut self, hsts: Option<Arc<str>>);

    /// Whether the client has got something of the final response, so that no other one can be given.
    fn is_sent(&self) -> bool;
}

/// What divisi says in its own name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word<'a> {
    /// The status that tells the client.
    pub(crate) status: u16,
    /// What happened, in one line for a person; what a program expects, where that is all.
    pub(crate) text: &'a str,
    /// Whether the text is for a program, and nothing may stand around it.
    pub(crate) is_bare: bool,
    /// Where what was asked for is to be had.
    pub(crate) location: Option<&'a str>,
}

impl<'a> Word<'a> {
    /// What went wrong.
    pub(crate) fn of(error: &'a Error, text: &'a str) -> Option<Self> {
        let (is_bare, location) = match error {
            Error::Elsewhere { location, .. } => (false, Some(&**location)),
            Error::Token(_) => (true, None),
            _ => (false, None),
        };
        Some(Self { status: error.status()?, text, is_bare, location })
    }

    /// The body of the response.
    pub(crate) fn body(&self) -> String {
        if self.is_bare { self.text.to_owned() } else { format!("divisi: {}\n", self.text) }
    }

    /// RFC 9110 10.2.3: whether the client may come back soon. Replicas come back within seconds, or not by themselves.
    pub(crate) fn retry_after(&self) -> Option<&'static str> {
        (self.status == 503).then_some("1")
    }

    /// RFC 9110 15 and RFC 6585 5.
    pub(crate) fn phrase(&self) -> &'static str {
        match self.status {
            200 => "OK",
            301 => "Moved Permanently",
            302 => "Found",
            307 => "Temporary Redirect",
            308 => "Permanent Redirect",
            400 => "Bad Request",
            403 => "Forbidden",
            404 => "Not Found",
            408 => "Request Timeout",
            414 => "URI Too Long",
            417 => "Expectation Failed",
            421 => "Misdirected Request",
            431 => "Request Header Fields Too Large",
            501 => "Not Implemented",
            502 => "Bad Gateway",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            505 => "HTTP Version Not Supported",
            _ => "Error",
        }
    }
}
