//! Puts a question over a socket.

use std::io;
use std::pin::pin;

use divisi_model::speech::ProxyHeader;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::visit::{Answer, Inquiry, Visit};

/// A head larger than this is no answer.
const LARGEST_HEAD: usize = 64 * 1024;

/// Asks; the time that the visit allows is for everything together.
pub(crate) async fn ask(visit: &Visit) -> Answer {
    timeout(visit.patience, put(visit)).await.unwrap_or(Answer::Silent)
}

async fn put(visit: &Visit) -> Answer {
    let mut stream = match TcpStream::connect(visit.replica.addr()).await {
        Ok(stream) => stream,
        Err(error) => return unconnected(&error),
    };
    let (method, target) = match &visit.inquiry {
        Inquiry::Connect => return Answer::Accepted,
        Inquiry::Get(path) => (Method::GET, &**path),
        Inquiry::Ping => (Method::OPTIONS, "*"),
    };
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, visit.replica.authority())
        .header(USER_AGENT, "divisi/health")
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .body(String::new());
    if let Some(header) = visit.replica.speech().proxy_header
        && stream.write_all(from_itself(header)).await.is_err()
    {
        return Answer::Broken;
    }
    match request {
        Ok(request) => status(stream, request).await.map_or(Answer::Broken, Answer::Status),
        Err(_) => Answer::Unasked,
    }
}

/// The PROXY protocol's header (2.1, 2.2) of a connection that the proxy makes for itself.
fn from_itself(header: ProxyHeader) -> &'static [u8] {
    match header {
        ProxyHeader::V1 => b"PROXY UNKNOWN\r\n",
        ProxyHeader::V2 => b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    }
}

/// The status of the answer. Its body is left where it is: the connection ends here.
async fn status(stream: TcpStream, request: Request<String>) -> Result<u16, hyper::Error> {
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(LARGEST_HEAD).handshake(TokioIo::new(stream)).await?;
    let (mut connection, mut response) = (pin!(connection), pin!(sender.send_request(request)));
    let response = tokio::select! {
        biased;
        response = &mut response => response,
        // What came before the end is still there.
        _ = &mut connection => response.await,
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
