//! What the replica answers, if it does.

use std::error::Error;
use std::fmt::Write as _;
use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};

use crate::settings::Fault;

/// Requests to this path are answered with their own bodies, to compare byte by byte what came through.
const MIRROR: &str = "/body";
/// The largest body that is kept for that.
const LARGEST: usize = 1 << 20;

/// How the replica answers every request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    name: Arc<str>,
    delay: Duration,
    fixed: Option<Bytes>,
    fault: Fault,
    dice: Arc<AtomicU64>,
}

impl Answer {
    /// Answers after `delay`, with `size` bytes or else with what was asked.
    pub(crate) fn new(name: impl Into<Arc<str>>, delay: Duration, size: Option<usize>) -> Self {
        let fixed = size.map(|size| Bytes::from(vec![b'x'; size]));
        Self { name: name.into(), delay, fixed, fault: Fault::None, dice: Arc::default() }
    }

    /// The same with something wrong.
    pub(crate) fn with(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }

    /// Reads the request to its end, however long it is, and answers.
    ///
    /// # Errors
    /// When the request breaks off, or is to go unanswered: its connection is closed then.
    pub(crate) async fn to(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
        let (head, mut body) = request.into_parts();
        let is_mirrored = head.uri.path() == MIRROR;
        let (mut length, mut mirrored) = (0, Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            let Some(data) = frame.data_ref() else { continue };
            length += data.len();
            if is_mirrored && length <= LARGEST {
                mirrored.extend_from_slice(data);
            }
        }
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        match self.fault {
            Fault::None => {}
            Fault::Error => return Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, "out of order\n".into())),
            Fault::Close if self.toss() => return Err("a connection closed on purpose".into()),
            Fault::Close => {}
            Fault::Silent => future::pending().await,
        }
        Ok(match self.fixed {
            Some(fixed) => plain(StatusCode::OK, fixed),
            None if is_mirrored && length > LARGEST => plain(StatusCode::PAYLOAD_TOO_LARGE, "too large\n".into()),
            None if is_mirrored => plain(StatusCode::OK, mirrored.into()),
            None => plain(StatusCode::OK, describe(&self.name, &head, length).into()),
        })
    }

    /// One in two, without a pattern that clients could fall in step with, and the same from run to run.
    fn toss(&self) -> bool {
        // SplitMix64.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.dice.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 63 == 1
    }
}

fn plain(status: StatusCode, text: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn describe(name: &str, head: &Parts, length: usize) -> String {
    let mut text = format!("{name}\n{} {} {:?}\n", head.method, head.uri, head.version);
    for (field, value) in &head.headers {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{field}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    let _ = writeln!(text, "\nbody: {length} bytes");
    text
}
