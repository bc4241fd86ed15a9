//! What can go wrong with an exchange: whose fault it is, what the client is told, and whether another replica may be asked.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use divisi_http1::{BodyError, HeadError};
use divisi_model::route::path::DotSegment;
use divisi_tls::upstream::UpstreamError;
use thiserror::Error;

/// Who made an exchange fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The client, or the way to it.
    Downstream,
    /// The proxy, or what it was told.
    Internal,
    /// The replica, or the way to it.
    Upstream,
}

/// Why a request did not wait for a replica any longer, or at all.
#[derive(Debug, Error)]
pub(crate) enum Unheld {
    #[error("{} ready, and requests are not to wait (--hold)", none_ready(.name, *.known))]
    Off { name: String, known: usize },
    #[error("{most} requests wait for a replica of service \"{name}\" already, as many as may (--hold-requests)")]
    Full { name: String, most: u32 },
    #[error("divisi is being stopped, and no replica has become ready")]
    Stopping,
    #[error("service \"{name}\" has had no container for so long that requests do not wait for one")]
    Forgotten { name: String },
    #[error("{} ready within {time:?} (--hold)", none_ready(.name, *.known))]
    TooLong { name: String, time: Duration, known: usize },
    #[error(
        "every replica of service \"{name}\" had {limit} requests, as many as it may (--limit), for {time:?} (--hold)"
    )]
    Busy { name: String, time: Duration, limit: u32 },
}

fn none_ready(name: &str, known: usize) -> String {
    match known {
        0 => format!("service \"{name}\" has no replica, and none became"),
        1 => format!("service \"{name}\" has one replica, and it was not"),
        known => format!("service \"{name}\" has {known} replicas, none of them was"),
    }
}

/// The setting that says how large a head may be.
fn limit(error: &HeadError) -> &'static str {
    match error {
        HeadError::TooLarge | HeadError::TargetTooLong => " (--head-size)",
        HeadError::TooManyFields => " (--max-fields)",
        _ => "",
    }
}

/// How much of what a client asked for is told back to it.
const EXCERPT: usize = 200;

/// A request for which there is no route: what it asked for, and what the world says to that.
#[derive(Debug)]
pub(crate) struct Nowhere(String);

impl Nowhere {
    pub(crate) fn new(host: &[u8], path: &[u8], reason: &str) -> Self {
        let excerpt = |text: &[u8]| {
            let more = if text.len() > EXCERPT { "..." } else { "" };
            format!("\"{}{more}\"", text[..text.len().min(EXCERPT)].escape_ascii())
        };
        let host = if host.is_empty() { "no host".to_owned() } else { format!("host {}", excerpt(host)) };
        let colon = if reason.is_empty() { "" } else { ": " };
        Self(format!("no route for {host} and path {}{colon}{reason} (`divisi explain URL` says more)", excerpt(path)))
    }
}

impl fmt::Display for Nowhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an exchange failed.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("bad request: {0}{flag}", flag = limit(.0))]
    BadRequest(HeadError),
    #[error("bad request body: {0}")]
    BadRequestBody(BodyError),
    #[error("the replica's response is malformed: {0}{flag}", flag = limit(.0))]
    BadResponse(HeadError),
    #[error("the replica's response body is malformed: {0}")]
    BadResponseBody(BodyError),
    #[error("the replica broke its response off")]
    BrokenOff,
    #[error("route closed: {0}")]
    Closed(Arc<str>),
    #[error("the client left")]
    ClientLeft,
    #[error("the client took too long (--head-timeout, --client-timeout, --min-body-rate)")]
    ClientTooSlow,
    #[error("cannot connect to the replica: {0}")]
    Connect(io::Error),
    #[error("the replica did not accept a connection in time (--connect-timeout)")]
    ConnectTimeout,
    #[error("{0}")]
    Unheld(Unheld),
    #[error("service \"{name}\" has {limit} requests already, as many as it may (--limit-service)")]
    Crowded { name: String, limit: u32 },
    #[error("the replica was stopped, and its time to finish is over (--drain)")]
    CutOff,
    #[error("bad request: {DotSegment}")]
    DotSegment,
    #[error("to be had at {location}")]
    Elsewhere {
        /// How it is said (RFC 9110 15.4).
        status: u16,
        /// Where.
        location: String,
    },
    #[error("the replica does not speak TLS as it should: {0}")]
    Handshake(io::Error),
    #[error("service \"{0}\" is gone")]
    Gone(String),
    #[error("the route is there inside TLS only, and the request cannot be sent into it: {0}")]
    InClear(&'static str),
    #[error("the connection was made for another name (TLS), under which that host is not served")]
    Misdirected,
    #[error("{0}")]
    NoRoute(String),
    #[error("{0}")]
    NotFound(Nowhere),
    #[error("the replica did not respond in time (--response-timeout)")]
    ResponseTimeout,
    #[error("{0}")]
    Token(Arc<str>),
    #[error("the replica closed the connection without a response; it may have acted on the request")]
    Unanswered {
        /// It had ended its side in order, and not by a reset.
        in_order: bool,
    },
    #[error("the replica had closed the connection before the request came")]
    Unreceived,
    #[error("the replica cannot carry this protocol over HTTP/2 (RFC 8441)")]
    Uncarried,
    #[error("no replica can be trusted: {0}")]
    Untrusted(Arc<UpstreamError>),
    #[error("the replica switched to a protocol that was not asked for")]
    UnaskedSwitch,
    #[error("the replica does not take the request: {0}")]
    UpstreamWrite(io::Error),
}

