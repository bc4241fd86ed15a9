//! A port at which HTTP is served as well: what begins with TLS and asks for a name that a route of TCP has is passed on, and
//! everything else is HTTP, with what was read of it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use divisi_model::route::Route;
use divisi_model::tcp::{Connection, Port};
use tokio::net::TcpStream;

use super::hello::{self, Greeting};
use super::openings::Opening;
use super::passage::{self, Arrival};
use crate::clock::Timer;
use crate::connection;
use crate::desk::Window;
use crate::listener::Entrance;
use crate::transport::Tcp;
use crate::worker::Worker;

/// Serves a connection that came in where HTTP is served; `peer` is the client.
pub(crate) async fn share(stream: TcpStream, peer: SocketAddr, entrance: Entrance, worker: Rc<Worker>) {
    let mut window = Window::new(&worker.desks.buffers);
    let stream = match shared_port(&stream, &worker) {
        None => stream,
        // On the heap, as long as it takes: every connection would be larger by it.
        Some(port) => match Box::pin(sift(stream, &mut window, peer, &port, &worker)).await {
            Some(stream) => stream,
            None => return,
        },
    };
    connection::serve(Tcp::new(stream), window, peer, entrance, worker).await;
}

/// The port, if a route of TCP wants some of what comes there.
fn shared_port(stream: &TcpStream, worker: &Worker) -> Option<Arc<Port>> {
    let snapshot = worker.published.load();
    if snapshot.ports().is_empty() {
        return None;
    }
    let port = snapshot.ports().get(stream.local_addr().ok()?.port())?;
    port.reads_hello().then(|| Arc::clone(port))
}

/// Serves the connection if it is one of TCP; gives it back if it is not.
async fn sift(
    mut stream: TcpStream,
    window: &mut Window,
    peer: SocketAddr,
    port: &Port,
    worker: &Rc<Worker>,
) -> Option<TcpStream> {
    let timer = Timer::new(&worker.clock);
    timer.rest(worker.settings.limits.head_timeout);
    let greeting = match hello::read(&mut stream, window, &timer).await {
        Ok(Some(greeting)) => greeting,
        Ok(None) => return Some(stream),
        Err(error) => {
            tracing::debug!(%error, %peer, "a connection ended before it was known what it is");
            return None;
        }
    };
    let protocols = greeting.protocols();
    let asked = Connection { client: peer.ip().to_canonical(), hello: Some(greeting.hello(&protocols)) };
    match port.find(&asked) {
        Some(route) if !is_left_to_http(route, &greeting, worker) => {}
        _ => return Some(stream),
    }
    let destination = stream.local_addr().unwrap_or(peer);
    let early = std::mem::replace(window, Window::new(&worker.desks.buffers));
    let opening = Opening::new(port.number());
    let arrival = Arrival { stream, early, greeting: Some(greeting), source: peer, destination };
    passage::go_on(arrival, &opening, worker).await;
    None
}

/// A route for whatever name leaves those to HTTP for which there is a certificate here: so it is in Traefik, where a router
/// for a host comes before one of TCP for all.
fn is_left_to_http(route: &Route, greeting: &Greeting, worker: &Worker) -> bool {
    let name = std::str::from_utf8(&greeting.server_name).unwrap_or_default();
    route.text() == "All()" && worker.vault.load().own(name).is_some()
}
