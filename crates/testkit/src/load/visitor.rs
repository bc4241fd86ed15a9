//! One client's connection, handled as RFC 9112 9 asks of a user agent.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::message::{Head, head_end};

/// How long a client waits for anything: longer than divisi holds a request by default.
const PATIENCE: Duration = Duration::from_secs(45);

/// A client with at most one connection.
#[derive(Debug)]
pub(super) struct Visitor {
    addr: SocketAddr,
    /// Whether it uses its connection again.
    pub(super) keeps: bool,
    connection: Option<Connection>,
    /// Requests sent again, because the connection they were sent on before had just been closed.
    pub(super) repeated: usize,
    /// Connections found closed before the next request was sent.
    pub(super) reopened: usize,
}

/// Why there is no response.
enum Lost {
    /// The connection ended before a byte of it.
    Untouched(io::Error),
    /// Anything else.
    Otherwise(String),
}

impl Visitor {
    pub(super) fn new(addr: SocketAddr, keeps: bool) -> Self {
        Self { addr, keeps, connection: None, repeated: 0, reopened: 0 }
    }

    /// Sends a request and reads its response, or says what came instead.
    ///
    /// A connection may be closed at any time between two responses, so a request that was sent on a used one and got not
    /// a byte back is sent again on a new one; but only once, and only if it may be (RFC 9112 9.3.1).
    pub(super) fn ask(&mut self, request: &[u8], may_repeat: bool) -> Result<(Head, Vec<u8>), String> {
        if self.connection.as_ref().is_some_and(Connection::has_ended) {
            self.connection = None;
            self.reopened += 1;
        }
        let was_used = self.connection.is_some();
        let mut result = self.attempt(request);
        if was_used && may_repeat && matches!(result, Err(Lost::Untouched(_))) {
            self.repeated += 1;
            result = self.attempt(request);
        }
        result.map_err(|lost| match lost {
            Lost::Untouched(error) if is_timeout(&error) => "nothing within the client's patience".to_owned(),
            Lost::Untouched(error) => format!("the connection ended without a response: {}", error.kind()),
            Lost::Otherwise(what) => what,
        })
    }

    fn attempt(&mut self, request: &[u8]) -> Result<(Head, Vec<u8>), Lost> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.addr)
                .map_err(|error| Lost::Otherwise(format!("cannot connect: {}", error.kind())))?,
        };
        // What cannot be written may still be answered: the response is read in any case.
        let written = connection.stream.write_all(request);
        let (head, body) = connection.response().map_err(|lost| match (lost, written) {
            (Lost::Untouched(_), Err(error)) => Lost::Untouched(error),
            (lost, _) => lost,
        })?;
        let ends = head.values("connection").iter().any(|option| option.eq_ignore_ascii_case("close"));
        self.connection = Some(connection).filter(|_| self.keeps && !ends);
        Ok((head, body))
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Whether the other side has closed it, or said something unasked before it does.
    fn has_ended(&self) -> bool {
        let peeked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        let is_quiet = peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        !is_quiet || self.stream.set_nonblocking(false).is_err()
    }

    /// Reads a response that says how long it is, as all are that the load gets.
    fn response(&mut self) -> Result<(Head, Vec<u8>), Lost> {
        let (end, after) = loop {
            match head_end(&self.buffer) {
                Some(found) => break found,
                None => self.fill().map_err(|error| {
                    if self.buffer.is_empty() { Lost::Untouched(error) } else { broken("its head", &error) }
                })?,
            }
        };
        let head = Head::new(&self.buffer[..end]);
        let length = head.value("content-length").and_then(|value| value.parse::<usize>().ok());
        let Some(length) = length else {
            return Err(Lost::Otherwise(format!("{} without a length", head.status())));
        };
        while self.buffer.len() < after + length {
            self.fill().map_err(|error| broken("its body", &error))?;
        }
        let rest = self.buffer.split_off(after + length);
        let body = std::mem::replace(&mut self.buffer, rest).split_off(after);
        Ok((head, body))
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.buffer.extend_from_slice(&piece[..count]);
                Ok(())
            }
        }
    }
}

fn broken(part: &str, error: &io::Error) -> Lost {
    Lost::Otherwise(format!("the response broke off in {part}: {}", error.kind()))
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