impl Error {
    /// Who made the exchange fail.
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::BadRequest(_)
            | Self::BadRequestBody(_)
            | Self::ClientLeft
            | Self::ClientTooSlow
            | Self::DotSegment => Fault::Downstream,
            Self::Closed(_)
            | Self::Crowded { .. }
            | Self::Elsewhere { .. }
            | Self::Gone(_)
            | Self::InClear(_)
            | Self::Misdirected
            | Self::NoRoute(_)
            | Self::NotFound(_)
            | Self::Token(_)
            | Self::Unheld(_)
            | Self::Untrusted(_) => Fault::Internal,
            Self::BadResponse(_)
            | Self::BadResponseBody(_)
            | Self::BrokenOff
            | Self::Connect(_)
            | Self::ConnectTimeout
            | Self::CutOff
            | Self::Handshake(_)
            | Self::ResponseTimeout
            | Self::Unanswered { .. }
            | Self::UnaskedSwitch
            | Self::Uncarried
            | Self::Unreceived
            | Self::UpstreamWrite(_) => Fault::Upstream,
        }
    }

    /// The status that tells the client (RFC 9110 15.5, 15.6); `None` where nobody is left to be told.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::BadRequest(error) => Some(error.status()),
            Self::BadRequestBody(_) | Self::DotSegment => Some(400),
            Self::ClientLeft => None,
            Self::ClientTooSlow => Some(408),
            Self::Elsewhere { status, .. } => Some(*status),
            Self::InClear(_) => Some(403),
            Self::Misdirected => Some(421),
            Self::Token(_) => Some(200),
            Self::NotFound(_) => Some(404),
            // Nobody is there to take the request, which is no bad response; it may be sent again soon.
            Self::Closed(_)
            | Self::Connect(_)
            | Self::Crowded { .. }
            | Self::CutOff
            | Self::Gone(_)
            | Self::NoRoute(_)
            | Self::Unheld(_)
            | Self::Untrusted(_) => Some(503),
            Self::ConnectTimeout | Self::ResponseTimeout => Some(504),
            Self::UpstreamWrite(_) if self.is_timeout() => Some(504),
            Self::BadResponse(_)
            | Self::BadResponseBody(_)
            | Self::BrokenOff
            | Self::Handshake(_)
            | Self::Unanswered { .. }
            | Self::UnaskedSwitch
            | Self::Uncarried
            | Self::Unreceived
            | Self::UpstreamWrite(_) => Some(502),
        }
    }

    /// Whether the peer was too slow, and waiting longer is no answer.
    pub(crate) fn is_timeout(&self) -> bool {
        match self {
            Self::UpstreamWrite(error) => error.kind() == io::ErrorKind::TimedOut,
            Self::ClientTooSlow | Self::ConnectTimeout | Self::ResponseTimeout => true,
            _ => false,
        }
    }

    /// Whether the replica cannot have seen the request, so that another one may be asked whatever the method.
    pub(crate) fn nothing_sent(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::ConnectTimeout | Self::Handshake(_) | Self::Unreceived)
    }

    /// Whether the replica has got the request, as far as is known, and took too long over it.
    pub(crate) fn is_reply_timeout(&self) -> bool {
        self.is_timeout() && matches!(self, Self::ResponseTimeout | Self::UpstreamWrite(_))
    }

    /// Whether the connection ended before a byte of the response: an idempotent request may be sent again
    /// (RFC 9110 9.2.2, RFC 9112 9.3.1).
    pub(crate) fn is_unanswered(&self) -> bool {
        matches!(self, Self::CutOff | Self::Unanswered { .. } | Self::Unreceived | Self::UpstreamWrite(_))
            && !self.is_timeout()
    }

    /// Whether the replica had ended its side when the request was on its way. On a write, Linux says so by a broken pipe.
    pub(crate) fn came_after_the_end(&self) -> bool {
        match self {
            Self::Unanswered { in_order } => *in_order,
            Self::UpstreamWrite(error) => error.kind() == io::ErrorKind::BrokenPipe,
            _ => false,
        }
    }
}
