//! The ports of one worker, opened and closed as snapshots come.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use divisi_model::Moment;
use divisi_model::tcp::{Port, Ports, Standing};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::passage;
use crate::clock::TICK;
use crate::listener::{self, Place};
use crate::worker::{Shared, Worker};

/// How often a port that cannot be listened at is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// The ports of one worker.
#[derive(Debug, Default)]
pub(crate) struct Openings {
    /// What was asked for when it was last looked at.
    asked: Option<Arc<Ports>>,
    open: BTreeMap<u16, Rc<Opening>>,
    /// Those that could not be opened, and when to try again.
    failed: BTreeMap<u16, Moment>,
}

/// A port that is listened at. Its connections hold it, too, for it may be closed before they have ended.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) port: u16,
    is_open: Cell<bool>,
    /// Nobody asks for the port any more: what still goes on there has the time that its service gives it.
    is_left: Cell<bool>,
    bell: Notify,
}

impl Openings {
    /// Opens what is asked for by now, and closes what is not. Called at every tick.
    pub(crate) fn tick(&mut self, worker: &Rc<Worker>, shared: &Arc<Shared>) {
        if worker.clock.is_stopping() {
            // What goes on there finishes like every exchange.
            std::mem::take(&mut self.open).values().for_each(|opening| opening.close(false));
            return;
        }
        let snapshot = worker.published.load();
        let (ports, now) = (snapshot.ports(), Moment::now());
        let is_same = self.asked.as_ref().is_some_and(|asked| Arc::ptr_eq(asked, ports));
        if is_same && self.failed.values().all(|again| *again > now) {
            return;
        }
        self.asked = Some(Arc::clone(ports));
        self.failed.retain(|port, _| ports.get(*port).is_some() || !leave(worker, *port));
        let is_wanted = |port: &u16| ports.get(*port).is_some();
        self.open.extract_if(.., |port, _| !is_wanted(port)).for_each(|(_, opening)| opening.close(true));
        for port in ports.iter() {
            let number = port.number();
            if shared.doors.is_own(number) {
                share(worker, port);
            } else if !self.open.contains_key(&number) && self.failed.get(&number).is_none_or(|again| *again <= now) {
                self.open(number, now, worker, shared);
            }
        }
    }

    fn open(&mut self, port: u16, now: Moment, worker: &Rc<Worker>, shared: &Arc<Shared>) {
        let listening = worker.published.listening();
        match shared.doors.open(port).and_then(TcpListener::from_std) {
            Ok(listener) => {
                self.failed.remove(&port);
                if listening.set(port, Standing::Open) {
                    tracing::info!("port {port} is open for TCP, as labels ask");
                }
                let opening = Rc::new(Opening::new(port));
                self.open.insert(port, Rc::clone(&opening));
                tokio::task::spawn_local(accept(listener, opening, Rc::clone(worker), Arc::clone(shared)));
            }
            Err(error) => {
                self.failed.insert(port, now + AGAIN);
                let why = why_not(port, &error);
                if listening.set(port, Standing::Failed(why.as_str().into())) {
                    tracing::warn!("{why}; trying again every {AGAIN:?}");
                }
            }
        }
    }
}

impl Opening {
    pub(super) fn new(port: u16) -> Self {
        Self { port, is_open: Cell::new(true), is_left: Cell::new(false), bell: Notify::new() }
    }

    fn close(&self, is_left: bool) {
        self.is_open.set(false);
        self.is_left.set(is_left);
        self.bell.notify_waiters();
    }

    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            let mut rung = pin!(self.bell.notified());
            // It is heard from now on; what came before is seen.
            rung.as_mut().enable();
            if is_so(self) {
                return;
            }
            rung.await;
        }
    }

    /// Waits until nobody asks for the port any more.
    pub(super) async fn left(&self) {
        self.until(|opening| opening.is_left.get()).await;
    }
}

/// Nobody asks any more for a port that could not be opened.
fn leave(worker: &Worker, port: u16) -> bool {
    worker.published.listening().set(port, Standing::Closed);
    true
}

/// A port at which HTTP is served has no socket of its own. What is not inside TLS cannot be told from HTTP there.
fn share(worker: &Worker, port: &Port) {
    let number = port.number();
    let standing = if port.takes_plain() {
        let why = format!(
            "port {number} is one at which divisi serves HTTP, so that only connections inside TLS can be told apart there: \
             write divisi.tcp.{number}.sni, or another port"
        );
        Standing::Failed(why.into())
    } else {
        Standing::Shared
    };
    let is_news = worker.published.listening().set(number, standing.clone());
    if let (true, Standing::Failed(why)) = (is_news, standing) {
        tracing::warn!("{why}");
    }
}

/// What keeps a port from being opened, and what to do about it.
fn why_not(port: u16, error: &io::Error) -> String {
    let what = match error.kind() {
        io::ErrorKind::AddrInUse => "; is there another program at it? Stop that, or give the label another port",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 want the capability NET_BIND_SERVICE: give the label a higher one, and publish that as \
             the lower one (ports: 443:8443)"
        }
        _ => "",
    };
    format!("cannot listen at port {port}, for which labels ask: {error}{what}")
}

/// Takes connections until the port is closed or the program stops, and then those that the kernel has taken already.
async fn accept(listener: TcpListener, opening: Rc<Opening>, worker: Rc<Worker>, shared: Arc<Shared>) {
    while opening.is_open.get() {
        if shared.connections.load(Ordering::Relaxed) >= worker.settings.limits.connections {
            // They wait in the kernel's queue until somebody leaves.
            sleep(TICK).await;
            continue;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => start(stream, peer, &opening, &worker, &shared),
                Err(error) if listener::is_about_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, port = opening.port, "cannot accept connections; trying again");
                    sleep(Duration::from_millis(100)).await;
                }
            },
            () = opening.until(|opening| !opening.is_open.get()) => {}
        }
    }
    while let Some(Ok((stream, peer))) = listener::waiting(&listener).await {
        start(stream, peer, &opening, &worker, &shared);
    }
    drop(listener);
    if shared.doors.close(opening.port) && worker.published.listening().set(opening.port, Standing::Closed) {
        tracing::info!("port {} is closed: nobody asks for it any more", opening.port);
    }
}

fn start(stream: TcpStream, peer: SocketAddr, opening: &Rc<Opening>, worker: &Rc<Worker>, shared: &Arc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "a client left before it was served");
        return;
    }
    let place = Place::take(worker, shared);
    let (opening, worker) = (Rc::clone(opening), Rc::clone(worker));
    tokio::task::spawn_local(async move {
        passage::walk(stream, peer, &opening, &worker).await;
        drop(place);
    });
}
