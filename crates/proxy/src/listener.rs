//! Where clients connect: one listening socket per worker, and the bound on connections.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::clock::{TICK, Timer};
use crate::connection;
use crate::desk::Window;
use crate::proxy_protocol;
use crate::tcp;
use crate::transport::Tcp;
use crate::worker::{Shared, Worker};

/// Connections that the kernel keeps for us while we are busy.
const BACKLOG: i32 = 4096;

/// Fails where somebody listens at `addr` already. Sockets that share a port would not notice: two programs by the same user
/// would each get half of the connections.
pub(crate) fn ensure_free(addr: SocketAddr) -> io::Result<()> {
    socket(addr, false).map(drop)
}

/// The listening sockets of one worker.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) plain: TcpListener,
    /// Where TLS is expected, if it is spoken.
    pub(crate) secure: Option<TcpListener>,
}

impl Listeners {
    /// Each with what is expected there.
    pub(crate) fn open(self) -> impl Iterator<Item = (TcpListener, Entrance)> {
        let secure = self.secure.map(|secure| (secure, Entrance::Secure));
        [(self.plain, Entrance::Plain)].into_iter().chain(secure)
    }
}

/// What is expected of connections that come in by a listening socket. Their first bytes say what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    Plain,
    /// Who speaks without TLS is sent into it, on the same port.
    Secure,
}

/// Listens at one address with so many sockets, over which the kernel spreads connections; port 0 becomes the same real one for
/// all of them.
pub(crate) fn bind(addr: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    ensure_free(addr)?;
    let first = listen(addr)?;
    let addr = first.local_addr()?;
    let mut all = vec![first];
    for _ in 1..count {
        all.push(listen(addr)?);
    }
    Ok((addr, all))
}

pub(crate) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(addr, true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(addr: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    if addr.is_ipv6() {
        // `[::]` means every address there is.
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// Takes connections until the program stops, and then those that the kernel has taken already.
pub(crate) async fn accept(
    listener: tokio::net::TcpListener,
    entrance: Entrance,
    worker: Rc<Worker>,
    shared: Arc<Shared>,
) {
    let mut stopping = pin!(worker.stopping.notified());
    while !worker.clock.is_stopping() {
        if shared.connections.load(Ordering::Relaxed) >= worker.settings.limits.connections {
            // They wait in the kernel's queue until somebody leaves.
            sleep(TICK).await;
            continue;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => start(stream, peer, entrance, &worker, &shared),
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections; trying again");
                    sleep(Duration::from_millis(100)).await;
                }
            },
            () = &mut stopping => {}
        }
    }
    while let Some(Ok((stream, peer))) = waiting(&listener).await {
        start(stream, peer, entrance, &worker, &shared);
    }
}

/// A connection that waits already, if there is one.
pub(crate) async fn waiting(listener: &tokio::net::TcpListener) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    poll_fn(|context| match listener.poll_accept(context) {
        Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn start(stream: TcpStream, peer: SocketAddr, entrance: Entrance, worker: &Rc<Worker>, shared: &Arc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "a client left before it was served");
        return;
    }
    let place = Place::take(worker, shared);
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        let is_plain = !worker.settings.is_proxied(peer.ip()) && !tcp::is_shared(&stream, &worker);
        let window = Window::new(&worker.desks.buffers);
        let received = match is_plain {
            true => Some((stream, window, peer)),
            // On the heap, as long as it takes: every connection would be larger by it.
            false => Box::pin(receive(stream, window, peer, &worker)).await,
        };
        let Some((stream, window, client)) = received else { return };
        connection::serve(Tcp::new(stream), window, client, entrance, place, worker).await;
    });
}

/// The connection with what was read of it and the client's address: the peer's own, or by its word that of another, if it is to
/// say. None where it says nothing of that kind, or is one of TCP and was served as such.
async fn receive(
    mut stream: TcpStream,
    window: Window,
    peer: SocketAddr,
    worker: &Rc<Worker>,
) -> Option<(TcpStream, Window, SocketAddr)> {
    let mut client = peer;
    if worker.settings.is_proxied(peer.ip()) {
        let timer = Timer::new(&worker.clock);
        timer.rest(worker.settings.limits.head_timeout);
        match proxy_protocol::admit(&mut stream, &timer).await {
            Ok(header) => client = header.client(peer),
            Err(error) => {
                tracing::debug!(%error, %peer, "a connection was refused");
                worker.published.listening().count_refused();
                return None;
            }
        }
    }
    let (stream, window) = tcp::sift(stream, window, client, worker).await?;
    Some((stream, window, client))
}

/// The connection failed and not the listening socket (accept(2): errors already pending on the new socket).
pub(crate) fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// A connection's place among those that are allowed; free again when dropped.
pub(crate) struct Place {
    worker: Rc<Worker>,
    shared: Arc<Shared>,
}

impl Place {
    pub(crate) fn take(worker: &Rc<Worker>, shared: &Arc<Shared>) -> Self {
        worker.connections.set(worker.connections.get() + 1);
        shared.connections.fetch_add(1, Ordering::Relaxed);
        Self { worker: Rc::clone(worker), shared: Arc::clone(shared) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.worker.connections.set(self.worker.connections.get() - 1);
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
