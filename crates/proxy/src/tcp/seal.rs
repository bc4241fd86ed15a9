//! TLS that is ended here, and TLS to a replica.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use divisi_model::Replica;
use divisi_tls::{Choice, Means, Protocol, Speaks, UNRECOGNIZED_NAME};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};

use super::error::Error;
use crate::clock::{Elapsed, Timer};
use crate::desk::Window;
use crate::hello::Greeting;
use crate::transport::{Tcp, Tls, Transport};
use crate::worker::Worker;

/// How long a client may have to wait for the first certificate of a name.
const SOON: Duration = Duration::from_secs(30);

/// Ends the TLS of a client that has begun as `early` says.
pub(super) async fn end(
    tcp: Tcp,
    early: Window,
    greeting: &Greeting,
    timer: &Timer,
    worker: &Worker,
) -> Result<Transport, Error> {
    let Some(config) = choose(greeting, timer, worker).await else {
        // A last word, for which nobody waits.
        let _ = tcp.poll_write(&mut Context::from_waker(Waker::noop()), &[IoSlice::new(&UNRECOGNIZED_NAME)]);
        return Err(Error::NoCertificate);
    };
    timer.rest(worker.settings.limits.head_timeout);
    let tls = Tls::server(tcp, config, early, &worker.desks.buffers).map_err(Error::Handshake)?;
    shaken(tls, timer).await
}

async fn choose(greeting: &Greeting, timer: &Timer, worker: &Worker) -> Option<Arc<ServerConfig>> {
    let mut news = worker.vault.news();
    timer.hold(SOON);
    loop {
        news.mark_unchanged();
        match worker.vault.choose(greeting.server_name.as_deref(), greeting.protocols(), Speaks::Stream) {
            Choice::Serve { config, .. } => return Some(config),
            Choice::Soon if matches!(timer.limit(news.changed()).await, Ok(Ok(()))) => {}
            // An ACME authority that looks at a name comes to a port of HTTP, where it is left to that.
            Choice::Soon | Choice::Challenge(_) | Choice::Refuse => return None,
        }
    }
}

/// Begins TLS with a replica, which has to prove that it is the one that its labels name, or that the client has asked for.
pub(super) async fn begin(
    tcp: Tcp,
    replica: &Replica,
    server_name: &[u8],
    timer: &Timer,
    worker: &Worker,
) -> Result<Transport, Error> {
    let config = timer.limit(trusted(replica, worker)).await.map_err(|Elapsed| Error::ConnectTimeout)??;
    let said = replica.speech().server_name.as_deref().map(str::to_owned);
    let asked = || Some(String::from_utf8_lossy(server_name).into_owned()).filter(|name| !name.is_empty());
    let name = said.or_else(asked).unwrap_or_else(|| replica.addr().ip().to_string());
    let name = ServerName::try_from(name).map_err(|_| Error::Handshake(io::ErrorKind::InvalidInput.into()))?;
    let tls = Tls::client(tcp, config, name, &worker.desks.buffers).map_err(Error::Handshake)?;
    shaken(tls, timer).await
}

async fn trusted(replica: &Replica, worker: &Worker) -> Result<Arc<ClientConfig>, Error> {
    let mut news = worker.vault.news();
    loop {
        news.mark_unchanged();
        match worker.vault.upstreams().get(&replica.speech().trust, Protocol::Http1) {
            Means::Ready(config) => {
                // What is spoken inside is none of our business, and so nothing is offered.
                let mut config = ClientConfig::clone(&config);
                config.alpn_protocols.clear();
                return Ok(Arc::new(config));
            }
            Means::Broken(why) => return Err(Error::Untrusted(why)),
            Means::Soon => news.changed().await.map_err(|_| Error::ConnectTimeout)?,
        }
    }
}

async fn shaken(tls: Tls, timer: &Timer) -> Result<Transport, Error> {
    let shaken = timer.limit(poll_fn(|context| tls.poll_handshake(context))).await;
    shaken.unwrap_or_else(|Elapsed| Err(io::ErrorKind::TimedOut.into())).map_err(Error::Handshake)?;
    Ok(Transport::Tls(Box::new(tls)))
}
