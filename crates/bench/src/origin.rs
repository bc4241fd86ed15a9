//! The replica behind every proxy: answers at once, with bytes that were ready before the question.
//!
//! It must never be what limits a measurement, so it is an event loop like the relay's. A GET is answered with as many
//! bytes as its path says, a body is read to its end and answered with two; connections are kept, pipelined requests are
//! answered in turn, and `Connection: close` is honoured.

use std::io::{Error as IoError, ErrorKind, Read, Result as IoResult, Write};
use std::net::SocketAddr;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use slab::Slab;

use crate::Result;
use crate::case::{CASES, UPLOADED, Wire};

/// Bytes read at once.
const BUFFER: usize = 64 << 10;
/// More of a head than this is nobody's in a benchmark.
const MOST_HEAD: usize = 64 << 10;
const LISTENER: Token = Token(usize::MAX);

/// Every answer there is, each kept open and closed after it.
#[derive(Debug)]
struct Answers {
    by_path: Vec<(&'static str, [Vec<u8>; 2])>,
    uploaded: [Vec<u8>; 2],
    unknown: [Vec<u8>; 2],
}

impl Answers {
    fn new() -> Self {
        let both = |status: &str, size: usize| [answer(status, size, false), answer(status, size, true)];
        // A case inside TLS asks for what another one asks for in the clear: the first one counts.
        let downloads = CASES.iter().filter(|case| case.upload == 0 && case.wire == Wire::Http1);
        Self {
            by_path: downloads.map(|case| (case.path, both("200 OK", case.download))).collect(),
            uploaded: both("200 OK", UPLOADED),
            unknown: both("404 Not Found", 0),
        }
    }

    fn to(&self, request: &Request<'_>) -> &[u8] {
        let known = || self.by_path.iter().find(|(path, _)| *path == request.path).map(|(_, answer)| answer);
        let either = if request.body > 0 { &self.uploaded } else { known().unwrap_or(&self.unknown) };
        &either[usize::from(request.close)]
    }
}

fn answer(status: &str, size: usize, close: bool) -> Vec<u8> {
    let close = if close { "Connection: close\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {status}\r\nServer: origin\r\nContent-Type: application/octet-stream\r\nContent-Length: {size}\r\n{close}\r\n"
    );
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len() + size, b'x');
    bytes
}

/// What the origin needs to know of a request's head.
#[derive(Debug, PartialEq, Eq)]
struct Request<'a> {
    /// The head's own length.
    head: usize,
    path: &'a str,
    body: usize,
    close: bool,
}

/// The request at the start of `bytes`; none while its head is incomplete.
fn parse(bytes: &[u8]) -> IoResult<Option<Request<'_>>> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut fields);
    let head = match request.parse(bytes).map_err(|error| invalid(&error.to_string()))? {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial if bytes.len() > MOST_HEAD => return Err(invalid("endless head")),
        httparse::Status::Partial => return Ok(None),
    };
    let mut parsed =
        Request { head, path: request.path.unwrap_or_default(), body: 0, close: request.version == Some(0) };
    for field in request.headers.iter() {
        if field.name.eq_ignore_ascii_case("content-length") {
            let length = str::from_utf8(field.value).ok().and_then(|text| text.parse().ok());
            parsed.body = length.ok_or_else(|| invalid("Content-Length"))?;
        } else if field.name.eq_ignore_ascii_case("connection") {
            parsed.close |= field.value.eq_ignore_ascii_case(b"close");
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(invalid("a proxy made an upload of known length chunked"));
        }
    }
    Ok(Some(parsed))
}

fn invalid(what: &str) -> IoError {
    IoError::new(ErrorKind::InvalidData, what)
}

/// An answer on its way.
#[derive(Debug)]
struct Reply<'a> {
    left: &'a [u8],
    close: bool,
}

/// A proxy's connection.
#[derive(Debug)]
struct Connection<'a> {
    stream: TcpStream,
    /// Read, but not understood yet: a head cut in two, or requests behind an answer that is not taken.
    unread: Vec<u8>,
    /// What the request in hand still has to send before its answer begins.
    body_left: usize,
    reply: Option<Reply<'a>>,
    /// The other side has announced its end, so a short read does not mean that there is no more to read.
    ending: bool,
}

