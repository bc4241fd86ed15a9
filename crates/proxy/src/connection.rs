//! One client's connection: what it begins with says what it is.
//!
//! ```text
//! bytes ─┬─ a TLS hello ─► handshake ─► ALPN ─┬─► HTTP/2
//!        ├─ the preface of HTTP/2 ────────────┘
//!        └─ anything else ────────────────────►  HTTP/1
//! ```

use std::net::SocketAddr;
use std::rc::Rc;

use tokio::net::TcpStream;

use crate::clock::{Elapsed, Timer};
use crate::desk::Window;
use crate::handshake;
use crate::http1::{self, Parting};
use crate::http2::{self, Memory};
use crate::identity::{Identity, Speech};
use crate::listener::{Entrance, Place};
use crate::lounge::Resting;
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
///
/// What a connection is for most of its life is a request of HTTP/1 that is waited for, so all else is on the heap, as long as it lasts.
pub(crate) async fn serve(
    tcp: Tcp,
    window: Window,
    peer: SocketAddr,
    entrance: Entrance,
    place: Place,
    worker: Rc<Worker>,
) {
    let Some((client, mut window)) = Box::pin(arrive(tcp, window, peer, entrance, &worker)).await else { return };
    match client.identity.speech {
        Speech::Http1 => {
            let parting = http1::serve(&client, &mut window, &worker).await;
            if parting == Parting::Rests {
                retire(client, None, place, &worker);
            }
        }
        Speech::Http2 => {
            Box::pin(async {
                if let Some((client, memory)) = Box::pin(http2::serve(client, window, None, &worker)).await {
                    rest(client, memory, place, &worker).await;
                }
            })
            .await;
        }
    }
}

/// Serves a client again that has rested.
pub(crate) async fn resume(resting: Resting, place: Place, worker: Rc<Worker>) {
    let Resting { stream, source, is_misled, memory } = resting;
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let mut identity = Identity::new(source, worker.settings.trusts(source.ip()));
    identity.is_misled = is_misled;
    if memory.is_some() {
        identity.speech = Speech::Http2;
    }
    let client = Client { transport: Transport::Tcp(Tcp::new(stream)), identity, timer: Timer::new(&worker.clock) };
    match memory {
        Some(memory) => {
            if let Some((client, memory)) = go_on(client, memory, &worker).await {
                rest(client, memory, place, &worker).await;
            }
        }
        None => {
            let parting = http1::serve(&client, &mut Window::new(&worker.desks.buffers), &worker).await;
            if parting == Parting::Rests {
                retire(client, None, place, &worker);
            }
        }
    }
}

/// Lets a client of HTTP/2 rest.
async fn rest(mut client: Client, mut memory: Box<Memory>, place: Place, worker: &Rc<Worker>) {
    while matches!(client.transport, Transport::Tls(_)) || !worker.lounge.is_open() {
        match go_on(client, memory, worker).await {
            Some(rests) => (client, memory) = rests,
            None => return,
        }
    }
    retire(client, Some(memory), place, worker);
}

/// Serves a client of HTTP/2 again, once it says something or has rested for too long. What is returned rests once more.
async fn go_on(client: Client, memory: Box<Memory>, worker: &Rc<Worker>) -> Option<(Client, Box<Memory>)> {
    let mut window = Window::new(&worker.desks.buffers);
    client.timer.rest(worker.settings.limits.idle_timeout.saturating_sub(memory.rested()));
    let rests = worker.lounge.count();
    let said = client.timer.limit(fill(&client.transport, &mut window)).await;
    drop(rests);
    match said {
        // Who has rested for too long is told so.
        Ok(Ok(1..)) | Err(Elapsed) => Box::pin(http2::serve(client, window, Some(memory), worker)).await,
        Ok(Ok(_) | Err(_)) => {
            client.transport.part();
            None
        }
    }
}

/// Takes a connection to where resting costs next to nothing.
fn retire(client: Client, memory: Option<Box<Memory>>, place: Place, worker: &Worker) {
    let Transport::Tcp(tcp) = client.transport else { return };
    let (source, is_misled) = (client.identity.source(), client.identity.is_misled);
    // Where the event loop does not let it go it has ended.
    if let Ok(stream) = tcp.into_std() {
        worker.lounge.admit(Resting { stream, source, is_misled, memory }, place);
    }
}

/// Finds out what a client speaks. None where it leaves before, or cannot be served.
async fn arrive(
    tcp: Tcp,
    mut window: Window,
    peer: SocketAddr,
    entrance: Entrance,
    worker: &Worker,
) -> Option<(Client, Window)> {
    let timer = Timer::new(&worker.clock);
    let mut transport = Transport::Tcp(tcp);
    let mut identity = Identity::new(peer, worker.settings.trusts(peer.ip()));
    timer.rest(worker.settings.limits.head_timeout);
    let mut beginning = begin(&transport, &mut window, &timer, worker.settings.listen_tls.is_some()).await?;
    if beginning == Beginning::Tls {
        // On the heap: the state of a handshake is large.
        let (sealed, seal) = Box::pin(handshake::run(transport, &mut window, &timer, worker)).await?;
        (transport, identity.seal) = (sealed, Some(seal));
        timer.rest(worker.settings.limits.head_timeout);
        // Both sides have agreed on what is spoken, or the client begins with what it likes.
        beginning = match transport.protocol().as_deref() {
            Some(b"h2") => Beginning::Http2,
            _ => begin(&transport, &mut window, &timer, false).await?,
        };
    } else {
        identity.is_misled = entrance == Entrance::Secure;
    }
    identity.speech = if beginning == Beginning::Http2 { Speech::Http2 } else { Speech::Http1 };
    Some((Client { transport, identity, timer }, window))
}

/// Reads until it is known what a connection begins with; None where it ends before.
async fn begin(transport: &Transport, window: &mut Window, timer: &Timer, tls: bool) -> Option<Beginning> {
    loop {
        if tls && window.filled().first() == Some(&HANDSHAKE) {
            return Some(Beginning::Tls);
        }
        // RFC 9113 3.3: no request of HTTP/1 begins so, for its method is reserved (11.6). All of it is waited for: what reads
        // frames has large buffers from its start.
        match window.filled() {
            preface if preface.starts_with(http2::PREFACE) => return Some(Beginning::Http2),
            part if http2::PREFACE.starts_with(part) => {}
            other if other.starts_with(&http2::PREFACE[..4]) => return Some(Beginning::Http2),
            _ => return Some(Beginning::Http1),
        }
        if !matches!(timer.limit(fill(transport, window)).await, Ok(Ok(1..))) {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An idle connection is its task, and nearly nothing else.
    #[test]
    fn a_connection_that_rests_is_small() {
        fn size<A, B, C, D, E, F, G: Future>(_: fn(A, B, C, D, E, F) -> G) -> usize {
            size_of::<G>()
        }
        let bytes = size(serve);
        assert!(bytes < 600, "{bytes} bytes");
    }
}
