//! One client: sends a request, reads its answer to the end and holds it against what the case asks for.

use std::io::ErrorKind;
use std::time::Instant;

use mio::event::Event;

use super::stream::Stream;
use crate::Result;
use crate::case::Case;

/// How far a client has got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It waits for the network.
    Blocked,
    /// The answer is there, whole and right.
    Answered,
    /// The proxy has ended the connection where it should.
    Closed,
}

/// What a client waits for.
#[derive(Debug)]
enum Awaited {
    Head,
    Body(usize),
    End,
}

/// A client's connection with at most one request on it.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    began: Instant,
    sent: usize,
    awaited: Awaited,
    /// The start of a head that came in pieces.
    head: Vec<u8>,
    /// The network may have something: set by events, cleared by a read that took all there was.
    readable: bool,
    /// The proxy has announced its end, so a short read does not mean that there is no more to read.
    ending: bool,
}

impl Connection {
    /// A client on a connection that is just being opened: its request's time includes that.
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            began: Instant::now(),
            sent: usize::MAX,
            awaited: Awaited::Head,
            head: Vec::new(),
            readable: false,
            ending: false,
        }
    }

    /// When the request in hand began.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Whether its TLS session is one from before.
    pub(super) fn is_resumed(&self) -> bool {
        self.stream.is_resumed()
    }

    /// Begins the next request on the same connection.
    pub(super) fn restart(&mut self) {
        self.began = Instant::now();
        self.sent = 0;
        self.awaited = Awaited::Head;
    }

    /// Takes note of what the network says.
    pub(super) fn notice(&mut self, event: &Event) {
        if self.sent == usize::MAX && event.is_writable() {
            self.sent = 0;
        }
        self.readable |= event.is_readable() || event.is_error();
        self.ending |= event.is_read_closed();
    }

    /// Sends and receives until there is something to say.
    pub(super) fn step(&mut self, request: &[u8], case: &Case, buffer: &mut [u8]) -> Result<Step> {
        self.stream.flush()?;
        self.send(request)?;
        while self.readable || self.ending {
            match self.stream.read(buffer) {
                Ok(0) if matches!(self.awaited, Awaited::End) => return Ok(Step::Closed),
                Ok(0) => return Err("connection closed before the answer's end".into()),
                Ok(read) => {
                    self.readable = !self.stream.is_drained(read, buffer.len());
                    if self.receive(&buffer[..read], case)? {
                        if self.sent < request.len() {
                            return Err("answered before the request's end".into());
                        }
                        self.awaited = Awaited::End;
                        return Ok(Step::Answered);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(Step::Blocked);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Step::Blocked)
    }

    fn send(&mut self, request: &[u8]) -> Result<()> {
        while self.sent < request.len() {
            match self.stream.write(&request[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes what was received; whether the answer is whole.
    fn receive(&mut self, bytes: &[u8], case: &Case) -> Result<bool> {
        let body_left = match self.awaited {
            Awaited::End => return Err(format!("{} bytes behind the answer's end", bytes.len()).into()),
            Awaited::Body(left) => left.checked_sub(bytes.len()),
            Awaited::Head => {
                let whole = if self.head.is_empty() { bytes } else { self.joined(bytes) };
                match parse(whole, case.download)? {
                    Some(head) => case.download.checked_sub(whole.len() - head),
                    None => {
                        if self.head.is_empty() {
                            self.head.extend_from_slice(bytes);
                        }
                        return Ok(false);
                    }
                }
            }
        };
        self.head.clear();
        let left = body_left.ok_or("more bytes than Content-Length says")?;
        self.awaited = Awaited::Body(left);
        Ok(left == 0)
    }

    fn joined(&mut self, bytes: &[u8]) -> &[u8] {
        self.head.extend_from_slice(bytes);
        &self.head
    }
}

/// The length of a response's head, once it is whole; it must be a 200 with a body of `length` bytes.
pub(crate) fn parse(bytes: &[u8], length: usize) -> Result<Option<usize>> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head) = response.parse(bytes)? else { return Ok(None) };
    let status = response.code.unwrap_or_default();
    if status != 200 {
        return Err(format!("status {status}, not 200").into());
    }
    let field = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let value = field.and_then(|field| str::from_utf8(field.value).ok()).unwrap_or("missing");
    if value.parse() != Ok(length) {
        return Err(format!("Content-Length is {value}, not {length}").into());
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn only_the_expected_answer_counts() {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        assert_eq!(parse(head, 3).expect("expected"), Some(head.len() - 3));
        assert_eq!(parse(&head[..20], 3).expect("so far"), None);
        assert_eq!(parse(head, 4).expect_err("other length").to_string(), "Content-Length is 3, not 4");
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(parse(chunked, 4).expect_err("no length").to_string(), "Content-Length is missing, not 4");
        let refused = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(parse(refused, 3).expect_err("status").to_string(), "status 503, not 200");
    }
}
