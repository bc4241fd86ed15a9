//! One client's connection: what it begins with says which HTTP it speaks.

use std::net::SocketAddr;
use std::rc::Rc;

use crate::clock::Timer;
use crate::desk::Window;
use crate::http1;
use crate::http2;
use crate::identity::Identity;
use crate::transport::{Transport, fill};
use crate::worker::Worker;

/// One client's connection.
pub(crate) struct Client {
    pub(crate) transport: Transport,
    pub(crate) identity: Identity,
    /// Bounds what comes from the client.
    pub(crate) timer: Timer,
}

/// Serves a client until one of the two sides has had enough.
pub(crate) async fn serve(transport: Transport, peer: SocketAddr, worker: Rc<Worker>) {
    let identity = Identity::new(peer.ip(), worker.settings.trusts(peer.ip()));
    let client = Client { transport, identity, timer: Timer::new(&worker.clock) };
    let mut window = Window::new(&worker.desks.buffers);
    client.timer.rest(worker.settings.limits.head_timeout);
    while matches!(client.timer.limit(fill(&client.transport, &mut window)).await, Ok(Ok(1..))) {
        match begins_http2(window.filled()) {
            Some(true) => return http2::serve(client, window, worker).await,
            Some(false) => return http1::serve(client, window, &worker).await,
            None => {}
        }
    }
}

/// Whether what has come is the beginning of HTTP/2 with prior knowledge (RFC 9113 3.3); None where it is too little to tell. No
/// request of HTTP/1 begins so: its method is reserved (RFC 9113 11.6).
fn begins_http2(bytes: &[u8]) -> Option<bool> {
    let telling = &http2::PREFACE[..4];
    if bytes.starts_with(telling) { Some(true) } else { (!telling.starts_with(bytes)).then_some(false) }
}
