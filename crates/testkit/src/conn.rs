//! The replica's end of one connection: what its script reads and writes.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;

use crate::client::Closed;
use crate::message::{Head, head_end};
use crate::replica::{Request, Shared};
use crate::strict::{Chunk, Framing, check, chunk};
use crate::wait::PATIENCE;

/// A head larger than this is not read on.
const LARGEST_HEAD: usize = 4_000_000;

/// One connection of a [`Replica`](crate::replica::Replica). Closed when its script returns.
#[derive(Debug)]
pub struct Conn {
    stream: TcpStream,
    number: usize,
    buffer: Vec<u8>,
    shared: Arc<Shared>,
}

impl Conn {
    pub(crate) fn new(stream: TcpStream, number: usize, shared: Arc<Shared>) -> Self {
        // Without them a test only takes longer to fail.
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(PATIENCE * 2));
        let _ = stream.set_write_timeout(Some(PATIENCE * 2));
        Self { stream, number, buffer: Vec::new(), shared }
    }

    /// Which connection of the replica this is, counted from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The other end's address.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// Reads a request to its end; `None` when the connection ended between requests.
    ///
    /// # Errors
    /// When it ended within one, or the request was not canonical enough to go on.
    pub fn request(&mut self) -> io::Result<Option<Request>> {
        match self.head()? {
            Some(head) => self.rest_of_request(&head).map(Some),
            None => Ok(None),
        }
    }

    /// Reads the request that began with `head` to its end.
    ///
    /// # Errors
    /// When the connection ended within it, or its framing is broken.
    pub fn rest_of_request(&mut self, head: &Head) -> io::Result<Request> {
        let mut body = Vec::new();
        let trailers = self.body(head, |bytes| body.extend_from_slice(bytes))?;
        let request = Request { connection: self.number, head: head.clone(), body, trailers };
        self.shared.record().requests.push(request.clone());
        Ok(request)
    }

    /// Reads a head; `None` when the connection ended between requests.
    ///
    /// # Errors
    /// When it ended within a head.
    pub fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some((end, after)) = head_end(&self.buffer) {
                let head = Head::new(&self.buffer[..end]);
                self.buffer.drain(..after);
                let (faults, _) = check(head.bytes());
                self.shared.record().faults.extend(faults);
                return Ok(Some(head));
            }
            if self.buffer.len() > LARGEST_HEAD {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if self.fill()? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(self.cut()) };
            }
        }
    }

    /// Reads the body that belongs to `head` piece by piece; returns its trailer fields.
    ///
    /// # Errors
    /// When the connection ended within it, or its framing is broken.
    pub fn body(&mut self, head: &Head, mut take: impl FnMut(&[u8])) -> io::Result<Vec<u8>> {
        let mut missing = match check(head.bytes()).1 {
            Framing::None => 0,
            Framing::Sized(length) => length,
            Framing::Chunked => return self.chunked_body(take),
        };
        loop {
            let now = missing.min(self.buffer.len());
            take(&self.buffer[..now]);
            self.buffer.drain(..now);
            missing -= now;
            if missing == 0 {
                return Ok(Vec::new());
            }
            if self.fill()? == 0 {
                return Err(self.cut());
            }
        }
    }

    fn chunked_body(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<Vec<u8>> {
        loop {
            let used = match chunk(&self.buffer) {
                Chunk::More => {
                    if self.fill()? == 0 {
                        return Err(self.cut());
                    }
                    0
                }
                Chunk::Data { data, used } => {
                    take(data);
                    used
                }
                Chunk::Last { trailers, used } => {
                    let trailers = trailers.to_vec();
                    self.buffer.drain(..used);
                    return Ok(trailers);
                }
                Chunk::Bad(why) => {
                    self.shared.record().faults.push(why);
                    return Err(self.cut());
                }
            };
            self.buffer.drain(..used);
        }
    }

    fn cut(&self) -> io::Error {
        self.shared.record().partial += 1;
        io::ErrorKind::UnexpectedEof.into()
    }

    /// Notes a request of which only the head was read.
    pub fn note(&self, head: Head) {
        let request = Request { connection: self.number, head, body: Vec::new(), trailers: Vec::new() };
        self.shared.record().requests.push(request);
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the other side is gone or does not take them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends one chunk of a chunked body.
    ///
    /// # Errors
    /// When the other side is gone or does not take it.
    pub fn send_chunk(&mut self, data: impl AsRef<[u8]>) -> io::Result<()> {
        let data = data.as_ref();
        let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
        bytes.extend_from_slice(data);
        bytes.extend_from_slice(b"\r\n");
        self.send(bytes)
    }

    /// Reads whatever comes next, at least one byte; empty at the end of the connection.
    ///
    /// # Errors
    /// When the other side reset the connection or says nothing for long.
    pub fn read_some(&mut self) -> io::Result<Vec<u8>> {
        if self.buffer.is_empty() {
            self.fill()?;
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Whatever comes within `limit`; empty when nothing does.
    ///
    /// # Errors
    /// When the operating system refuses a timeout.
    pub fn read_for(&mut self, limit: Duration) -> io::Result<Vec<u8>> {
        self.stream.set_read_timeout(Some(limit))?;
        // A timeout is an answer here, and so is the end of the connection.
        let _ = self.fill();
        self.stream.set_read_timeout(Some(PATIENCE * 2))?;
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Ends this direction: the other side reads an end, this side can still read.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Makes the connection end by a reset when the script returns.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn reset(&mut self) -> io::Result<()> {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))
    }

    /// Waits until the other side ends the connection, and says how.
    ///
    /// # Errors
    /// When it does not for long.
    pub fn wait_closed(&mut self) -> io::Result<Closed> {
        loop {
            match self.fill() {
                Ok(0) => return Ok(Closed::Fin),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(Closed::Reset),
                Err(error) => return Err(error),
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = vec![0; 64 * 1024];
        let count = self.stream.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..count]);
        if count > 0 {
            let mut record = self.shared.record();
            record.raw.extend_from_slice(&piece[..count]);
            if record.used.last() != Some(&self.number) {
                record.used.push(self.number);
            }
        }
        Ok(count)
    }
}
