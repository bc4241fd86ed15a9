//! A client that takes its time: asks whether a proxy speaks what it should, and keeps connections that rest.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use h2::client::SendRequest;
use http::{Request, StatusCode};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::case::Wire;
use crate::load::head_of_answer;
use crate::tls::{self, HOST};
use crate::{Error, Result};

/// What is asked for, by path, and its length.
const ASKED: (&str, usize) = ("/128", 128);
/// What takes longer than this does not work.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every connection to a proxy has in common.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    to: SocketAddr,
    wire: Wire,
    tls: Arc<ClientConfig>,
}

/// A connection, open until this is dropped or the proxy ends it.
pub(crate) enum Session {
    /// HTTP/1.1.
    Http1(Box<dyn Io>),
    /// HTTP/2; the task reads what the proxy has to say.
    Http2(SendRequest<&'static [u8]>, JoinHandle<()>),
}

/// TCP, or TLS on top of it.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Whether a proxy, or the origin itself, gives a right answer in HTTP/1.1 now.
///
/// # Errors
/// Why it does not.
pub(crate) fn answers(to: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"GET /128 HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(format!("it answers {answer:?}").into()) }
}

/// Asks one request on a connection of its own.
///
/// # Errors
/// Why the proxy does not speak this `wire` as it should.
pub(crate) fn probe(to: SocketAddr, wire: Wire, dir: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = Client::new(to, wire, dir)?;
    runtime.block_on(async { client.ask(Ipv4Addr::LOCALHOST).await.map(drop) })
}

impl Client {
    /// A client that holds the proxy to the certificate in `dir`.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn new(to: SocketAddr, wire: Wire, dir: &Path) -> Result<Self> {
        let alpn: &[u8] = if wire.is_http2() { b"h2" } else { b"http/1.1" };
        Ok(Self { to, wire, tls: Arc::new(tls::careful(dir, alpn)?) })
    }

    /// Opens a connection from an address of this machine, and has one request answered on it.
    ///
    /// # Errors
    /// When the answer is not the right one, or does not come.
    pub(crate) async fn ask(&self, from: Ipv4Addr) -> Result<Session> {
        timeout(PATIENCE, self.opened(from)).await.map_err(|_| "no answer after 10 s")?
    }

    async fn opened(&self, from: Ipv4Addr) -> Result<Session> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((IpAddr::from(from), 0).into())?;
        let tcp = socket.connect(self.to).await?;
        tcp.set_nodelay(true)?;
        let mut io: Box<dyn Io> = if self.wire.is_tls() {
            let host = ServerName::try_from(HOST)?;
            let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(host, tcp).await?;
            if tls.get_ref().1.alpn_protocol() != self.tls.alpn_protocols.first().map(Vec::as_slice) {
                return Err("ALPN came to nothing".into());
            }
            Box::new(tls)
        } else {
            Box::new(tcp)
        };
        if !self.wire.is_http2() {
            ask_http1(&mut io).await?;
            return Ok(Session::Http1(io));
        }
        let (mut requests, connection) = h2::client::Builder::new().handshake(io).await?;
        let driver = tokio::spawn(async { drop(connection.await) });
        ask_http2(&mut requests, self.wire.is_tls()).await?;
        Ok(Session::Http2(requests, driver))
    }
}

impl Session {
    /// Whether the proxy has ended the connection, or said anything unasked in HTTP/1.1.
    pub(crate) async fn has_ended(&mut self) -> bool {
        match self {
            Self::Http1(io) => timeout(Duration::ZERO, io.read(&mut [0])).await.is_ok(),
            Self::Http2(requests, driver) => driver.is_finished() || requests.clone().ready().await.is_err(),
        }
    }
}

async fn ask_http1(io: &mut Box<dyn Io>) -> Result<()> {
    let (path, length) = ASKED;
    io.write_all(format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        if io.read_buf(&mut answer).await? == 0 {
            return Err("connection closed before the answer's end".into());
        }
        if let Some(head) = head_of_answer(&answer, length)?
            && answer.len() >= head + length
        {
            return Ok(());
        }
    }
}

async fn ask_http2(requests: &mut SendRequest<&'static [u8]>, tls: bool) -> Result<()> {
    let (path, length) = ASKED;
    let scheme = if tls { "https" } else { "http" };
    let request = Request::get(format!("{scheme}://{HOST}{path}")).body(())?;
    let mut ready = requests.clone().ready().await?;
    let answer = ready.send_request(request, true)?.0.await?;
    if answer.status() != StatusCode::OK {
        return Err(format!("status {}, not 200", answer.status().as_u16()).into());
    }
    let (mut body, mut received) = (answer.into_body(), 0);
    while let Some(bytes) = body.data().await {
        let bytes = bytes?.len();
        body.flow_control().release_capacity(bytes)?;
        received += bytes;
    }
    if received == length { Ok(()) } else { Err(Error::from(format!("{received} bytes, not {length}"))) }
}

#[cfg(test)]
mod tests {
    use http::Response;
    use tempfile::TempDir;
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one request in HTTP/2 in the clear, with this many bytes, and keeps the connection until told to end it.
    async fn serve_h2c(listener: TcpListener, length: usize, end: tokio::sync::oneshot::Receiver<()>) {
        let (stream, _) = listener.accept().await.expect("accept");
        let mut connection = h2::server::handshake(stream).await.expect("handshake");
        let (_, mut respond) = connection.accept().await.expect("a request").expect("a good one");
        let mut body = respond.send_response(Response::new(()), false).expect("send");
        body.send_data(vec![b'x'; length].into(), true).expect("send");
        let _ = tokio::join!(connection.accept(), async { drop(end.await) });
    }

    async fn client_of(wire: Wire) -> (Client, TcpListener) {
        let dir = TempDir::new().expect("temporary folder");
        tls::issue(dir.path()).expect("write a certificate");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let client = Client::new(listener.local_addr().expect("bound"), wire, dir.path()).expect("issued");
        (client, listener)
    }

    #[tokio::test]
    async fn a_connection_rests_until_the_server_ends_it() {
        let (client, listener) = client_of(Wire::H2c).await;
        let (end, ended) = tokio::sync::oneshot::channel();
        let server = tokio::spawn(serve_h2c(listener, 128, ended));
        let mut session = client.ask(Ipv4Addr::LOCALHOST).await.expect("an answer");
        assert!(!session.has_ended().await);
        drop(end);
        server.abort();
        while !session.has_ended().await {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_answer_of_another_length_is_none() {
        let (client, listener) = client_of(Wire::H2c).await;
        let (_end, ended) = tokio::sync::oneshot::channel();
        let server = tokio::spawn(serve_h2c(listener, 127, ended));
        let error = client.ask(Ipv4Addr::LOCALHOST).await.err().expect("no answer");
        assert_eq!(error.to_string(), "127 bytes, not 128");
        server.abort();
    }

    #[tokio::test]
    async fn whoever_speaks_http1_only_does_not_speak_http2() {
        let (client, listener) = client_of(Wire::H2c).await;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accept");
            let refused = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(refused).await.expect("write");
        });
        assert!(client.ask(Ipv4Addr::LOCALHOST).await.is_err());
    }
}
