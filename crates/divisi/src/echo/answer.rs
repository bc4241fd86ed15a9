//! What the replica answers.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response};

/// How the replica answers every request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    name: Arc<str>,
    delay: Duration,
    fixed: Option<Bytes>,
}

impl Answer {
    /// Answers after `delay`, with `size` bytes or else with what was asked.
    pub(crate) fn new(name: impl Into<Arc<str>>, delay: Duration, size: Option<usize>) -> Self {
        Self { name: name.into(), delay, fixed: size.map(|size| Bytes::from(vec![b'x'; size])) }
    }

    /// Reads the request to its end, however long it is, and answers.
    ///
    /// # Errors
    /// When the request breaks off: it gets no answer then.
    pub(crate) async fn to(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, mut body) = request.into_parts();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame?.data_ref().map_or(0, |data| data.len() as u64);
        }
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        let text = self.fixed.unwrap_or_else(|| describe(&self.name, &head, length).into());
        let mut response = Response::new(Full::new(text));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        Ok(response)
    }
}

fn describe(name: &str, head: &Parts, length: u64) -> String {
    let mut text = format!("{name}\n{} {} {:?}\n", head.method, head.uri, head.version);
    for (field, value) in &head.headers {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{field}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    let _ = writeln!(text, "\nbody: {length} bytes");
    text
}
