//! What a client's bytes go through: TCP, or TLS on top of it.

use std::io::{Error as IoError, ErrorKind, Read, Result as IoResult, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use mio::net::TcpStream;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind};

use crate::Result;
use crate::tls::HOST;

/// A client's end of a connection, non-blocking.
#[derive(Debug)]
pub(super) struct Stream {
    tcp: TcpStream,
    tls: Option<Box<Tls>>,
}

#[derive(Debug)]
struct Tls {
    session: ClientConnection,
    /// Read from the network in large pieces, of which the session takes small ones.
    received: Vec<u8>,
    /// Where in it lies what the session has not taken yet.
    untaken: Range<usize>,
}

/// Bytes read from the network at once for a session.
const PIECE: usize = 64 << 10;

impl Stream {
    /// Begins to connect from the client's own address, inside TLS where there is a configuration.
    ///
    /// # Errors
    /// When the system has no socket, or nobody listens.
    pub(super) fn connect(client: usize, to: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        // Whoever closes first keeps the port for a minute: one address has too few for a window of short connections.
        bind(&socket, &SocketAddr::from(([127, 0, 1, (client % 250) as u8 + 1], 0)))?;
        match connect(&socket, &to) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(format!("connect to {to}: {error}").into()),
        }
        let tcp = TcpStream::from_std(socket.into());
        tcp.set_nodelay(true)?;
        let host = ServerName::try_from(HOST)?;
        let session = tls.map(|config| ClientConnection::new(Arc::clone(config), host)).transpose()?;
        let tls = session.map(|session| Box::new(Tls { session, received: vec![0; PIECE], untaken: 0..0 }));
        Ok(Self { tcp, tls })
    }

    /// What is registered for events.
    pub(super) fn source(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// Whether a read of `read` bytes into room for `room` has taken all there was. A record says nothing of the next one.
    pub(super) fn is_drained(&self, read: usize, room: usize) -> bool {
        self.tls.is_none() && read < room
    }

    /// Whether the handshake took up a session from before.
    pub(super) fn is_resumed(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.session.handshake_kind() == Some(HandshakeKind::Resumed))
    }

    /// Sends what was written but not taken by the network yet.
    pub(super) fn flush(&mut self) -> IoResult<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.session.wants_write() {
            match tls.session.write_tls(&mut self.tcp) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                outcome => outcome?,
            };
        }
        Ok(())
    }

    /// Takes bytes to send, maybe less than all.
    pub(super) fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        let Some(tls) = &mut self.tls else { return self.tcp.write(bytes) };
        let taken = tls.session.writer().write(bytes)?;
        self.flush()?;
        if taken == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    /// Reads what there is; nothing when the other side has ended the connection.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        loop {
            let Some(tls) = &mut self.tls else { return self.tcp.read(buffer) };
            match tls.session.reader().read(buffer) {
                // Nothing decrypted is left.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // An answer has a length, so an end without a farewell cuts nothing off.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                outcome => return outcome,
            }
            tls.receive(&mut self.tcp)?;
            // The handshake answers by itself.
            self.flush()?;
        }
    }
}

impl Tls {
    /// Decrypts some of what has come.
    fn receive(&mut self, tcp: &mut TcpStream) -> IoResult<()> {
        if self.untaken.is_empty() {
            self.untaken = 0..tcp.read(&mut self.received)?;
        }
        // At the end there is nothing to take, which is how the session learns of it.
        self.untaken.start += self.session.read_tls(&mut &self.received[self.untaken.clone()])?;
        self.session.process_new_packets().map_err(IoError::other)?;
        Ok(())
    }
}
