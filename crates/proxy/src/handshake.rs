//! The handshake of TLS with a client: what it asks for decides which certificate it sees, and whether any.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use divisi_tls::{Choice, Speaks, UNRECOGNIZED_NAME, Vault};
use rustls::ServerConfig;

use crate::clock::Timer;
use crate::desk::Window;
use crate::hello::{Greeting, NoHello, Reader};
use crate::identity::Seal;
use crate::transport::{Tcp, Tls, Transport, fill};
use crate::worker::Worker;

/// How long a client may have to wait for the first certificate of a name.
const SOON: Duration = Duration::from_secs(30);

/// Reads a hello, whose first bytes are in `window`. All of them are still there afterwards. None where the client sends none, or not
/// within the time that `timer` is set to; it has been told then.
async fn hello(transport: &Transport, window: &mut Window, timer: &Timer) -> Option<Greeting> {
    let mut reader = Reader::default();
    loop {
        match reader.read(window.filled()) {
            Ok(Some(greeting)) => return Some(greeting),
            Ok(None) => {}
            Err(NoHello::Long) => return None,
            Err(NoHello::Bad { error, alert }) => {
                tracing::debug!(%error, "no TLS hello");
                say(transport, &alert);
                return None;
            }
        }
        if window.is_full() || !matches!(timer.limit(fill(transport, window)).await, Ok(Ok(1..))) {
            return None;
        }
    }
}

/// Goes through the handshake with a client whose first bytes are in `window`, which is empty then. None where it came to nothing.
pub(crate) async fn run(
    transport: Transport,
    window: &mut Window,
    timer: &Timer,
    worker: &Worker,
) -> Option<(Transport, Seal)> {
    let hello = hello(&transport, window, timer).await?;
    let (config, seal) = choose(&hello, &transport, timer, &worker.vault).await?;
    let Transport::Tcp(tcp) = transport else { return None };
    let is_challenge = seal.is_none();
    timer.rest(worker.settings.limits.head_timeout);
    let records = std::mem::replace(window, Window::new(&worker.desks.buffers));
    let tls = shake(tcp, config, records, timer, worker).await;
    let tls =
        tls.inspect_err(|error| tracing::debug!(%error, name = hello.server_name, "a TLS handshake failed")).ok()?;
    let transport = Transport::Tls(Box::new(tls));
    if is_challenge {
        transport.part();
    }
    Some((transport, seal?))
}

async fn shake(tcp: Tcp, config: Arc<ServerConfig>, window: Window, timer: &Timer, worker: &Worker) -> io::Result<Tls> {
    let tls = Tls::server(tcp, config, window, &worker.desks.buffers)?;
    let shaken = timer.limit(poll_fn(|context| tls.poll_handshake(context))).await;
    shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    Ok(tls)
}

/// How the handshake is done, and what it says of the client; nothing where it is done for an ACME authority and over with that.
async fn choose(
    hello: &Greeting,
    transport: &Transport,
    timer: &Timer,
    vault: &Vault,
) -> Option<(Arc<ServerConfig>, Option<Seal>)> {
    let mut news = vault.news();
    timer.hold(SOON);
    let mut may_ask = true;
    loop {
        news.mark_unchanged();
        match vault.choose(hello.server_name.as_deref(), hello.protocols(), Speaks::Http) {
            Choice::Serve { config, client_authority } => return Some((config, Some(Seal { client_authority }))),
            Choice::Challenge(config) => return Some((config, None)),
            Choice::Soon if matches!(timer.limit(news.changed()).await, Ok(Ok(()))) => {}
            Choice::Refuse if std::mem::take(&mut may_ask) && may_come(hello, timer, vault).await => {}
            Choice::Soon | Choice::Refuse => {
                say(transport, &UNRECOGNIZED_NAME);
                return None;
            }
        }
    }
}

/// Whether a name that nobody here has gets a certificate, because somebody was asked who allows it. An ACME authority that looks
/// at a name asks for none (RFC 8737 3).
async fn may_come(hello: &Greeting, timer: &Timer, vault: &Vault) -> bool {
    let is_challenge = hello.protocols().any(|protocol| protocol == b"acme-tls/1");
    let name = hello.server_name.as_deref().filter(|_| !is_challenge);
    match name.and_then(|name| vault.ask(name)) {
        Some(answered) => matches!(timer.limit(answered).await, Ok(Ok(true))),
        None => false,
    }
}

/// A last word, for which nobody waits.
fn say(transport: &Transport, word: &[u8]) {
    let _ = transport.poll_write(&mut Context::from_waker(Waker::noop()), &[IoSlice::new(word)]);
    transport.finish();
}
