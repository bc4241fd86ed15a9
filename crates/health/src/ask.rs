//! Puts a question over a socket, in the protocol that the replica speaks.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use divisi_ask::hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use divisi_ask::hyper::{self, Method, Request};
use divisi_ask::{Body, Stream};
use divisi_model::Replica;
use divisi_model::speech::{ProxyHeader, Scheme, Trust};
use divisi_tls::rustls::pki_types::ServerName;
use divisi_tls::{Means, Protocol, Vault};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::visit::{Answer, Inquiry, Visit};

/// A head larger than this is no answer.
const LARGEST_HEAD: u32 = 64 * 1024;

/// Asks; the time that the visit allows is for everything together.
pub(crate) async fn ask(visit: &Visit, vault: &Vault) -> Answer {
    timeout(visit.patience, put(visit, vault)).await.unwrap_or(Answer::Silent)
}

async fn put(visit: &Visit, vault: &Vault) -> Answer {
    let mut stream = match TcpStream::connect(visit.replica.addr()).await {
        Ok(stream) => stream,
        Err(error) => return unconnected(&error),
    };
    if visit.inquiry == Inquiry::Connect {
        return Answer::Accepted;
    }
    let speech = visit.replica.speech();
    if let Some(header) = speech.proxy_header
        && stream.write_all(from_itself(header)).await.is_err()
    {
        return Answer::Broken;
    }
    let protocol = if matches!(speech.scheme, Scheme::H2c | Scheme::H2) { Protocol::Http2 } else { Protocol::Http1 };
    let stream: Stream = match speech.scheme.is_secure() {
        false => Box::pin(stream),
        true => match seal(stream, &visit.replica, protocol, vault).await {
            Ok(stream) => stream,
            Err(answer) => return answer,
        },
    };
    let status = match (protocol, request(visit, protocol)) {
        (_, Err(_)) => return Answer::Unasked,
        (Protocol::Http1, Ok(request)) => status(stream, request.map(|()| Body::default())).await.ok(),
        (Protocol::Http2, Ok(request)) => status_by_http2(stream, request).await.ok(),
    };
    status.map_or(Answer::Broken, Answer::Status)
}

fn request(visit: &Visit, protocol: Protocol) -> Result<Request<()>, hyper::http::Error> {
    let authority = visit.replica.authority();
    let (method, path) = match &visit.inquiry {
        Inquiry::Get(path) => (Method::GET, &**path),
        Inquiry::Connect | Inquiry::Ping => (Method::OPTIONS, "*"),
    };
    let request = Request::builder().method(method);
    let request = match (protocol, path) {
        (Protocol::Http1, path) => request.uri(path).header(HOST, authority).header(CONNECTION, "close"),
        // The whole server has no place in the form in which this library is told of it (RFC 9113 8.3.1 has one).
        (Protocol::Http2, "*") => request.uri(format!("http://{authority}/")),
        (Protocol::Http2, path) => request.uri(format!("http://{authority}{path}")),
    };
    request.header(USER_AGENT, "divisi/health").header(ACCEPT, "*/*").body(())
}

/// The PROXY protocol's header (2.1, 2.2) of a connection that the proxy makes for itself.
fn from_itself(header: ProxyHeader) -> &'static [u8] {
    match header {
        ProxyHeader::V1 => b"PROXY UNKNOWN\r\n",
        ProxyHeader::V2 => b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    }
}

/// TLS with the replica, proved as requests have it proved. Where its certificate is to be for the host of each request there is none
/// here, and whoever answers is believed: nothing is told to it.
async fn seal(stream: TcpStream, replica: &Replica, protocol: Protocol, vault: &Vault) -> Result<Stream, Answer> {
    let speech = replica.speech();
    let (trust, name) = match &speech.server_name {
        Some(name) => (&speech.trust, name.to_string()),
        None => (&Trust::Unproven, replica.addr().ip().to_string()),
    };
    let Means::Ready(config) = vault.upstreams().get(trust, protocol) else { return Err(Answer::Unasked) };
    let name = ServerName::try_from(name).map_err(|_| Answer::Unasked)?;
    let sealed = TlsConnector::from(Arc::clone(&config)).connect(name, stream).await;
    sealed.map(|stream| Box::pin(stream) as Stream).map_err(|_| Answer::Broken)
}

/// The status of the answer. Its body is left where it is: the connection ends here.
async fn status(stream: Stream, request: Request<Body>) -> hyper::Result<u16> {
    let mut connection = divisi_ask::open_for_heads_of(LARGEST_HEAD as usize, stream).await?;
    connection.send_request(request).await.map(|response| response.status().as_u16())
}

async fn status_by_http2(stream: Stream, request: Request<()>) -> Result<u16, h2::Error> {
    let mut builder = h2::client::Builder::new();
    builder.enable_push(false).max_header_list_size(LARGEST_HEAD);
    let (sender, connection) = builder.handshake::<_, &[u8]>(stream).await?;
    let mut connection = pin!(connection);
    let answered = async {
        let (response, _) = sender.ready().await?.send_request(request, true)?;
        response.await
    };
    let mut answered = pin!(answered);
    let response = tokio::select! {
        biased;
        response = &mut answered => response,
        _ = &mut connection => answered.await,
    };
    response.map(|response| response.status().as_u16())
}

/// What it says about the replica that no connection could be made; want of descriptors or ports of our own says nothing.
fn unconnected(error: &io::Error) -> Answer {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut,
    };
    match error.kind() {
        ConnectionAborted | ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable => {
            Answer::Refused
        }
        TimedOut => Answer::Silent,
        _ => Answer::Unasked,
    }
}
