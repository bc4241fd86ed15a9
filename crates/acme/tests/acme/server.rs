//! A server in front of Pebble with what Pebble lacks: renewal information (RFC 9773), limits, and bad days.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use divisi_acme::pki_types::pem::PemObject as _;
use divisi_acme::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use divisi_testkit::pebble::local;

use crate::authority::Authority;

/// What it does beside passing on.
#[derive(Debug, Default)]
pub(crate) struct Whims {
    /// The window of each certificate, in RFC 3339.
    pub(crate) window: Mutex<Option<(String, String)>>,
    /// Which certificates were asked about.
    pub(crate) asked: Mutex<Vec<String>>,
    /// Which certificates orders have said that they replace.
    pub(crate) replaced: Mutex<Vec<String>>,
    /// Whether it says with an order what that replaces, as it must.
    pub(crate) forgets_replaced: Mutex<bool>,
    /// What new orders are answered with.
    pub(crate) refusal: Mutex<Option<(StatusCode, &'static str, &'static str, String)>>,
    /// The kinds of certificates that were ordered.
    pub(crate) profiles: Mutex<Vec<String>>,
    /// When an order was last said to be pending, and how long after that it was asked about again each time.
    pub(crate) polls: Mutex<(Option<Instant>, Vec<Duration>)>,
    /// How many orders were refused.
    pub(crate) refused: Mutex<usize>,
}

/// The server.
pub(crate) struct Front {
    pub(crate) whims: Arc<Whims>,
    pub(crate) directory: String,
}

impl Front {
    /// In front of that one, whose certificate it has, too.
    pub(crate) async fn start(authority: &Authority) -> Self {
        let folder = authority.pebble.folder();
        let acceptor = acceptor(folder);
        let connector = connector(folder);
        let behind = local(authority.pebble.port());
        let whims = Arc::new(Whims::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::clone(&whims);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, connector, whims) = (acceptor.clone(), connector.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| {
                        let (connector, whims) = (connector.clone(), Arc::clone(&whims));
                        async move { Ok::<_, hyper::Error>(answer(request, &whims, &connector, (addr, behind)).await) }
                    });
                    let _ = Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { whims, directory: format!("https://{addr}/dir") }
    }
}

async fn answer(
    request: Request<Incoming>,
    whims: &Whims,
    connector: &TlsConnector,
    (addr, behind): (SocketAddr, SocketAddr),
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = head.uri.path().to_owned();
    if let Some(id) = path.strip_prefix("/renewal-info/") {
        whims.asked.lock().unwrap().push(id.to_owned());
        let (start, end) = whims.window.lock().unwrap().clone().unwrap_or_default();
        let info = json!({ "suggestedWindow": { "start": start, "end": end } });
        return Response::builder().header(RETRY_AFTER, "1").body(Full::new(info.to_string().into())).unwrap();
    }
    let is_order = path == "/order-plz";
    if is_order && let Some((status, wait, kind, text)) = whims.refusal.lock().unwrap().clone() {
        *whims.refused.lock().unwrap() += 1;
        let refusal = Response::builder().status(status).header(RETRY_AFTER, wait).header(CONTENT_TYPE, kind);
        return refusal.body(Full::new(text.into())).unwrap();
    }
    let ordered = if is_order { payload(&body) } else { Value::Null };
    let replaces = ordered["replaces"].as_str().map(str::to_owned);
    whims.profiles.lock().unwrap().extend(ordered["profile"].as_str().map(str::to_owned));
    let (mut head, answer) = pass_on(Request::from_parts(head, Full::new(body)), connector, behind).await;
    if path.starts_with("/my-order/") {
        note_poll(whims, &answer);
        head.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if path != "/dir" && replaces.is_none() {
        return Response::from_parts(head, Full::new(answer));
    }
    let mut json: Value = serde_json::from_slice(&answer).unwrap();
    if path == "/dir" {
        json["renewalInfo"] = format!("https://{addr}/renewal-info").into();
    }
    if let Some(id) = replaces {
        whims.replaced.lock().unwrap().push(id.clone());
        if !*whims.forgets_replaced.lock().unwrap() {
            json["replaces"] = id.into();
        }
    }
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Full::new(json.to_string().into()))
}

fn note_poll(whims: &Whims, answer: &[u8]) {
    let order: Value = serde_json::from_slice(answer).unwrap_or_default();
    let mut polls = whims.polls.lock().unwrap();
    if let Some(last) = polls.0.take() {
        polls.1.push(last.elapsed());
    }
    polls.0 = (order["status"] == "pending").then(Instant::now);
}

async fn pass_on(
    request: Request<Full<Bytes>>,
    connector: &TlsConnector,
    behind: SocketAddr,
) -> (hyper::http::response::Parts, Bytes) {
    assert!(request.headers().contains_key(HOST), "Pebble makes its URLs from it, and ours is wanted in them");
    let stream = TcpStream::connect(behind).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    (head, body.collect().await.unwrap().to_bytes())
}

/// What is in a signed message (RFC 7515 7.2.2).
fn payload(body: &[u8]) -> Value {
    let signed: Value = serde_json::from_slice(body).unwrap();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(signed["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn acceptor(folder: &Path) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(&fs::read(folder.join("pebble.crt")).unwrap()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&fs::read(folder.join("pebble.key")).unwrap()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn connector(folder: &Path) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&fs::read(folder.join("root.pem")).unwrap()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
