//! The way of one connection, from the socket to the replica and back.

use std::net::SocketAddr;
use std::rc::Rc;

use divisi_model::Moment;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::carry::carry;
use super::entrances::Entrance;
use super::error::Error;
use super::hello::{self, Greeting};
use super::record::Record;
use super::search::{Course, Search};
use crate::clock::Timer;
use crate::desk::Window;
use crate::proxy_protocol::{self, Header};
use crate::transport::{Tcp, Transport};
use crate::worker::Worker;

/// Serves a connection until both of its sides have ended it, or one has had enough.
pub(super) async fn walk(stream: TcpStream, peer: SocketAddr, entrance: &Entrance, worker: &Rc<Worker>) {
    let mut record = Record::begin(worker, peer.ip(), entrance.port);
    if let Err(error) = pass(stream, peer, entrance, worker, &mut record).await {
        tracing::debug!(%error, %peer, port = entrance.port, "a connection ended");
        record.error = Some(error);
    }
}

/// A connection to a client, and the one to its replica.
struct Ends {
    client: Transport,
    replica: Transport,
    /// What the client has said already.
    early: Window,
    course: Course,
}

async fn pass(
    stream: TcpStream,
    peer: SocketAddr,
    entrance: &Entrance,
    worker: &Rc<Worker>,
    record: &mut Record<'_>,
) -> Result<(), Error> {
    let timer = Timer::new(&worker.clock);
    // On the heap, as long as it takes: what a connection holds while it rests should be small.
    let Ends { client, replica, early, course } = Box::pin(meet(stream, peer, worker, &timer, record)).await?;
    timer.watch(record.lease.as_ref().map(|lease| lease.replica().clone()));
    let counts = (&record.received, &record.sent);
    let silence = worker.settings.limits.stream_timeout;
    let cut = async {
        entrance.left().await;
        sleep(course.drain).await;
    };
    let carried = tokio::select! {
        carried = carry(&client, &replica, early, counts, &timer, silence, &worker.desks.buffers) => carried,
        () = cut => Err(Error::PortClosed),
    };
    let is_cut = |record: &Record<'_>| record.lease.iter().any(|lease| lease.replica().is_cut(Moment::now()));
    match carried {
        Ok(()) => {
            // Both ends are told that it is over, where TLS wants to hear it.
            client.part();
            replica.part();
            Ok(())
        }
        Err(error) => {
            // What broke off is not to look complete to the other side.
            client.reset_on_close();
            replica.reset_on_close();
            Err(if matches!(error, Error::Silent) && is_cut(record) { Error::CutOff } else { error })
        }
    }
}

/// Everything before the first byte of the client comes to its replica.
async fn meet(
    mut stream: TcpStream,
    peer: SocketAddr,
    worker: &Rc<Worker>,
    timer: &Timer,
    record: &mut Record<'_>,
) -> Result<Ends, Error> {
    timer.arm(worker.settings.limits.head_timeout);
    // A peer that has left already has no address; then this is where it had connected to, at least.
    let local = stream.local_addr().unwrap_or_else(|_| SocketAddr::new(peer.ip(), record.port));
    let (mut source, mut destination) = (peer, local);
    if worker.settings.is_proxied(peer.ip())
        && let Header::For { source: from, destination: to } = proxy_protocol::admit(&mut stream, timer).await?
    {
        (source, destination) = (from, to);
        record.client = source.ip().to_canonical();
    }
    let mut early = Window::new(&worker.desks.buffers);
    let reads_hello = worker.published.load().ports().get(record.port).is_some_and(|port| port.reads_hello());
    let greeting = if reads_hello { hello::read(&mut stream, &mut early, timer).await? } else { None };
    early.settle();
    let protocols = greeting.as_ref().map(Greeting::protocols).unwrap_or_default();
    let hello = greeting.as_ref().map(|greeting| greeting.hello(&protocols));
    record.server_name = greeting.as_ref().map(|greeting| greeting.server_name.clone()).unwrap_or_default();
    let (replica, course) = Search::new(worker, &stream, timer, hello).replica(record).await?;
    let replica = Transport::Tcp(Tcp::new(replica));
    introduce(&replica, record, source, destination, timer).await?;
    let client = if course.ends_tls { return Err(Error::NoCertificate) } else { Transport::Tcp(Tcp::new(stream)) };
    Ok(Ends { client, replica, early, course })
}

/// Tells the replica who the client is, if its labels want that.
async fn introduce(
    replica: &Transport,
    record: &Record<'_>,
    source: SocketAddr,
    destination: SocketAddr,
    timer: &Timer,
) -> Result<(), Error> {
    let speech = record.lease.as_ref().map(|lease| lease.replica().speech());
    let Some(version) = speech.and_then(|speech| speech.proxy_header) else { return Ok(()) };
    let mut header = Vec::new();
    proxy_protocol::write(version, source, destination, &mut header);
    let written = timer.limit(crate::transport::write_all(replica, &mut [std::io::IoSlice::new(&header)])).await;
    written.map_err(|_| Error::ConnectTimeout)?.map_err(Error::Replica)
}
