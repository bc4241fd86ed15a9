//! What TLS makes of bytes: rustls without buffers or sockets of its own, either end of a connection.
//!
//! Buffers are ours, and borrowed from the worker while there is something in them, so that a connection that rests holds none.

use std::fmt;

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus};
use rustls::{CommonState, Error};

use crate::desk::Window;

/// What a record costs beyond what it carries, at most (RFC 8446 5.2).
const RECORD_OVERHEAD: usize = 5 + 256;

/// The most that one record carries (RFC 8446 5.1).
pub(super) const RECORD: usize = 1 << 14;

/// One end of a connection inside TLS.
pub(crate) enum Session {
    /// The client asked us.
    Server(UnbufferedServerConnection),
    /// We ask a replica.
    Client(UnbufferedClientConnection),
}

/// How far a session has come with what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is more to do.
    Again,
    /// So many bytes were read into the space; the rest of the record is with the leftovers.
    Read(usize),
    /// Nothing can be done before more bytes come. What is to be said may be said.
    Open,
    /// The same, but nothing may be said yet.
    Blocked,
    /// The peer has said that it will say nothing more.
    Closed,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Server(_)) { "Server" } else { "Client" })
    }
}

impl Session {
    /// One step with what has come: into `space` what the peer says, into `outgoing` what it is to be told. What does not fit into
    /// `space` goes to `leftovers`.
    pub(super) fn step(
        &mut self,
        incoming: &mut Window,
        space: &mut [u8],
        leftovers: &mut Vec<u8>,
        outgoing: &mut Window,
    ) -> Result<Step, Error> {
        let (used, step) = match self {
            Self::Server(server) => take(server.process_tls_records(incoming.filled_mut()), space, leftovers, outgoing),
            Self::Client(client) => take(client.process_tls_records(incoming.filled_mut()), space, leftovers, outgoing),
        };
        incoming.consume(used);
        step
    }

    /// Puts `data` into records behind what waits in `outgoing`. To be called after [`Step::Open`].
    pub(super) fn encrypt(
        &mut self,
        data: &[u8],
        incoming: &mut Window,
        outgoing: &mut Window,
    ) -> Result<(), EncryptError> {
        make_room(outgoing, data.len() + (data.len() / RECORD + 1) * RECORD_OVERHEAD);
        let written = match self {
            Self::Server(server) => match server.process_tls_records(incoming.filled_mut()).state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => traffic.encrypt(data, outgoing.space()),
                _ => Err(EncryptError::EncryptExhausted),
            },
            Self::Client(client) => match client.process_tls_records(incoming.filled_mut()).state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => traffic.encrypt(data, outgoing.space()),
                _ => Err(EncryptError::EncryptExhausted),
            },
        }?;
        outgoing.advance(written);
        Ok(())
    }

    /// Puts the word that nothing more will be said behind what waits (RFC 8446 6.1), if it can be said.
    pub(super) fn close(&mut self, incoming: &mut Window, outgoing: &mut Window) {
        make_room(outgoing, RECORD_OVERHEAD);
        let written = match self {
            Self::Server(server) => match server.process_tls_records(incoming.filled_mut()).state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => traffic.queue_close_notify(outgoing.space()).ok(),
                _ => None,
            },
            Self::Client(client) => match client.process_tls_records(incoming.filled_mut()).state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => traffic.queue_close_notify(outgoing.space()).ok(),
                _ => None,
            },
        };
        outgoing.advance(written.unwrap_or(0));
    }

    /// What both ends have in common.
    pub(super) fn common(&self) -> &CommonState {
        match self {
            Self::Server(server) => server,
            Self::Client(client) => client,
        }
    }
}

/// Takes what a status brings, and how many bytes of what came it has used.
fn take<D>(
    status: UnbufferedStatus<'_, '_, D>,
    space: &mut [u8],
    leftovers: &mut Vec<u8>,
    outgoing: &mut Window,
) -> (usize, Result<Step, Error>) {
    let UnbufferedStatus { mut discard, state } = status;
    let step = match state {
        Err(error) => Err(error),
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            let mut encoded = data.encode(outgoing.space());
            if let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) = encoded {
                make_room(outgoing, required_size);
                encoded = data.encode(outgoing.space());
            }
            outgoing.advance(encoded.unwrap_or(0));
            Ok(Step::Again)
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(Step::Again)
        }
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut read = 0;
            while let Some(record) = traffic.next_record() {
                let record = match record {
                    Ok(record) => record,
                    Err(error) => return (discard, Err(error)),
                };
                discard += record.discard;
                let fitting = if leftovers.is_empty() { record.payload.len().min(space.len() - read) } else { 0 };
                space[read..read + fitting].copy_from_slice(&record.payload[..fitting]);
                leftovers.extend_from_slice(&record.payload[fitting..]);
                read += fitting;
            }
            // A record may be empty (RFC 8446 5.1), and 0 would be the peer's end.
            Ok(if read > 0 { Step::Read(read) } else { Step::Again })
        }
        Ok(ConnectionState::WriteTraffic(_)) => Ok(Step::Open),
        Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Ok(Step::Closed),
        Ok(_) => Ok(Step::Blocked),
    };
    (discard, step)
}

fn make_room(outgoing: &mut Window, bytes: usize) {
    outgoing.open();
    let wanted = outgoing.len() + bytes;
    if outgoing.space().len() < bytes {
        outgoing.grow(wanted);
    }
}
