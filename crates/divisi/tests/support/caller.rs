//! A client that asks one request after the other, and what replicas say about themselves.

#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use divisi_testkit::client::{Client, Ending, Response};

/// How long Docker may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const GET: &str = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A client with one connection, which it makes anew where Docker's own proxy was there before ours.
#[derive(Debug)]
pub(crate) struct Caller {
    addr: SocketAddr,
    client: Option<Client>,
}

impl Caller {
    /// A client of `addr`.
    pub(crate) fn to(addr: SocketAddr) -> Self {
        let mut caller = Self { addr, client: None };
        until("divisi answers", || caller.try_get().is_some());
        caller
    }

    /// One GET; `None` where the connection ended instead.
    pub(crate) fn try_get(&mut self) -> Option<Response> {
        if self.client.is_none() {
            self.client = Client::try_connect(self.addr).ok();
        }
        let client = self.client.as_mut()?;
        let response = if client.try_send(GET).is_ok() { client.try_response() } else { None };
        if response.as_ref().is_none_or(|response| response.ending != Ending::Complete) {
            self.client = None;
        }
        response
    }

    /// One GET.
    pub(crate) fn get(&mut self) -> Response {
        self.try_get().expect("a response, and not the end of the connection")
    }

    /// The names of the replicas that answer `count` requests. Every answer must be a 200.
    pub(crate) fn names(&mut self, count: usize) -> BTreeSet<String> {
        let name = |_| {
            let response = self.get();
            assert_eq!(response.status(), 200, "{}", response.text());
            name_in(&response)
        };
        (0..count).map(name).collect()
    }

    /// Waits for the first answer of a replica.
    pub(crate) fn wait_for_a_replica(&mut self) {
        until("a replica answers", || self.get().status() == 200);
    }

    /// Waits until so many replicas answer.
    pub(crate) fn wait_for_replicas(&mut self, count: usize) {
        let mut names = BTreeSet::new();
        until("every replica answers", || {
            let response = self.get();
            if response.status() == 200 {
                names.insert(name_in(&response));
            }
            names.len() >= count
        });
    }
}

/// The replica's own name, which it says first.
pub(crate) fn name_in(response: &Response) -> String {
    response.text().lines().next().unwrap_or_default().to_owned()
}

/// Waits until `condition` is true, as long as Docker may take.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
