//! One client's connection: what it begins with says what it is.
//!
//! ```text
//! bytes ─┬─ a TLS hello ─► handshake ─► ALPN ─┬─► HTTP/2
//!        ├─ the preface of HTTP/2 ────────────┘
//!        └─ anything else ────────────────────►  HTTP/1
//! ```

use std::net::SocketAddr;
use std::rc::Rc;

use crate::clock::Timer;
use crate::desk::Window;
use crate::handshake;
use crate::http1;
use crate::http2;
use crate::identity::{Identity, Seal, Speech};
use crate::listener::Entrance;
use crate::transport::{Tcp, Transport, fill};
use crate::worker::Worker;

/// The first byte of a TLS record with a handshake (RFC 8446 5.1). No method of HTTP begins so.
const HANDSHAKE: u8 = 22;

/// One client's connection.
pub(crate) struct Client {
    pub(crate) transport: Transport,
    pub(crate) identity: Identity,
    /// Bounds what comes from the client.
    pub(crate) timer: Timer,
}

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    Tls,
    Http1,
    Http2,
}

/// Serves a client until one of the two sides has had enough. What it has said so far is in `window`.
pub(crate) async fn serve(tcp: Tcp, mut window: Window, peer: SocketAddr, entrance: Entrance, worker: Rc<Worker>) {
    let timer = Timer::new(&worker.clock);
    let transport = Transport::Tcp(tcp);
    timer.rest(worker.settings.limits.head_timeout);
    let beginning = begin(&transport, &mut window, &timer, worker.settings.listen_tls.is_some()).await;
    let mut identity = Identity::new(peer.ip(), worker.settings.trusts(peer.ip()));
    identity.is_misled = entrance == Entrance::Secure;
    match (beginning, transport) {
        (None, _) => {}
        (Some(Beginning::Tls), Transport::Tcp(tcp)) => {
            // On the heap: the state of a handshake is large, and over when the connection is to rest.
            let Some((transport, seal)) = Box::pin(handshake::run(tcp, window, &timer, &worker)).await else { return };
            serve_sealed(transport, seal, identity, timer, worker).await;
        }
        (Some(Beginning::Http2), transport) => {
            identity.speech = Speech::Http2;
            http2::serve(Client { transport, identity, timer }, window, worker).await;
        }
        (Some(_), transport) => {
            http1::serve(Client { transport, identity, timer }, window, &worker).await;
        }
    }
}

/// The same inside TLS, where both sides have agreed on what is spoken, or the client begins with what it will.
async fn serve_sealed(transport: Transport, seal: Seal, mut identity: Identity, timer: Timer, worker: Rc<Worker>) {
    let mut window = Window::new(&worker.desks.buffers);
    let agreed = transport.protocol();
    (identity.seal, identity.is_misled) = (Some(seal), false);
    timer.rest(worker.settings.limits.head_timeout);
    let beginning = match agreed.as_deref() {
        Some(b"h2") => Some(Beginning::Http2),
        _ => begin(&transport, &mut window, &timer, false).await,
    };
    match beginning {
        None => transport.part(),
        Some(Beginning::Http2) => {
            identity.speech = Speech::Http2;
            http2::serve(Client { transport, identity, timer }, window, worker).await;
        }
        Some(_) => http1::serve(Client { transport, identity, timer }, window, &worker).await,
    }
}

/// Reads until it is known what a connection begins with; None where it ends before.
async fn begin(transport: &Transport, window: &mut Window, timer: &Timer, tls: bool) -> Option<Beginning> {
    loop {
        if tls && window.filled().first() == Some(&HANDSHAKE) {
            return Some(Beginning::Tls);
        }
        // RFC 9113 3.3: no request of HTTP/1 begins so, for its method is reserved (11.6).
        let telling = &http2::PREFACE[..4];
        if window.filled().starts_with(telling) {
            return Some(Beginning::Http2);
        }
        if !telling.starts_with(window.filled()) {
            return Some(Beginning::Http1);
        }
        if !matches!(timer.limit(fill(transport, window)).await, Ok(Ok(1..))) {
            return None;
        }
    }
}
