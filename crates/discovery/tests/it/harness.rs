//! Discovery on a thread of its own, a port that listens when it is told to, and ways to look at what is published.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use divisi_discovery::{Clues, EngineAddress, Settings, Tuning};
use divisi_model::{Published, Replica, Snapshot};
use divisi_testkit::engine::{FakeContainer, FakeEngine};
pub(crate) use divisi_testkit::wait::until;
use divisi_testkit::wait::{PATIENCE, within};
use socket2::{Domain, Socket, Type};
use tokio::sync::oneshot;

/// What is published before discovery has said anything.
const NOT_YET: &str = "not yet";
const OWN_ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A discovery that runs until it is dropped.
pub(crate) struct Discovery {
    pub(crate) published: Arc<Published>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Discovery {
    pub(crate) fn start(settings: Settings) -> Self {
        let published = Published::new(Snapshot::unrouted(NOT_YET));
        let (stop, stopped) = oneshot::channel();
        let cell = Arc::clone(&published);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = divisi_discovery::run(settings, cell, divisi_discovery::inquiry().1) => {}
                }
            });
        });
        Self { published, running: Some((stop, thread)) }
    }

    /// The ready replicas, in order.
    pub(crate) fn ready(&self) -> Vec<Arc<Replica>> {
        self.published.load().route().map(|service| service.ready().to_vec()).unwrap_or_default()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.ready().iter().map(|replica| replica.name().to_owned()).collect()
    }

    /// Why nothing is routed; empty when something is.
    pub(crate) fn reason(&self) -> String {
        self.published.load().route().err().map(|unrouted| unrouted.reason.clone()).unwrap_or_default()
    }

    /// How many replicas the service has; only when none is ready.
    pub(crate) fn known(&self) -> Option<usize> {
        let snapshot = self.published.load();
        let service = snapshot.route().ok()?;
        service.ready().is_empty().then(|| service.known())
    }

    pub(crate) fn until_ready(&self, names: &[&str]) {
        until(&format!("{names:?} are ready"), || self.names() == names);
    }

    pub(crate) fn until_reason(&self, part: &str) {
        let mut reason = String::new();
        let has_it = within(PATIENCE, || {
            reason = self.reason();
            reason.contains(part)
        });
        assert!(has_it, "the reason has no {part:?}: {reason}");
    }

    pub(crate) fn until_known(&self, count: usize) {
        until(&format!("{count} are known and none is ready"), || self.known() == Some(count));
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            let _ = stop.send(());
            thread.join().expect("discovery does not panic");
        }
    }
}

/// A port on every address of 127.0.0.0/8, which refuses connections until [`listen`](Self::listen).
pub(crate) struct Port(Socket);

impl Port {
    pub(crate) fn closed() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into()).expect("a free port");
        Self(socket)
    }

    pub(crate) fn open() -> Self {
        let port = Self::closed();
        port.listen();
        port
    }

    pub(crate) fn listen(&self) {
        // Nobody accepts: the queue has room for what a test needs.
        self.0.listen(4096).expect("it listens");
    }

    /// Refuses connections for good: Linux gives the port free as well.
    pub(crate) fn refuse(&self) {
        self.0.shutdown(std::net::Shutdown::Both).expect("it was listening");
    }

    /// Listens, and takes every connection until the test program ends.
    pub(crate) fn accept_for_ever(&self) {
        self.listen();
        let socket = self.0.try_clone().expect("a second handle");
        std::thread::spawn(move || while socket.accept().is_ok() {});
    }

    pub(crate) fn number(&self) -> u16 {
        self.0.local_addr().expect("bound").as_socket().expect("IPv4").port()
    }
}

/// Settings outside of any container, with nothing named and short waits.
pub(crate) fn settings(engine: &FakeEngine) -> Settings {
    Settings {
        engine: EngineAddress::from_parts(Some(&engine.docker_host()), None, None).expect("an address"),
        clues: Clues { mountinfo: PathBuf::from("/nowhere"), hostname: None },
        tuning: Tuning {
            list_pause: Duration::from_millis(20),
            backoff_first: Duration::from_millis(5),
            backoff_most: Duration::from_millis(50),
            ..Tuning::default()
        },
        ..Settings::default()
    }
}

/// Settings that name service `web` of project `shop`.
pub(crate) fn web(engine: &FakeEngine) -> Settings {
    Settings { service: Some("web".to_owned()), project: Some("shop".to_owned()), ..settings(engine) }
}

/// The same, with a reconcile that soon finds what no event told.
pub(crate) fn web_reconciled(engine: &FakeEngine) -> Settings {
    let mut settings = web(engine);
    settings.tuning.reconcile = Duration::from_millis(20);
    settings
}

/// Settings of a divisi that runs in `own`, which is started.
pub(crate) fn inside(engine: &FakeEngine, own: FakeContainer) -> Settings {
    engine.run_silently(own.id(OWN_ID));
    let mountinfo = engine.folder().join("mountinfo");
    let line = format!("7 6 0:1 /var/lib/docker/containers/{OWN_ID}/hosts /etc/hosts rw - ext4 /dev/vda rw\n");
    std::fs::write(&mountinfo, line).expect("written");
    Settings { clues: Clues { mountinfo, hostname: None }, ..settings(engine) }
}

/// The id of the container that [`inside`] runs in.
pub(crate) fn own_id() -> &'static str {
    OWN_ID
}

/// Replica `number` of service `web` in project `shop`, at an address of its own.
pub(crate) fn replica(number: u32, port: u16) -> FakeContainer {
    let [_, _, high, low] = number.to_be_bytes();
    let ip = Ipv4Addr::new(127, 1, high, low).to_string();
    FakeContainer::replica("shop", "web", number).network("shop_default", &ip).port(port)
}
