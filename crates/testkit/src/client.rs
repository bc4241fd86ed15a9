//! A raw client: sends bytes as they are and reads responses strictly. It blocks, as a test reads best.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use crate::message::{Head, find, head_end};
use crate::strict::{Chunk, chunk};
use crate::wait::PATIENCE;

/// A connection to the proxy under test. What must not fail panics with a reason; what may has `try_` in its name.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// How the other side ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// In order.
    Fin,
    /// By a reset.
    Reset,
}

/// How the body of a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By its own framing.
    Complete,
    /// It has no framing of its own, and the connection was closed in order.
    UntilClose,
    /// The connection ended too early, or the framing was broken.
    Cut,
}

/// A response as the client saw it.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status line and fields.
    pub head: Head,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// The trailer fields, each with its line end.
    pub trailers: Vec<u8>,
    /// How the body ended.
    pub ending: Ending,
}

impl Response {
    /// Its status.
    pub fn status(&self) -> u16 {
        self.head.status()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    /// A connection to `addr`.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn connect(addr: SocketAddr) -> Self {
        Self::try_connect(addr).expect("the proxy accepts a connection")
    }

    /// A connection to `addr`, if it can be made.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn try_connect(addr: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect_timeout(&addr, PATIENCE)?)
    }

    /// A connection whose receive buffer is small, so that the other side soon notices that nobody reads.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn with_small_window(addr: SocketAddr) -> Self {
        let connect = || -> io::Result<Self> {
            let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
            socket.set_recv_buffer_size(4096)?;
            socket.connect(&addr.into())?;
            Self::over(socket.into())
        };
        connect().expect("the proxy accepts a connection")
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// This end's address.
    ///
    /// # Panics
    /// When the socket is gone.
    pub fn local_addr(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// A second handle on the same connection, to write while another thread reads.
    ///
    /// # Panics
    /// When the operating system refuses.
    pub fn writer(&self) -> TcpStream {
        self.stream.try_clone().expect("a socket can be cloned")
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the other side does not take them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.try_send(bytes).expect("the proxy takes the bytes");
        self
    }

    /// Sends bytes as they are, if the other side takes them.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Ends this direction: the other side reads an end, this side can still read.
    pub fn finish(&mut self) -> &mut Self {
        // Fails only where the connection is gone already, which the next read reports.
        let _ = self.stream.shutdown(Shutdown::Write);
        self
    }

    /// Ends the connection by a reset.
    ///
    /// # Panics
    /// When the operating system refuses.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("linger can be set");
    }

    /// Sends a request and reads its response.
    pub fn exchange(&mut self, request: impl AsRef<[u8]>) -> Response {
        self.send(request).response()
    }

    /// Reads one response, interim ones included.
    ///
    /// # Panics
    /// When the connection ends before a head was read.
    pub fn response(&mut self) -> Response {
        self.try_response().expect("a response, and not the end of the connection")
    }

    /// Reads the response to a HEAD request.
    ///
    /// # Panics
    /// When the connection ends before a head was read.
    pub fn response_to_head(&mut self) -> Response {
        let head = self.head().expect("a response, and not the end of the connection");
        Response { head, body: Vec::new(), trailers: Vec::new(), ending: Ending::Complete }
    }

    /// Reads one response; `None` when the connection ended before a whole head.
    pub fn try_response(&mut self) -> Option<Response> {
        let head = self.head()?;
        let mut response = Response { head, body: Vec::new(), trailers: Vec::new(), ending: Ending::Complete };
        let mut body = Vec::new();
        let (ending, trailers) = self.body(&response.head, |bytes| body.extend_from_slice(bytes));
        response.body = body;
        response.ending = ending;
        response.trailers = trailers;
        Some(response)
    }

    /// Reads a head; `None` when the connection ended before it was whole.
    pub fn head(&mut self) -> Option<Head> {
        loop {
            if let Some((end, after)) = head_end(&self.buffer) {
                let head = Head::new(&self.buffer[..end]);
                self.buffer.drain(..after);
                return Some(head);
            }
            if self.fill().is_some() {
                return None;
            }
        }
    }

    /// Reads the body that belongs to `head` piece by piece; returns how it ended and its trailer fields.
    pub fn body(&mut self, head: &Head, mut take: impl FnMut(&[u8])) -> (Ending, Vec<u8>) {
        let status = head.status();
        if status < 200 || status == 204 || status == 304 {
            return (Ending::Complete, Vec::new());
        }
        if head.values("transfer-encoding").iter().any(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return self.chunked_body(take);
        }
        if let Some(length) = head.value("content-length") {
            let length = length.parse().expect("Content-Length is a number");
            return (self.sized_body(length, take), Vec::new());
        }
        loop {
            take(&std::mem::take(&mut self.buffer));
            match self.fill() {
                None => {}
                Some(Closed::Fin) => return (Ending::UntilClose, Vec::new()),
                Some(Closed::Reset) => return (Ending::Cut, Vec::new()),
            }
        }
    }

    fn sized_body(&mut self, length: usize, mut take: impl FnMut(&[u8])) -> Ending {
        let mut missing = length;
        loop {
            let now = missing.min(self.buffer.len());
            take(&self.buffer[..now]);
            self.buffer.drain(..now);
            missing -= now;
            if missing == 0 {
                return Ending::Complete;
            }
            if self.fill().is_some() {
                return Ending::Cut;
            }
        }
    }

    fn chunked_body(&mut self, mut take: impl FnMut(&[u8])) -> (Ending, Vec<u8>) {
        loop {
            let used = match chunk(&self.buffer) {
                Chunk::More => match self.fill() {
                    None => 0,
                    Some(_) => return (Ending::Cut, Vec::new()),
                },
                Chunk::Data { data, used } => {
                    take(data);
                    used
                }
                Chunk::Last { trailers, used } => {
                    let trailers = trailers.to_vec();
                    self.buffer.drain(..used);
                    return (Ending::Complete, trailers);
                }
                Chunk::Bad(_) => return (Ending::Cut, Vec::new()),
            };
            self.buffer.drain(..used);
        }
    }

    /// Reads until `needle` was seen; returns everything up to and with it.
    ///
    /// # Panics
    /// When the connection ends first.
    pub fn read_until(&mut self, needle: impl AsRef<[u8]>) -> Vec<u8> {
        let needle = needle.as_ref();
        loop {
            if let Some(at) = find(&self.buffer, needle) {
                return self.buffer.drain(..at + needle.len()).collect();
            }
            let closed = self.fill();
            assert!(closed.is_none(), "{closed:?} before {needle:?}: {:?}", String::from_utf8_lossy(&self.buffer));
        }
    }

    /// Reads to the end of the connection.
    pub fn read_to_close(&mut self) -> (Vec<u8>, Closed) {
        loop {
            if let Some(closed) = self.fill() {
                return (std::mem::take(&mut self.buffer), closed);
            }
        }
    }

    /// Whatever arrives first within `limit`, and how the connection ended if it did.
    ///
    /// # Panics
    /// When the operating system refuses a timeout.
    pub fn read_for(&mut self, limit: Duration) -> (Vec<u8>, Option<Closed>) {
        self.read_at_most(64 * 1024, limit)
    }

    /// The same, but no more than `most` bytes of it.
    ///
    /// # Panics
    /// When the operating system refuses a timeout.
    pub fn read_at_most(&mut self, most: usize, limit: Duration) -> (Vec<u8>, Option<Closed>) {
        self.stream.set_read_timeout(Some(limit)).expect("a timeout can be set");
        let read = self.try_fill(most);
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        (std::mem::take(&mut self.buffer), read.ok().flatten())
    }

    /// Reads more into the buffer; `Some` when the connection has ended.
    fn fill(&mut self) -> Option<Closed> {
        self.try_fill(64 * 1024).expect("the proxy says something in time")
    }

    fn try_fill(&mut self, most: usize) -> io::Result<Option<Closed>> {
        let mut piece = vec![0; most];
        match self.stream.read(&mut piece) {
            Ok(0) => Ok(Some(Closed::Fin)),
            Ok(count) => {
                self.buffer.extend_from_slice(&piece[..count]);
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(Some(Closed::Reset)),
            Err(error) => Err(error),
        }
    }
}

/// Sends one request on a connection of its own and reads its response.
pub fn fetch(addr: SocketAddr, request: impl AsRef<[u8]>) -> Response {
    Client::connect(addr).exchange(request)
}
