//! A fake Docker engine: the real protocol over a real socket, with containers that exist on paper only.
//!
//! It runs on a thread of its own. Containers may have addresses in 127.0.0.0/8, so that a listener on one port of
//! `0.0.0.0` accepts for all of them.

mod container;
mod server;
mod state;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

pub use container::FakeContainer;
use state::State;

/// How often each call was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// `GET /_ping`.
    pub pings: usize,
    /// `GET /version`.
    pub versions: usize,
    /// `GET /containers/json`.
    pub lists: usize,
    /// `GET /containers/{id}/json`.
    pub inspects: usize,
    /// `GET /events`.
    pub events: usize,
}

/// A fake engine on a socket of its own, until it is dropped.
#[derive(Debug)]
pub struct FakeEngine {
    dir: TempDir,
    state: Arc<Mutex<State>>,
    server: Option<Server>,
}

#[derive(Debug)]
struct Server {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Default for FakeEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeEngine {
    /// An engine without containers that answers at once.
    pub fn new() -> Self {
        let mut engine = Self::unreachable();
        engine.listen();
        engine
    }

    /// An engine whose socket does not exist until [`listen`](Self::listen).
    ///
    /// # Panics
    /// When there is no room for a temporary folder.
    pub fn unreachable() -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        Self { dir, state: Arc::default(), server: None }
    }

