//! `divisi serve`: wires discovery, snapshot and proxy together, and takes them apart again on a signal.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use divisi_certificates::Orders;
use divisi_console::{Console, GaugeReader, Gauges, Sources};
use divisi_labels::StickyKey;
use divisi_model::speech::Speech;
use divisi_model::{Card, Published, Readiness, Service, Snapshot, Spec};
use divisi_proxy::Running;
use divisi_tls::Vault;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tracing::{debug, error, info, warn};

use crate::log;
use crate::secure::{self, Prepared};
use crate::settings::{FixedReplica, HostPort, Routing, Serve, Upstream, strangers};
use crate::signals::Signals;
use crate::version::VERSION;

/// Why the program could not start.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    /// A name in the settings has no address.
    #[error("cannot find the address of {name}: {source}; {setting} names it")]
    Resolve {
        /// The name, with its port.
        name: HostPort,
        /// Where it is written.
        setting: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The machine gave no thread, event loop or signals.
    #[error("cannot start: {0}")]
    Machine(#[from] io::Error),
    /// The user wants TLS, and nobody can listen there.
    #[error("cannot listen for TLS at {addr}: {source}; name another address (--listen-tls), or off")]
    ListenTls {
        /// Where.
        addr: HostPort,
        /// Why.
        source: io::Error,
    },
    /// The authority that certificates are ordered from cannot be verified.
    #[error("--acme-roots {}: {source}", .path.display())]
    AcmeRoots {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: divisi_acme::RootsError,
    },
    /// The machine gives no random numbers, or something else that TLS needs.
    #[error("cannot prepare TLS: {0}")]
    Tls(#[from] divisi_tls::rustls::Error),
    /// The proxy could not start.
    #[error(transparent)]
    Proxy(#[from] divisi_proxy::StartError),
}

/// Serves until a signal comes.
pub(crate) fn run(settings: Serve) -> ExitCode {
    log::start(&settings.log);
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    strangers(names).iter().for_each(|line| warn!("{line}"));
    raise_open_files();
    let stop_timeout = settings.stop_timeout;
    let ended = runtime().map_err(StartError::Machine).and_then(|runtime| {
        let signals = runtime.block_on(async { Signals::listen() })?;
        let running = start(settings)?;
        Ok(runtime.block_on(until_signal(running, signals, stop_timeout)))
    });
    ended.unwrap_or_else(|problem| {
        error!("{problem}");
        ExitCode::FAILURE
    })
}

/// An event loop for one thread.
pub(crate) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Every connection costs two descriptors, and the soft limit is often 1024 where the hard one is far above.
pub(crate) fn raise_open_files() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => debug!("up to {limit} open files"),
        Err(problem) => warn!("cannot raise the limit of open files: {problem}"),
    }
}

fn start(settings: Serve) -> Result<Running, StartError> {
    let listen = settings
        .listen
        .to_listen()
        .map_err(|source| unresolved(&settings.listen, "--listen (DIVISI_LISTEN)", source))?;
    // Without affinity and quotas the machine's cores; one where even that cannot be known.
    let workers = settings.workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let (what, service, discovery) =
        first(settings.upstream, settings.spec, settings.routing, settings.sticky_key.unwrap_or_default())?;
    let published = Published::new(Snapshot::of(Arc::new(service)));
    if discovery.is_some() {
        published.engine().set_wanted();
    }
    let vault = Vault::new()?;
    let secure = secure::prepare(&settings.secure)?;
    let running = divisi_proxy::start(
        divisi_proxy::Settings {
            listen_tls: secure.listen,
            public_tls_port: settings.secure.public_port,
            workers,
            trust: settings.trust,
            proxy_protocol: settings.proxy_protocol,
            replica_header: settings.replica_header,
            limits: settings.limits,
            ..divisi_proxy::Settings::at(listen)
        },
        Arc::clone(&published),
        Arc::clone(&vault),
        settings.access_log.map(log::access),
    )?;
    let plural = if workers == 1 { "" } else { "s" };
    let tls = running.tls_addr().map(|addr| format!(", by TLS on {addr}")).unwrap_or_default();
    info!("divisi {VERSION} listening on {}{tls}, {workers} worker{plural}, {what}", running.local_addr());
    let console = settings.console.and_then(|addr| Some((open_console(&addr)?, addr.host().to_owned())));
    start_changes(discovery, published, secure, vault, console, gauges(&running))?;
    Ok(running)
}

/// What the request's way begins with: what to call it in the start line, its service, and who is to be asked for changes.
fn first(
    upstream: Upstream,
    spec: Spec,
    routing: Routing,
    sticky: StickyKey,
) -> Result<(String, Service, Option<divisi_discovery::Settings>), StartError> {
    match upstream {
        Upstream::Static { service, replicas } => {
            let service = fixed(&Service::new(service, spec), &replicas, &sticky)?;
            let plural = if service.known() == 1 { "" } else { "s" };
            let what = format!("service {:?} with {} fixed replica{plural}", service.name(), service.known());
            Ok((what, service, None))
        }
        Upstream::Engine { engine, service, project } => {
            let what = match &service {
                Some(service) => format!("service {service:?}"),
                None => "the only other service of its Compose project".to_owned(),
            };
            // Stands in until the engine is heard: who comes before that waits, as for any service without replicas.
            let unheard = Service::new(service.as_deref().unwrap_or("(not heard of yet)"), spec.clone());
            let Routing { reader, passed_over, local_hosts } = routing;
            let what_is_said = divisi_discovery::Settings { reader, passed_over, local_hosts, ..Default::default() };
            let asked = divisi_discovery::Settings { service, project, spec, sticky, engine, ..what_is_said };
            Ok((what, unheard, Some(asked)))
        }
    }
}

/// The service with replicas at fixed addresses, all of them ready.
fn fixed(service: &Service, replicas: &[FixedReplica], sticky: &StickyKey) -> Result<Service, StartError> {
    let mut found: Vec<(SocketAddr, Arc<Speech>)> = Vec::new();
    for replica in replicas {
        let (speech, flag) = (Arc::new(replica.speech()), "--replica (DIVISI_REPLICAS)");
        let addrs = replica.addr().resolve().map_err(|source| unresolved(replica.addr(), flag, source))?;
        found.extend(addrs.into_iter().map(|addr| (addr, Arc::clone(&speech))));
    }
    let name = service.name();
    let card = |number, speech| Card {
        // There is no project without Compose.
        token: sticky.token("", name, number),
        speech,
        ..Card::new(format!("{name}-{number}"), number)
    };
    let ready = |(number, (addr, speech))| service.replica(card(number, speech), addr, Readiness::Ready);
    let ready: Vec<_> = (1..).zip(found).map(ready).collect();
    let (known, numbers) = (ready.len(), ready.iter().map(|replica| replica.number()).collect());
    Ok(service.with_replicas(ready, known).with_expected(numbers))
}

fn unresolved(name: &HostPort, setting: &'static str, source: io::Error) -> StartError {
    StartError::Resolve { name: name.clone(), setting, source }
}

/// Nothing that is wrong with the console keeps anybody from being served.
fn open_console(addr: &HostPort) -> Option<Console> {
    let console = addr.to_listen().and_then(Console::bind);
    let warn = |problem: &io::Error| {
        warn!(
            "no console: cannot listen at {addr}: {problem}; requests are served without it. If another divisi has that \
             address, give one of them another --console (DIVISI_CONSOLE), or off"
        );
    };
    console.inspect(|console| info!("console at http://{}", console.local_addr())).inspect_err(warn).ok()
}

/// What the request's way counts of itself.
fn gauges(running: &Running) -> GaugeReader {
    let gauges = running.gauges();
    GaugeReader::new(move || {
        let totals = gauges.totals();
        Gauges {
            statuses: totals.statuses,
            broken: totals.broken,
            client_connections: Some(gauges.connections() as u64),
            client_resting_connections: Some(gauges.resting_connections() as u64),
            upstream_idle_connections: Some(gauges.idle_connections() as u64),
            upstream_connections: Some(totals.opened),
            access_log_dropped_lines: Some(gauges.dropped_lines()),
            received_bytes: Some(totals.received),
            sent_bytes: Some(totals.sent),
        }
    })
}

/// The change's way has a thread of its own, so that nothing it does can delay a request. Without an engine all that changes
/// is who is well. The console lives there, too.
fn start_changes(
    discovery: Option<divisi_discovery::Settings>,
    published: Arc<Published>,
    secure: Prepared,
    vault: Arc<Vault>,
    console: Option<(Console, String)>,
    gauges: GaugeReader,
) -> io::Result<()> {
    let runtime = runtime()?;
    let health = divisi_health::run(Arc::clone(&published), Arc::clone(&vault));
    let (inquirer, inquiries) = divisi_discovery::inquiry();
    let orders = Arc::new(Orders::default());
    let acme = order(secure.acme, &vault, &orders);
    let certificates =
        divisi_certificates::run(secure.certificates, Arc::clone(&published), Arc::clone(&vault), orders);
    let told = Arc::clone(&published);
    let console = async move {
        if let Some((console, name)) = console {
            console.serve(Sources { published: told, inquirer, vault, gauges, version: VERSION, name }).await;
        }
    };
    let discovery = async move {
        if let Some(asked) = discovery {
            divisi_discovery::run(asked, published, inquiries).await;
        }
    };
    let changes = async move {
        tokio::join!(discovery, health, certificates, acme, console);
    };
    thread::Builder::new().name("changes".to_owned()).spawn(move || runtime.block_on(changes)).map(drop)
}

/// Orders certificates, where that is wanted.
fn order(
    settings: Option<divisi_acme::Settings>,
    vault: &Arc<Vault>,
    orders: &Arc<Orders>,
) -> impl Future<Output = ()> + Send + 'static {
    let (vault, orders) = (Arc::clone(vault), Arc::clone(orders));
    async move {
        if let Some(settings) = settings {
            info!("certificates from {} for {}", settings.directory, settings.email);
            divisi_certificates::acme::run(settings, vault, orders, divisi_acme::Board::default()).await;
        }
    }
}

async fn until_signal(running: Running, mut signals: Signals, stop_timeout: Duration) -> ExitCode {
    let signal = signals.next().await;
    info!("{signal}: no more connections; open requests have {stop_timeout:?} to finish");
    let (tell, stopped) = oneshot::channel();
    // A plain thread and not one of the runtime, which would be waited for when the second signal says not to.
    thread::spawn(move || tell.send(running.stop(stop_timeout)));
    tokio::select! {
        all_finished = stopped => {
            match all_finished {
                Ok(true) => info!("stopped"),
                Ok(false) | Err(_) => warn!("stopped with requests unfinished after {stop_timeout:?}"),
            }
            ExitCode::SUCCESS
        }
        signal = signals.next() => {
            warn!("{signal} again: stopped at once");
            ExitCode::FAILURE
        }
    }
}
