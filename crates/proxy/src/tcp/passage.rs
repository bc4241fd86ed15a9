//! The way of one connection, from the socket to the replica and back.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::rc::Rc;

use divisi_model::Moment;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::carry::carry;
use super::error::Error;
use super::hello;
use super::openings::Opening;
use super::record::Record;
use super::seal;
use super::search::{Course, Search};
use crate::clock::{Elapsed, Timer};
use crate::desk::Window;
use crate::hello::Greeting;
use crate::proxy_protocol::{self, Header};
use crate::transport::{Tcp, Transport, write_all};
use crate::worker::Worker;

/// A connection of which it is known how it begins.
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    /// What the client has said already.
    pub(super) early: Window,
    /// What that means, where it is TLS.
    pub(super) greeting: Option<Greeting>,
    /// Who connects, and where it had connected to, after what a trusted proxy says.
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
}

/// A connection to a client, and the one to its replica.
struct Ends {
    client: Transport,
    replica: Transport,
    early: Window,
    course: Course,
}

/// Serves a connection until both of its sides have ended it, or one has had enough.
pub(super) async fn walk(stream: TcpStream, peer: SocketAddr, opening: &Opening, worker: &Rc<Worker>) {
    let timer = Timer::new(&worker.clock);
    let mut record = Record::begin(worker, peer.ip(), opening.port);
    let met = async {
        let arrival = arrive(stream, peer, opening.port, worker, &timer).await?;
        reach(arrival, worker, &timer, &mut record).await
    };
    // On the heap, as long as it takes: what a connection holds while it rests should be small.
    let met = Box::pin(met).await;
    finish(met, opening, worker, &timer, record).await;
}

/// The same for one of which it is known how it begins.
pub(super) async fn go_on(arrival: Arrival, opening: &Opening, worker: &Rc<Worker>) {
    let timer = Timer::new(&worker.clock);
    let mut record = Record::begin(worker, arrival.source.ip(), opening.port);
    let met = Box::pin(reach(arrival, worker, &timer, &mut record)).await;
    finish(met, opening, worker, &timer, record).await;
}

async fn finish(met: Result<Ends, Error>, opening: &Opening, worker: &Worker, timer: &Timer, mut record: Record<'_>) {
    let passed = match met {
        Ok(ends) => pass(ends, opening, worker, timer, &record).await,
        Err(error) => Err(error),
    };
    if let Err(error) = passed {
        tracing::debug!(%error, client = %record.client, port = opening.port, "a connection ended");
        record.error = Some(error);
    }
}

/// Reads of a connection what says where it belongs, and no more.
async fn arrive(
    mut stream: TcpStream,
    peer: SocketAddr,
    port: u16,
    worker: &Worker,
    timer: &Timer,
) -> Result<Arrival, Error> {
    timer.arm(worker.settings.limits.head_timeout);
    // A peer that has left already has no address; then this is where it had connected to, at least.
    let local = stream.local_addr().unwrap_or_else(|_| SocketAddr::new(peer.ip(), port));
    let (mut source, mut destination) = (peer, local);
    if worker.settings.is_proxied(peer.ip())
        && let Header::For { source: from, destination: to } = proxy_protocol::admit(&mut stream, timer).await?
    {
        (source, destination) = (from, to);
    }
    let mut early = Window::new(&worker.desks.buffers);
    let reads_hello = worker.published.load().ports().get(port).is_some_and(|port| port.reads_hello());
    let greeting = if reads_hello { hello::read(&mut stream, &mut early, timer).await? } else { None };
    early.settle();
    Ok(Arrival { stream, early, greeting, source, destination })
}

/// Everything else before the first byte of the client comes to its replica.
async fn reach(arrival: Arrival, worker: &Worker, timer: &Timer, record: &mut Record<'_>) -> Result<Ends, Error> {
    let Arrival { stream, early, greeting, source, destination } = arrival;
    record.client = source.ip().to_canonical();
    let protocols: Vec<_> = greeting.iter().flat_map(Greeting::protocols).collect();
    let hello = greeting.as_ref().map(|greeting| greeting.hello(&protocols));
    record.server_name = hello.map_or_else(Box::default, |hello| hello.server_name.into());
    let (replica, course) = Search::new(worker, &stream, timer, hello).replica(record).await?;
    let replica = introduce(Tcp::new(replica), record, (source, destination), timer, worker).await?;
    let tcp = Tcp::new(stream);
    match greeting.filter(|_| course.ends_tls) {
        None => Ok(Ends { client: Transport::Tcp(tcp), replica, early, course }),
        Some(greeting) => {
            let client = seal::end(tcp, early, &greeting, timer, worker).await?;
            Ok(Ends { client, replica, early: Window::new(&worker.desks.buffers), course })
        }
    }
}

/// Tells the replica who the client is, and begins TLS with it, if its labels want that.
async fn introduce(
    tcp: Tcp,
    record: &Record<'_>,
    (source, destination): (SocketAddr, SocketAddr),
    timer: &Timer,
    worker: &Worker,
) -> Result<Transport, Error> {
    let transport = Transport::Tcp(tcp);
    let Some(lease) = &record.lease else { return Ok(transport) };
    let speech = lease.replica().speech();
    if let Some(version) = speech.proxy_header {
        let mut header = Vec::new();
        proxy_protocol::write(version, source, destination, &mut header);
        let written = timer.limit(write_all(&transport, &mut [IoSlice::new(&header)])).await;
        written.map_err(|Elapsed| Error::ConnectTimeout)?.map_err(Error::Replica)?;
    }
    match transport {
        Transport::Tcp(tcp) if speech.scheme.is_secure() => {
            seal::begin(tcp, lease.replica(), &record.server_name, timer, worker).await
        }
        transport => Ok(transport),
    }
}

async fn pass(ends: Ends, opening: &Opening, worker: &Worker, timer: &Timer, record: &Record<'_>) -> Result<(), Error> {
    let Ends { client, replica, early, course } = ends;
    timer.watch(record.lease.as_ref().map(|lease| lease.replica().clone()));
    let counts = (&record.received, &record.sent);
    let silence = worker.settings.limits.stream_timeout;
    let cut = async {
        opening.left().await;
        sleep(course.drain).await;
    };
    let carried = tokio::select! {
        carried = carry(&client, &replica, early, counts, timer, silence, &worker.desks.buffers) => carried,
        () = cut => Err(Error::PortClosed),
    };
    match carried {
        Ok(()) => Ok(()),
        Err(error) => {
            // What broke off is not to look complete to the other side.
            client.reset_on_close();
            replica.reset_on_close();
            let is_cut = record.lease.iter().any(|lease| lease.replica().is_cut(Moment::now()));
            Err(if matches!(error, Error::Silent) && is_cut { Error::CutOff } else { error })
        }
    }
}