    /// The socket's path.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// The folder of the socket, for other files of the test.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// What to write into `DOCKER_HOST`.
    pub fn docker_host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Starts to listen.
    ///
    /// # Panics
    /// When the socket cannot be bound.
    pub fn listen(&mut self) {
        if self.server.is_some() {
            return;
        }
        let (stop, stopped) = oneshot::channel();
        let (state, socket) = (Arc::clone(&self.state), self.socket());
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || server::run(&socket, state, stopped, &ready));
        is_ready.recv().expect("the fake engine binds its socket");
        self.server = Some(Server { stop, thread });
    }

    /// Goes away: the socket is removed and every connection is cut. Containers stay as they are.
    pub fn go_away(&mut self) {
        if let Some(server) = self.server.take() {
            let _ = server.stop.send(());
            let _ = server.thread.join();
        }
        self.state().cut_events();
        let _ = std::fs::remove_file(self.socket());
    }

    /// Adds a container that is not started; says nothing. Returns its id.
    pub fn create(&self, container: FakeContainer) -> String {
        self.state().create(container)
    }

    /// Adds a container and starts it. Returns its id.
    pub fn run(&self, container: FakeContainer) -> String {
        let id = self.create(container);
        self.start(&id);
        id
    }

    /// Adds a running container without an event, as if it had always been there. Returns its id.
    pub fn run_silently(&self, container: FakeContainer) -> String {
        let id = self.create(container);
        self.change_silently(&id, FakeContainer::set_running);
        id
    }

    /// Starts a container.
    pub fn start(&self, id: &str) {
        self.change(id, "start", &json!({}), FakeContainer::set_running);
    }

    /// Sends a signal, which the container survives.
    pub fn signal(&self, id: &str, signal: u8) {
        self.change(id, "kill", &json!({ "signal": signal.to_string() }), |_| {});
    }

    /// The container's process ends.
    pub fn die(&self, id: &str) {
        self.change(id, "die", &json!({ "exitCode": "0" }), FakeContainer::set_ended);
    }

    /// `docker stop` of a container that ends at once.
    pub fn stop(&self, id: &str) {
        self.signal(id, 15);
        self.die(id);
        self.change(id, "stop", &json!({}), |_| {});
    }

    /// Removes a container.
    pub fn destroy(&self, id: &str) {
        self.change(id, "destroy", &json!({}), FakeContainer::set_ended);
        self.state().forget(id);
    }

    /// `docker pause`.
    pub fn pause(&self, id: &str) {
        self.change(id, "pause", &json!({}), |container| container.set_paused(true));
    }

    /// `docker unpause`.
    pub fn unpause(&self, id: &str) {
        self.change(id, "unpause", &json!({}), |container| container.set_paused(false));
    }

    /// The HEALTHCHECK comes to another result: `healthy`, `unhealthy` or `starting`.
    pub fn health(&self, id: &str, status: &str) {
        self.change(id, &format!("health_status: {status}"), &json!({}), |container| container.set_health(status));
    }

    /// `docker rename`.
    pub fn rename(&self, id: &str, name: &str) {
        let attributes = json!({ "oldName": "/before", "name": name });
        self.change(id, "rename", &attributes, |container| container.set_name(name));
    }

    /// `docker network connect`.
    pub fn connect(&self, id: &str, network: &str, ip: &str) {
        self.change_silently(id, |container| container.set_network(network, ip));
        self.state().network_event(id, network, "connect");
    }

    /// `docker network disconnect`.
    pub fn disconnect(&self, id: &str, network: &str) {
        self.change_silently(id, |container| container.leave_network(network));
        self.state().network_event(id, network, "disconnect");
    }

    /// From now on events are kept back, until [`release_events`](Self::release_events).
    pub fn hold_events(&self) {
        self.state().hold_events();
    }

    /// Sends what was kept back: `order` is given their count and returns the places of those to send, in that order. One
    /// that is named twice is sent twice, one that is not named is lost.
    pub fn release_events(&self, order: impl FnOnce(usize) -> Vec<usize>) {
        self.state().release_events(order);
    }

    /// Forgets what happened, as a daemon does that is restarted: nobody who subscribes later is told.
    pub fn forget_history(&self) {
        self.state().forget_history();
    }

    /// Changes a container and tells nobody: an event was lost.
    pub fn change_silently(&self, id: &str, change: impl FnOnce(&mut FakeContainer)) {
        self.state().change(id, change);
    }

    /// Removes a container and tells nobody.
    pub fn forget(&self, id: &str) {
        self.state().forget(id);
    }

    /// Sends bytes to every subscriber, well-formed or not.
    pub fn emit_raw(&self, bytes: impl Into<Vec<u8>>) {
        self.state().send(&bytes.into());
    }

    /// Sends one message to every subscriber.
    pub fn emit(&self, message: &Value) {
        self.emit_raw(format!("{message}\n"));
    }

    /// Ends every event stream.
    pub fn cut_events(&self) {
        self.state().cut_events();
    }

    /// From now on lists take this long.
    pub fn delay_lists(&self, delay: Duration) {
        self.state().list_delay = delay;
    }

    /// From now on lists are answered with status 500, or again as they should.
    pub fn fail_lists(&self, fail: bool) {
        self.state().fail_lists = fail;
    }

    /// From now on lists are answered with this instead, as if it were JSON.
    pub fn answer_lists_with(&self, body: Option<&str>) {
        self.state().list_body = body.map(str::to_owned);
    }

    /// From now on the head of an event stream is sent with its first event, as by some versions of Podman.
    pub fn send_heads_late(&self) {
        self.state().late_heads = true;
    }

    /// From now on calls are accepted and not answered, or again as they should. What hangs already stays so.
    pub fn hang(&self, hang: bool) {
        self.state().hangs = hang;
    }

    /// From now on inspections are answered with this instead, as if it were JSON.
    pub fn answer_inspects_with(&self, body: Option<&str>) {
        self.state().inspect_body = body.map(str::to_owned);
    }

    /// From now on calls to a version below 1.`minor` are refused, as Engine 29 does below 1.44.
    pub fn refuse_below(&self, minor: u32) {
        self.state().least_version = minor;
    }

    /// How often each call was made.
    pub fn calls(&self) -> Calls {
        self.state().calls
    }

    /// Event streams that are open now.
    pub fn subscribers(&self) -> usize {
        self.state().subscribers()
    }

    fn change(&self, id: &str, action: &str, attributes: &Value, change: impl FnOnce(&mut FakeContainer)) {
        let mut state = self.state();
        state.change(id, change);
        state.container_event(id, action, attributes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        self.go_away();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
