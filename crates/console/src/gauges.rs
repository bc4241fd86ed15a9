//! What the request's way counts of itself. The console does not know that room: the program fills this in.

use std::fmt;
use std::sync::Arc;

/// What the request's way has counted so far, and has open now. What nobody counts is None and is not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Responses by the first digit of their status, from 1 to 5; at 0 the requests whose client got none. Malformed requests
    /// and those that belong nowhere are among them.
    pub statuses: [u64; 6],
    /// Responses that were begun and broken off.
    pub broken: u64,
    /// Client connections that are open.
    pub client_connections: Option<u64>,
    /// Those of them that rest, and cost next to nothing.
    pub client_resting_connections: Option<u64>,
    /// Connections to replicas that rest until they are needed.
    pub upstream_idle_connections: Option<u64>,
    /// Connections to replicas that were opened so far.
    pub upstream_connections: Option<u64>,
    /// Lines of the access log that were dropped because it could not be written as fast.
    pub access_log_dropped_lines: Option<u64>,
    /// Bytes that came from clients.
    pub received_bytes: Option<u64>,
    /// Bytes that went to clients.
    pub sent_bytes: Option<u64>,
}

/// Reads the gauges when somebody asks.
#[derive(Clone)]
pub struct GaugeReader(Arc<dyn Fn() -> Gauges + Send + Sync>);

impl GaugeReader {
    /// Reads them by that.
    pub fn new(read: impl Fn() -> Gauges + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// How they stand now.
    pub(crate) fn read(&self) -> Gauges {
        (self.0)()
    }
}

impl fmt::Debug for GaugeReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GaugeReader")
    }
}
