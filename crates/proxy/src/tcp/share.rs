//! A port at which HTTP is served as well: what begins with TLS and asks for a name that a route of TCP has is passed on, and
//! everything else is HTTP, with what was read of it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use divisi_model::route::Route;
use divisi_model::tcp::{Connection, Port};
use divisi_tls::{Choice, Speaks};
use tokio::net::TcpStream;

use super::hello;
use super::openings::Opening;
use super::passage::{self, Arrival};
use crate::clock::Timer;
use crate::desk::Window;
use crate::hello::Greeting;
use crate::worker::Worker;

/// Whether a route of TCP wants some of what comes to the port of that connection.
pub(crate) fn is_shared(stream: &TcpStream, worker: &Worker) -> bool {
    shared_port(stream, worker).is_some()
}

fn shared_port(stream: &TcpStream, worker: &Worker) -> Option<Arc<Port>> {
    let snapshot = worker.published.load();
    if snapshot.ports().is_empty() {
        return None;
    }
    let port = snapshot.ports().get(stream.local_addr().ok()?.port())?;
    port.reads_hello().then(|| Arc::clone(port))
}

/// Serves the connection of a client if it is one of TCP; gives it back with what was read of it if it is not.
pub(crate) async fn sift(
    mut stream: TcpStream,
    mut window: Window,
    client: SocketAddr,
    worker: &Rc<Worker>,
) -> Option<(TcpStream, Window)> {
    let Some(port) = shared_port(&stream, worker) else { return Some((stream, window)) };
    let timer = Timer::new(&worker.clock);
    timer.rest(worker.settings.limits.head_timeout);
    let greeting = match hello::read(&mut stream, &mut window, &timer).await {
        Ok(Some(greeting)) => greeting,
        Ok(None) => return Some((stream, window)),
        Err(error) => {
            tracing::debug!(%error, %client, "a connection ended before it was known what it is");
            return None;
        }
    };
    let protocols: Vec<_> = greeting.protocols().collect();
    let asked = Connection { client: client.ip().to_canonical(), hello: Some(greeting.hello(&protocols)) };
    match port.find(&asked) {
        Some(route) if !is_left_to_http(route, &greeting, worker) => {}
        _ => return Some((stream, window)),
    }
    let destination = stream.local_addr().unwrap_or(client);
    let opening = Opening::new(port.number());
    drop(protocols);
    let arrival = Arrival { stream, early: window, greeting: Some(greeting), source: client, destination };
    passage::go_on(arrival, &opening, worker).await;
    None
}

/// A route for whatever name leaves those to HTTP for which there is a certificate here: so it is in Traefik, where a router
/// for a host comes before one of TCP for all. And every route leaves whoever looks for what divisi shows to an ACME authority
/// (RFC 8737 3), which has asked for a name of that route perhaps: a replica knows nothing of that.
fn is_left_to_http(route: &Route, greeting: &Greeting, worker: &Worker) -> bool {
    let name = greeting.server_name.as_deref();
    let is_certified = || worker.vault.load().own(name.unwrap_or_default()).is_some();
    let choice = || worker.vault.choose(name, greeting.protocols(), Speaks::Stream);
    (route.text() == "All()" && is_certified()) || matches!(choice(), Choice::Challenge(_))
}
