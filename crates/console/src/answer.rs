//! The paths, and what each is answered with.

use std::convert::Infallible;
use std::sync::Arc;

use divisi_model::Published;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;

use crate::api::{Explanation, Problem, State};
use crate::form;
use crate::guard::{self, Stranger};
use crate::metrics;
use crate::server::Sources;
use crate::view::asking::Asking;
use crate::view::connecting::Connecting;
use crate::view::container::{self, NotOne};
use crate::view::{connection, request, snapshot};

/// The description of all that is answered here.
const OPENAPI: &str = include_str!("../openapi.json");

const JSON: &str = "application/json";

/// As curl and browsers know it.
const PEM: &str = "application/x-pem-file";

/// What there is to ask, for those who ask for something else.
const PATHS: [&str; 7] =
    ["/api/snapshot", "/api/explain", "/api/ca", "/api/openapi.json", "/metrics", "/health/live", "/health/ready"];

type Answer = Response<Full<Bytes>>;

/// Answers a request, whatever it is.
pub(crate) async fn answer(sources: Arc<Sources>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    Ok(match guard::check(&request, &sources.name) {
        Err(Stranger::Unclear) => problem(StatusCode::BAD_REQUEST, "the request must have one Host field"),
        Err(Stranger::Other) => problem(
            StatusCode::FORBIDDEN,
            "the console answers under an IP address, localhost, a name without dots, or the name in --console; ask for it \
             under one of these",
        ),
        Ok(()) if ![Method::GET, Method::HEAD].contains(request.method()) => {
            let refusal = problem(StatusCode::METHOD_NOT_ALLOWED, "the console only tells; ask with GET or HEAD");
            with(refusal, ALLOW, "GET, HEAD")
        }
        Ok(()) => tell(&sources, request.uri().path(), request.uri().query().unwrap_or_default()).await,
    })
}

async fn tell(sources: &Sources, path: &str, query: &str) -> Answer {
    match path {
        "/health/live" => json(StatusCode::OK, &State { status: "live".to_owned(), reason: None }),
        "/health/ready" => match readiness(&sources.published) {
            Ok(()) => json(StatusCode::OK, &State { status: "ready".to_owned(), reason: None }),
            Err(reason) => {
                let state = State { status: "waiting".to_owned(), reason: Some(reason.to_owned()) };
                json(StatusCode::SERVICE_UNAVAILABLE, &state)
            }
        },
        "/metrics" => measured(sources).await,
        "/api/snapshot" => {
            let world = sources.world().await;
            json(StatusCode::OK, &snapshot::snapshot(&world, &sources.published, sources.version))
        }
        "/api/explain" => explain(sources, query).await,
        "/api/ca" => match sources.vault.root() {
            Some(root) => body(StatusCode::OK, PEM, String::clone(&root).into()),
            None => problem(
                StatusCode::NOT_FOUND,
                "there is no local authority; start divisi with --listen-tls and --local-authority",
            ),
        },
        "/api/openapi.json" => body(StatusCode::OK, JSON, OPENAPI.into()),
        _ => problem(StatusCode::NOT_FOUND, &format!("there is nothing here; there are {}", PATHS.join(", "))),
    }
}

/// Whether requests can be served, or it is known that they cannot.
///
/// # Errors
/// What is waited for.
fn readiness(published: &Published) -> Result<(), &'static str> {
    let engine = published.engine();
    let has_replicas = || published.load().services().any(|service| !service.ready().is_empty());
    match (engine.is_wanted(), engine.is_listed(), engine.is_connected()) {
        (false, ..) | (_, true, _) => Ok(()),
        _ if has_replicas() => Ok(()),
        (_, _, true) => Err("the Docker Engine has not told its containers yet"),
        (_, _, false) => Err("the Docker Engine has not been reached yet"),
    }
}

async fn measured(sources: &Sources) -> Answer {
    let (world, gauges) = (sources.world().await, sources.gauges.read());
    match metrics::text(world, gauges, Arc::clone(&sources.published), sources.version) {
        Ok(text) => body(StatusCode::OK, metrics::CONTENT_TYPE, text.into()),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &format!("the numbers cannot be written: {error}")),
    }
}

async fn explain(sources: &Sources, query: &str) -> Answer {
    let parameters = form::pairs(query);
    let has = |wanted: &str| parameters.iter().any(|(name, _)| name == wanted);
    let usage = "ask either with ?url=http://HOST/PATH (and method=, header=, client=), with ?url=tcp://NAME:PORT (and client=) or \
                 with ?container=NAME";
    match (has("url"), has("container")) {
        (true, false) if Connecting::is_meant(&parameters) => match Connecting::read(&parameters) {
            Ok(asked) => {
                let told = connection::explain(&sources.world().await, sources.published.listening(), &asked);
                json(StatusCode::OK, &Explanation::Connection(Box::new(told)))
            }
            Err(wrong) => problem(StatusCode::BAD_REQUEST, &wrong),
        },
        (true, false) => match Asking::read(&parameters) {
            Ok(asking) => {
                let world = sources.world().await;
                json(StatusCode::OK, &Explanation::Request(Box::new(request::explain(&world, &asking))))
            }
            Err(wrong) => problem(StatusCode::BAD_REQUEST, &wrong),
        },
        (false, true) if parameters.len() == 1 => {
            let world = sources.world().await;
            match container::explain(&world, &parameters[0].1) {
                Ok(told) => json(StatusCode::OK, &Explanation::Container(Box::new(told))),
                Err(NotOne::None(why)) => problem(StatusCode::NOT_FOUND, &why),
                Err(NotOne::Several(why)) => problem(StatusCode::CONFLICT, &why),
            }
        }
        _ => problem(StatusCode::BAD_REQUEST, usage),
    }
}

fn problem(status: StatusCode, problem: &str) -> Answer {
    json(status, &Problem { problem: problem.to_owned() })
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(mut text) => {
            text.push(b'\n');
            body(status, JSON, text.into())
        }
        // Nothing of ours has keys that are no text; were there any, that is no reason to end the thread.
        Err(error) => body(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", format!("{error}\n").into()),
    }
}

fn body(status: StatusCode, kind: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let answer = with(answer, CONTENT_TYPE, kind);
    // What is told is true now; and a browser is not to see a page in it, whatever a label says.
    with(with(answer, CACHE_CONTROL, "no-store"), X_CONTENT_TYPE_OPTIONS, "nosniff")
}

fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}
