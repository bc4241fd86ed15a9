//! A case as it is written in `http1.json`.

use serde::Deserialize;

/// One request, or one reply, as bytes, and what a safe proxy must do with it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) raw: String,
    pub(crate) expect: String,
    pub(crate) level: String,
    pub(crate) why: String,
    /// Statuses that a rejection may have; 400 where none is named.
    pub(crate) status: Option<Vec<u16>>,
    pub(crate) close: bool,
    pub(crate) half_close: bool,
    pub(crate) backend_max_requests: Option<usize>,
    pub(crate) backend_must: Vec<String>,
    pub(crate) backend_must_not: Vec<String>,
    pub(crate) backend_must_not_after_body: Vec<String>,
    pub(crate) client_must: Vec<String>,
    pub(crate) client_must_not: Vec<String>,
    pub(crate) body_equals: Option<String>,
    pub(crate) client_body: Option<String>,
    pub(crate) backend_raw: Option<String>,
    pub(crate) backend_then: Then,
    pub(crate) respond_after_headers: bool,
    pub(crate) no_upstream_reuse: bool,
    pub(crate) responses: Option<usize>,
    pub(crate) requires: Option<String>,
    pub(crate) backend_path_must_not_resolve_to: Option<String>,
    pub(crate) slow: bool,
    pub(crate) steps: Vec<Step>,
}

/// What the origin does after its reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Then {
    Close,
    #[default]
    Hold,
    Rst,
}

/// One timed action of a client.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Send(String),
    WaitMs(u64),
    Repeat(Repeat),
    ReadRate(ReadRate),
    /// The client leaves. Nobody reads the `true` that stands there.
    Close(serde::de::IgnoredAny),
}

/// The same bytes again and again.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Repeat {
    pub(crate) send: String,
    pub(crate) every_ms: u64,
    pub(crate) times: u32,
}

/// A client that takes its response a few bytes at a time.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ReadRate {
    pub(crate) bytes: usize,
    pub(crate) every_ms: u64,
    pub(crate) for_ms: u64,
}

impl Case {
    /// Whether it is judged by time, in [`slow`](crate::slow), and not by what was exchanged.
    pub(crate) fn is_slow(&self) -> bool {
        self.slow && self.expect != "forward"
    }

    /// Whether the rule it is about must hold.
    pub(crate) fn must(&self) -> bool {
        self.level == "MUST"
    }
}

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    serde_json::from_str(include_str!("http1.json")).expect("the cases are valid")
}

/// The bytes of a text in which every character stands for one byte and `<<rep:TEXT:N>>` for N times TEXT.
pub(crate) fn expand(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<<rep:") {
        let (macro_, tail) = after.split_once(">>").expect("a macro ends");
        let (piece, times) = macro_.rsplit_once(':').expect("a macro has a number");
        bytes.extend(latin1(before));
        bytes.extend(latin1(piece).repeat(times.parse().expect("a macro has a number")));
        rest = tail;
    }
    bytes.extend(latin1(rest));
    bytes
}

/// One byte per character.
pub(crate) fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).expect("one byte per character")).collect()
}

#[test]
fn macros_expand() {
    assert_eq!(expand("a<<rep:xy:3>>b\u{ff}"), b"axyxyxyb\xff");
    assert_eq!(all().len(), 290);
}
