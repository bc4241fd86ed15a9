//! HTTP to the authority, and to whoever is asked about unknown names: one connection at a time, which is used again, and
//! bounds on how long an answer takes and how much it is.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use divisi_ask::hyper::body::Incoming;
use divisi_ask::hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use divisi_ask::hyper::{Request, Response, StatusCode, Uri};
use divisi_ask::{Body, Connection, Stream};
use http_body_util::BodyExt as _;
use httpdate::HttpDate;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// The longest answer: a chain of certificates has some kilobytes.
const LONGEST: usize = 1024 * 1024;

/// The roots of a private authority cannot be used.
#[derive(Debug, Error)]
pub enum RootsError {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// There is none in it.
    #[error("there is no certificate in it; write one or more in PEM")]
    Empty,
    /// One of them makes no sense.
    #[error("a certificate in it cannot be used as a root: {0}")]
    Unfit(String),
}

/// Why no answer came that could be read.
#[derive(Debug, Error)]
pub(crate) enum WireError {
    /// The URL is none that can be asked.
    #[error("{0} is not a URL that can be asked")]
    Url(Uri),
    /// Nobody answers there.
    #[error("cannot connect to {0}: {1}")]
    Unreachable(String, io::Error),
    /// Nothing came for so long.
    #[error("{0} did not answer within {1:?}")]
    Silent(String, Duration),
    /// What came is not HTTP, or not all of it.
    #[error("{0} broke off: {1}")]
    Broken(String, Box<dyn Error + Send + Sync>),
    /// An error without an explanation, as servers in front of authorities give.
    #[error("{0} answered with status {1}")]
    Status(String, StatusCode),
}

/// How the authority is verified.
#[derive(Clone)]
pub struct Roots(Arc<ClientConfig>);

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Roots")
    }
}

impl Roots {
    /// Mozilla's list, and the certificates in the file at `extra`.
    ///
    /// # Errors
    /// When that file is no list of certificates.
    pub fn with(extra: Option<&Path>) -> Result<Self, RootsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = extra {
            let text = std::fs::read(path).map_err(|error| RootsError::Unreadable(error.to_string()))?;
            let count = roots.len();
            for certificate in CertificateDer::pem_slice_iter(&text) {
                let certificate = certificate.map_err(|error| RootsError::Unfit(error.to_string()))?;
                roots.add(certificate).map_err(|error| RootsError::Unfit(error.to_string()))?;
            }
            if roots.len() == count {
                return Err(RootsError::Empty);
            }
        }
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has what TLS 1.2 and 1.3 need")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

/// The way to servers. A clone shares the connection.
#[derive(Clone)]
pub(crate) struct Wire {
    tls: TlsConnector,
    patience: Duration,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    idle: Option<(Uri, Connection)>,
    asked_to_wait: Option<Duration>,
}

impl Wire {
    /// A way that verifies by `roots` and waits for each answer as long as `patience`.
    pub(crate) fn new(roots: &Roots, patience: Duration) -> Self {
        Self { tls: TlsConnector::from(Arc::clone(&roots.0)), patience, shared: Arc::default() }
    }

    /// How long the last answer asked us to wait, if it did: before we ask again (RFC 8555 7.5.1), or because we ask for too much
    /// (6.6).
    pub(crate) fn asked_to_wait(&self) -> Option<Duration> {
        self.with(|shared| shared.asked_to_wait.take())
    }

