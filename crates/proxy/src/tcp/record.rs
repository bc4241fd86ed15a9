//! What became of each connection. Every accepted one gives exactly one record, whatever happens to it.

use std::cell::Cell;
use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use divisi_model::tcp::Ending;
use divisi_model::{Lease, Moment, Replica, State};

use super::error::Error;
use crate::access_log::Entry;
use crate::identity::Speech;
use crate::worker::Worker;

/// One connection as it goes on; counted and logged when it is dropped, and so exactly once.
#[derive(Debug)]
pub(super) struct Record<'a> {
    worker: &'a Worker,
    pub(super) client: IpAddr,
    pub(super) port: u16,
    /// The server that the client asked for inside TLS; empty where it did not.
    pub(super) server_name: Box<[u8]>,
    since: Moment,
    /// The replica that has the connection, counted in flight as long as this lives.
    pub(super) lease: Option<Lease>,
    /// The one at which it failed last.
    last: Option<Arc<Replica>>,
    /// What its service keeps, once it is known.
    pub(super) state: Option<Arc<State>>,
    /// It is counted as one of the service.
    pub(super) entry: Option<divisi_model::Entry>,
    /// How often a replica was tried.
    pub(super) attempts: u16,
    /// How long it waited for a replica, if it did.
    pub(super) held: Option<Duration>,
    /// How long it took to connect to the replica.
    pub(super) connect: Option<Duration>,
    /// Bytes of the client, and to it.
    pub(super) received: Cell<u64>,
    pub(super) sent: Cell<u64>,
    /// Why it was not served, or broke off.
    pub(super) error: Option<Error>,
}

impl<'a> Record<'a> {
    pub(super) fn begin(worker: &'a Worker, client: IpAddr, port: u16) -> Self {
        Self {
            worker,
            client: client.to_canonical(),
            port,
            server_name: Box::default(),
            since: Moment::now(),
            lease: None,
            last: None,
            state: None,
            entry: None,
            attempts: 0,
            held: None,
            connect: None,
            received: Cell::new(0),
            sent: Cell::new(0),
            error: None,
        }
    }

    /// The connection could not be made at its replica, which is not counted as busy with it any more.
    pub(super) fn leave(&mut self) -> Option<Arc<Replica>> {
        let lease = self.lease.take()?;
        Some(Arc::clone(self.last.insert(Arc::clone(lease.replica()))))
    }

    fn ending(&self) -> Ending {
        match &self.error {
            None => Ending::Complete,
            Some(error) if error.is_after_the_fact() => Ending::Broken,
            Some(_) => Ending::Unserved,
        }
    }

    fn log(&self) {
        let Some(journal) = &self.worker.journal else { return };
        // `TCP 5432 db.example.com` stands where a request has its first line.
        let mut line = [0_u8; 300];
        let mut rest = &mut line[..];
        // What is longer than any name is cut off, and seen to be by its length.
        let _ = write!(rest, "TCP {} {}", self.port, self.server_name.escape_ascii());
        let length = 300 - rest.len();
        let reason = self.error.as_ref().map(ToString::to_string);
        let replica = self.lease.as_ref().map(Lease::replica).or(self.last.as_ref());
        journal.write(&Entry {
            client: self.client,
            address: None,
            speech: Speech::default(),
            request: None,
            unread: line[..length].trim_ascii_end(),
            since: self.since,
            status: 0,
            body: self.sent.get(),
            service: self.state.as_ref().map(|state| state.name()),
            replica: replica.map(|replica| &**replica),
            attempts: self.attempts,
            held: self.held,
            connect: self.connect,
            first_byte: None,
            total: Moment::now().since(self.since),
            received: self.received.get(),
            sent: self.sent.get(),
            reason: reason.as_deref(),
        });
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        match &self.state {
            Some(state) => {
                state.streams().count(self.ending(), self.received.get(), self.sent.get());
                if self.attempts > 1 {
                    state.count_retries(u64::from(self.attempts) - 1);
                }
                if let Some(held) = self.held {
                    state.count_held(held);
                }
            }
            None => self.worker.published.listening().count_refused(),
        }
        self.log();
    }
}