impl<'a> Connection<'a> {
    /// Does what an event allows; whether the connection lives on.
    fn on_event(&mut self, event: &Event, answers: &'a Answers, buffer: &mut [u8]) -> IoResult<bool> {
        self.ending |= event.is_read_closed();
        loop {
            if !self.unread.is_empty() {
                let bytes = std::mem::take(&mut self.unread);
                if !self.take(&bytes, answers)? {
                    return Ok(false);
                }
            } else if !self.flush()? {
                return Ok(false);
            }
            if self.is_blocked() {
                return Ok(true);
            }
            match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    let lives = self.receive(&buffer[..read], answers)?;
                    if !lives || (read < buffer.len() && !self.ending) {
                        return Ok(lives);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether an answer waits for the other side to take it.
    fn is_blocked(&self) -> bool {
        self.body_left == 0 && self.reply.is_some()
    }

    fn receive(&mut self, bytes: &[u8], answers: &'a Answers) -> IoResult<bool> {
        if self.unread.is_empty() {
            return self.take(bytes, answers);
        }
        let mut joined = std::mem::take(&mut self.unread);
        joined.extend_from_slice(bytes);
        self.take(&joined, answers)
    }

    /// Answers every request in `bytes` and keeps what is left; whether the connection lives on.
    fn take(&mut self, mut bytes: &[u8], answers: &'a Answers) -> IoResult<bool> {
        loop {
            let skipped = self.body_left.min(bytes.len());
            self.body_left -= skipped;
            bytes = &bytes[skipped..];
            if !self.flush()? {
                return Ok(false);
            }
            if self.reply.is_none()
                && !bytes.is_empty()
                && let Some(request) = parse(bytes)?
            {
                self.reply = Some(Reply { left: answers.to(&request), close: request.close });
                self.body_left = request.body;
                bytes = &bytes[request.head..];
                continue;
            }
            self.unread.extend_from_slice(bytes);
            return Ok(true);
        }
    }

    /// Sends what is due; whether the connection lives on.
    fn flush(&mut self) -> IoResult<bool> {
        if self.body_left > 0 {
            return Ok(true);
        }
        let Some(reply) = &mut self.reply else { return Ok(true) };
        while !reply.left.is_empty() {
            match self.stream.write(reply.left) {
                Ok(written) => reply.left = &reply.left[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let lives = !reply.close;
        self.reply = None;
        Ok(lives)
    }
}

/// Answers until killed.
///
/// # Errors
/// When it cannot listen, or can accept no more.
pub(crate) fn serve(listen: SocketAddr) -> Result<()> {
    let answers = Answers::new();
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut listener = TcpListener::bind(listen)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut connections = Slab::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, poll.registry(), &mut connections)?;
                continue;
            }
            let Some(connection) = connections.get_mut(event.token().0) else { continue };
            if !connection.on_event(event, &answers, &mut buffer).unwrap_or(false) {
                connections.remove(event.token().0);
            }
        }
    }
}

/// Accepts whoever waits.
fn accept(listener: &TcpListener, registry: &Registry, connections: &mut Slab<Connection<'_>>) -> IoResult<()> {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        let entry = connections.vacant_entry();
        let token = Token(entry.key());
        let connection =
            entry.insert(Connection { stream, unread: Vec::new(), body_left: 0, reply: None, ending: false });
        registry.register(&mut connection.stream, token, Interest::READABLE | Interest::WRITABLE)?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    #[test]
    fn a_request_is_read_as_proxies_write_it() {
        let bytes = b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\nConnection: Close\r\n\r\nhello";
        let expected = Request { head: bytes.len() - 5, path: "/upload", body: 12, close: true };
        assert_eq!(parse(bytes).expect("valid"), Some(expected));
    }

    #[test]
    fn a_head_cut_in_two_is_waited_for_and_nonsense_is_not() {
        assert_eq!(parse(b"GET /128 HTTP/1.1\r\nHost: a\r\n").expect("valid so far"), None);
        assert!(parse(b"\0\0\0").is_err());
        assert!(parse(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn pipelined_requests_are_answered_in_turn_and_the_last_one_closes() {
        let free = TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("addr");
        thread::spawn(move || serve(free).map_err(|error| error.to_string()));
        let mut client = loop {
            match TcpStream::connect(free) {
                Ok(client) => break client,
                Err(_) => thread::yield_now(),
            }
        };
        let requests = b"GET /128 HTTP/1.1\r\n\r\nPOST /upload HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello\
            GET /1048576 HTTP/1.1\r\n\r\nGET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n";
        client.write_all(requests).expect("write");
        let mut received = Vec::new();
        client.read_to_end(&mut received).expect("read");
        let answers = Answers::new();
        let to = |path| answers.to(&Request { head: 0, path, body: 0, close: false });
        let expected = [to("/128"), &answers.uploaded[0], to("/1048576"), &answers.unknown[1]].concat();
        assert!(received == expected, "{} bytes instead of {}", received.len(), expected.len());
    }
}