    /// The whole answer, be it an error.
    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Response<Body>, WireError> {
        let server = host(request.uri());
        let answer = timeout(self.patience, self.exchange(request)).await;
        answer.unwrap_or_else(|_| Err(WireError::Silent(server, self.patience)))
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Response<Body>, WireError> {
        let base = base(request.uri())?;
        let request = in_origin_form(request)?;
        let kept = self.with(|shared| shared.idle.take()).filter(|(uri, open)| *uri == base && !open.is_closed());
        let answer = match kept {
            Some((_, mut open)) => match open.send_request(request.clone()).await {
                Ok(answer) => Ok((answer, open)),
                // It was closed while it was idle. Should it have been read nevertheless, its nonce is used up, and the
                // authority refuses it for that.
                Err(_) => self.on_new(&base, request).await,
            },
            None => self.on_new(&base, request).await,
        };
        let (answer, open) = answer?;
        let (head, body) = answer.into_parts();
        let body = divisi_ask::read(body, LONGEST).await.map_err(|error| broken(&base, error))?;
        self.with(|shared| {
            shared.idle = Some((base, open));
            shared.asked_to_wait = wait(&head.headers);
        });
        Ok(Response::from_parts(head, body.into()))
    }

    async fn on_new(&self, base: &Uri, request: Request<Body>) -> Result<(Response<Incoming>, Connection), WireError> {
        let stream = self.connect(base).await?;
        let mut open = divisi_ask::open(stream).await.map_err(|error| broken(base, error))?;
        let answer = open.send_request(request).await.map_err(|error| broken(base, error))?;
        Ok((answer, open))
    }

    async fn connect(&self, base: &Uri) -> Result<Stream, WireError> {
        let unreachable = |error| WireError::Unreachable(host(base), error);
        let is_tls = base.scheme_str() == Some("https");
        let name = base.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = base.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = TcpStream::connect((name.as_str(), port)).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        if !is_tls {
            return Ok(Box::pin(stream));
        }
        let name = ServerName::try_from(name).map_err(|_| WireError::Url(base.clone()))?;
        Ok(Box::pin(self.tls.connect(name, stream).await.map_err(unreachable)?))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shared) -> T) -> T {
        // Nothing that could panic is done while it is locked.
        act(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpClient for Wire {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let wire = self.clone();
        Box::pin(async move {
            let other = |error: WireError| instant_acme::Error::Other(Box::new(error));
            let (head, body) = request.into_parts();
            let Ok(body) = body.collect().await;
            let server = host(&head.uri);
            let mut answer = wire.send(Request::from_parts(head, body.to_bytes().into())).await.map_err(other)?;
            bound_wait(answer.headers_mut());
            if is_failure(answer.status()) && !is_json(answer.headers()) {
                return Err(other(WireError::Status(server, answer.status())));
            }
            Ok(answer.into())
        })
    }
}

fn broken(base: &Uri, error: impl Into<Box<dyn Error + Send + Sync>>) -> WireError {
    WireError::Broken(host(base), error.into())
}

/// Scheme and authority alone.
fn base(uri: &Uri) -> Result<Uri, WireError> {
    let parts = (uri.scheme().cloned(), uri.authority().cloned());
    let (Some(scheme), Some(authority)) = parts else { return Err(WireError::Url(uri.clone())) };
    if !matches!(scheme.as_str(), "http" | "https") {
        return Err(WireError::Url(uri.clone()));
    }
    Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query("/")
        .build()
        .map_err(|_| WireError::Url(uri.clone()))
}

/// RFC 9112 3.2.1: without scheme and authority, which stand in `Host`. And RFC 8555 6.1: who we are.
fn in_origin_form(mut request: Request<Body>) -> Result<Request<Body>, WireError> {
    let unfit = || WireError::Url(request.uri().clone());
    let authority = request.uri().authority().ok_or_else(unfit)?.as_str();
    let host = HeaderValue::from_str(authority.rsplit('@').next().unwrap_or_default()).map_err(|_| unfit())?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let path = Uri::from_str(&path).map_err(|_| unfit())?;
    request.headers_mut().insert(HOST, host);
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
    *request.uri_mut() = path;
    Ok(request)
}

const AGENT: &str = concat!("divisi/", env!("CARGO_PKG_VERSION"), " instant-acme");

fn host(uri: &Uri) -> String {
    uri.authority().map_or_else(|| "the server".to_owned(), |authority| authority.as_str().to_owned())
}

fn is_failure(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("json"))
}

/// instant-acme adds what it reads there to the present time, and more than time has would be a panic.
fn bound_wait(headers: &mut HeaderMap) {
    let seconds = wait(headers).map(|wait| wait.min(LONGEST_WAIT).as_secs());
    headers.remove(RETRY_AFTER);
    if let Some(seconds) = seconds {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// Longer than any authority has a reason for.
const LONGEST_WAIT: Duration = Duration::from_hours(365 * 24);

/// RFC 9110 10.2.3: seconds, or a date.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = SystemTime::from(HttpDate::from_str(text).ok()?);
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let of = |text: &str| wait(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).unwrap())]));
        assert_eq!(of("120"), Some(Duration::from_mins(2)));
        let date = HttpDate::from(SystemTime::now() + Duration::from_hours(1)).to_string();
        assert!(of(&date).is_some_and(|wait| wait.as_secs() > 3590 && wait.as_secs() <= 3600));
        assert_eq!(of("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        assert_eq!(of("soon"), None);
        assert_eq!(of("-1"), None);
    }

    #[test]
    fn what_instant_acme_reads_of_it_is_bounded() {
        for (text, read) in [("18446744073709551615", Some("31536000")), ("7", Some("7")), ("soon", None)] {
            let mut headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            bound_wait(&mut headers);
            assert_eq!(headers.get(RETRY_AFTER).map(|value| value.to_str().unwrap()), read, "{text}");
        }
    }

    #[test]
    fn only_http_can_be_asked() {
        for url in ["ftp://a.example/", "/directory", "gopher://a.example/x"] {
            assert!(base(&url.parse().unwrap()).is_err(), "{url}");
        }
        assert_eq!(base(&"https://a.example:14000/dir?x".parse().unwrap()).unwrap(), "https://a.example:14000/");
    }

    #[test]
    fn roots_that_are_none_are_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        assert!(matches!(Roots::with(Some(&path)), Err(RootsError::Unreadable(_))));
        std::fs::write(&path, "hello").unwrap();
        assert!(matches!(Roots::with(Some(&path)), Err(RootsError::Empty)));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(matches!(Roots::with(Some(&path)), Err(RootsError::Unfit(_))));
        assert!(Roots::with(None).is_ok());
    }
}
