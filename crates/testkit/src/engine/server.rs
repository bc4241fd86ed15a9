//! The fake engine's HTTP server.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http_body_util::{Either, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::lock;
use super::state::{Filters, State};

/// The newest API version that is spoken: 1.41, as by Engine 20.10.
const NEWEST: u32 = 41;

type Answer = Response<Either<Full<Bytes>, Events>>;

/// An endless body.
struct Events {
    first: Option<Vec<u8>>,
    stream: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from(first)))));
        }
        self.stream.poll_recv(cx).map(|line| line.map(|line| Ok(Frame::data(Bytes::from(line)))))
    }
}

/// Serves until `stopped`; tells `ready` when the socket exists.
pub(super) fn run(socket: &Path, state: Arc<Mutex<State>>, stopped: oneshot::Receiver<()>, ready: &Sender<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = UnixListener::bind(socket).expect("a socket in a folder of our own");
        let _ = ready.send(());
        tokio::select! {
            _ = stopped => {}
            () = serve(listener, state) => {}
        }
    });
}

async fn serve(listener: UnixListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, Arc::clone(&state)));
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: UnixStream, state: Arc<Mutex<State>>) {
    let service = service_fn(|request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(answer(&request, &state).await) }
    });
    // A client that goes away is its own business.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: &Request<Incoming>, state: &Mutex<State>) -> Answer {
    if lock(state).hangs {
        return std::future::pending().await;
    }
    let query = parameters(request.uri().query().unwrap_or_default());
    let filters = query.get("filters").map(|text| filters(text)).unwrap_or_default();
    let (version, path) = versioned(request.uri().path());
    if version.is_some_and(|version| version < lock(state).least_version || version > NEWEST) {
        return error(StatusCode::BAD_REQUEST, "client version is not supported");
    }
    match path {
        "/_ping" => {
            lock(state).calls.pings += 1;
            full(StatusCode::OK, "OK".to_owned())
        }
        "/version" => {
            lock(state).calls.versions += 1;
            let least = lock(state).least_version;
            let version = json!({
                "Version": "20.10.24",
                "ApiVersion": format!("1.{NEWEST}"),
                "MinAPIVersion": format!("1.{least}"),
            });
            full(StatusCode::OK, version.to_string())
        }
        "/events" => {
            let since = query.get("since").and_then(|text| nanos(text));
            let (mut stream, is_late) = {
                let mut state = lock(state);
                state.calls.events += 1;
                (state.subscribe(filters, since), state.late_heads)
            };
            let first = if is_late { stream.recv().await } else { None };
            let events = Events { first, stream };
            Response::builder().header("Content-Type", "application/json").body(Either::Right(events)).expect("valid")
        }
        "/containers/json" => {
            list(state, &filters, query.get("all").is_some_and(|all| all == "true" || all == "1")).await
        }
        _ => inspect(state, path),
    }
}

async fn list(state: &Mutex<State>, filters: &Filters, all: bool) -> Answer {
    let (body, delay, fail) = {
        let mut state = lock(state);
        state.calls.lists += 1;
        (state.list_body.clone().unwrap_or_else(|| state.list(filters, all)), state.list_delay, state.fail_lists)
    };
    // The answer is as old as the delay: so it is with a real engine under load.
    tokio::time::sleep(delay).await;
    if fail { error(StatusCode::INTERNAL_SERVER_ERROR, "out of order") } else { full(StatusCode::OK, body) }
}

fn inspect(state: &Mutex<State>, path: &str) -> Answer {
    let Some(name) = path.strip_prefix("/containers/").and_then(|rest| rest.strip_suffix("/json")) else {
        return error(StatusCode::NOT_FOUND, "page not found");
    };
    let mut state = lock(state);
    state.calls.inspects += 1;
    if let Some(body) = &state.inspect_body {
        return full(StatusCode::OK, body.clone());
    }
    state
        .inspect(name)
        .map_or_else(|| error(StatusCode::NOT_FOUND, "No such container"), |body| full(StatusCode::OK, body))
}

fn full(status: StatusCode, body: String) -> Answer {
    Response::builder()
        .status(status)
        .header("Api-Version", format!("1.{NEWEST}"))
        .header("Content-Type", "application/json")
        .body(Either::Left(Full::from(body)))
        .expect("valid")
}

fn error(status: StatusCode, message: &str) -> Answer {
    full(status, json!({ "message": message }).to_string())
}

/// Splits `/v1.41/containers/json` into the minor version and the rest.
fn versioned(path: &str) -> (Option<u32>, &str) {
    let split = path.strip_prefix("/v1.").and_then(|rest| rest.split_once('/'));
    match split.and_then(|(minor, _)| Some((minor, minor.parse().ok()?))) {
        Some((minor, number)) => (Some(number), &path["/v1.".len() + minor.len()..]),
        None => (None, path),
    }
}

fn parameters(query: &str) -> HashMap<String, String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, text)| (name.to_owned(), decoded(text)))
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).unwrap_or(b'?')
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Both ways in which clients write filters: `{"label":["a"]}` and `{"label":{"a":true}}`.
fn filters(text: &str) -> Filters {
    let Ok(Value::Object(kinds)) = serde_json::from_str(text) else { return Filters::new() };
    let wanted = |value: Value| match value {
        Value::Array(list) => list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        Value::Object(map) => map.keys().cloned().collect(),
        _ => Vec::new(),
    };
    kinds.into_iter().map(|(kind, value)| (kind, wanted(value))).collect()
}

/// Reads `seconds.nanoseconds`.
fn nanos(text: &str) -> Option<u128> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    Some(seconds.parse::<u128>().ok()? * 1_000_000_000 + fraction.parse::<u128>().ok()?)
}
