//! A client of any of the four kinds, made of hyper, and bodies.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::seal::{self, Authority, HOST};
use crate::stage::Downstream;

/// What goes out at either end.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Where the pieces of such a body come from. It ends when this is dropped, and breaks off when it is aborted.
pub(crate) type Pieces = Sender<Bytes, io::Error>;

/// A response to come.
pub(crate) type Answer = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

/// Any stream of bytes.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A body that is there as a whole.
pub(crate) fn whole(data: impl Into<Bytes>) -> Body {
    Full::new(data.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body in pieces that are yet to come.
pub(crate) fn pieces() -> (Pieces, Body) {
    let (sender, body) = Channel::new(1);
    (sender, body.boxed_unsync())
}

/// A request for the host of these tests.
pub(crate) fn request(method: &str, path: &str, body: Body) -> Request<Body> {
    Request::builder().method(method).uri(path).body(body).expect("a request")
}

/// A GET.
pub(crate) fn get() -> Request<Body> {
    request("GET", "/", whole(""))
}

/// A POST of that text.
pub(crate) fn post(text: &'static str) -> Request<Body> {
    request("POST", "/", whole(text))
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }
}

/// Reads a response to its end.
pub(crate) async fn read(response: Response<Incoming>) -> hyper::Result<Reply> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?;
    let trailers = body.trailers().cloned();
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes(), trailers })
}

/// The next piece of a body that is not at its end.
pub(crate) async fn piece(body: &mut Incoming) -> Bytes {
    let frame = body.frame().await.expect("a piece").expect("a piece in order");
    frame.into_data().unwrap_or_else(|_| panic!("trailers in the place of a piece"))
}

/// Reads so many bytes.
pub(crate) async fn bytes(body: &mut Incoming, count: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < count {
        read.extend_from_slice(&piece(body).await);
    }
    read
}

/// Nothing more comes, and that is how it is meant. An empty frame may say so in HTTP/2.
pub(crate) async fn end(body: &mut Incoming) {
    while let Some(frame) = body.frame().await {
        let data = frame.expect("an end in order").into_data().expect("no trailers");
        assert!(data.is_empty(), "more comes: {data:?}");
    }
}

enum Connection {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// A client with one connection. Dropping it closes the connection.
pub(crate) struct Client {
    connection: Connection,
    speaks: Downstream,
    /// Ends when the connection does.
    driver: JoinHandle<()>,
}

/// A stream of bytes to that address, inside TLS if it is to be.
pub(crate) async fn wire(addr: SocketAddr, speaks: Downstream, own: Option<&Authority>) -> io::Result<Box<dyn Wire>> {
    let tcp = TcpStream::connect(addr).await?;
    tcp.set_nodelay(true)?;
    if !speaks.is_secure() {
        return Ok(Box::new(tcp));
    }
    let connector = TlsConnector::from(seal::client_config(speaks.protocol(), own));
    let name = ServerName::try_from(HOST).expect("a name");
    let tls = connector.connect(name, tcp).await?;
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(speaks.protocol()));
    Ok(Box::new(tls))
}

impl Client {
    /// Connects there, with a certificate from `own` if that is given.
    pub(crate) async fn connect(addr: SocketAddr, speaks: Downstream, own: Option<&Authority>) -> io::Result<Self> {
        let io = TokioIo::new(wire(addr, speaks, own).await?);
        if speaks.is_http2() {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            // Small enough to see that a client that does not read is not written to.
            builder.initial_stream_window_size(256 * 1024).initial_connection_window_size(1024 * 1024);
            let (sender, connection) = builder.handshake(io).await.map_err(io::Error::other)?;
            let driver = tokio::spawn(async { drop(connection.await) });
            return Ok(Self { connection: Connection::Http2(sender), speaks, driver });
        }
        let (sender, connection) = http1::handshake(io).await.map_err(io::Error::other)?;
        let driver = tokio::spawn(async { drop(connection.with_upgrades().await) });
        Ok(Self { connection: Connection::Http1(sender), speaks, driver })
    }

    /// Sends a request. In HTTP/2 any number of them can be on their way.
    pub(crate) fn send(&mut self, mut request: Request<Body>) -> Answer {
        match &mut self.connection {
            Connection::Http1(sender) => {
                request.headers_mut().entry(header::HOST).or_insert_with(|| HOST.parse().expect("a host"));
                Box::pin(sender.send_request(request))
            }
            Connection::Http2(sender) => {
                let host = request.headers_mut().remove(header::HOST);
                let host = host.as_ref().map_or(HOST, |host| host.to_str().expect("a host"));
                let uri = format!("{}://{host}{}", self.speaks.scheme(), request.uri().path());
                *request.uri_mut() = uri.parse().expect("a URL");
                Box::pin(sender.send_request(request))
            }
        }
    }

    /// Waits until it can send a request.
    pub(crate) async fn ready(&mut self) -> hyper::Result<()> {
        match &mut self.connection {
            Connection::Http1(sender) => sender.ready().await,
            Connection::Http2(sender) => sender.ready().await,
        }
    }

    /// One whole exchange.
    pub(crate) async fn fetch(&mut self, request: Request<Body>) -> hyper::Result<Reply> {
        self.ready().await?;
        read(self.send(request).await?).await
    }

    /// Waits until the connection has ended.
    pub(crate) async fn closed(mut self) {
        (&mut self.driver).await.expect("no panic");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
