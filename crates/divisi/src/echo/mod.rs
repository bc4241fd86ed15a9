//! `divisi echo`: the demo replica. It behaves like real applications do: slow to start, slow to answer, deaf to
//! signals, out of order.

mod answer;
mod server;

use std::future;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;
use tracing::{error, info};

pub(crate) use answer::Answer;
pub(crate) use server::serve;

use crate::log;
use crate::serve::{raise_open_files, runtime};
use crate::settings::{Echo, OnTerm};
use crate::signals::Signals;

/// How long a graceful replica goes on as before when it is asked to end. Requests are on their way to it, from those who have
/// not yet heard of it. Were their connections closed at once, some would be lost, and nobody could say whether it acted on them.
const FAREWELL: Duration = Duration::from_millis(500);

/// Answers requests until a signal ends it, if any does.
pub(crate) fn run(settings: Echo) -> ExitCode {
    log::start(&settings.log);
    raise_open_files();
    match runtime().and_then(|runtime| runtime.block_on(until_signal(settings))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn until_signal(settings: Echo) -> io::Result<()> {
    let mut signals = Signals::listen()?;
    let on_term = settings.on_term;
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let serving = start(settings, async {
        // A sender that went away is a word, too.
        let _ = told.await;
    });
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended,
        signal = asked_to_end(&mut signals, on_term) => info!("{signal}: {on_term:?}"),
    }
    if on_term != OnTerm::Graceful {
        return Ok(());
    }
    tokio::select! {
        ended = &mut serving => return ended,
        () = tokio::time::sleep(FAREWELL) => {}
    }
    drop(tell);
    serving.await
}

async fn asked_to_end(signals: &mut Signals, on_term: OnTerm) -> &'static str {
    let signal = signals.next().await;
    if on_term == OnTerm::Ignore {
        info!("{signal}: ignored");
        // The signals stay caught, so nothing but SIGKILL ends this.
        future::pending::<()>().await;
    }
    signal
}

async fn start(settings: Echo, stop: impl Future<Output = ()>) -> io::Result<()> {
    tokio::pin!(stop);
    tokio::select! {
        () = &mut stop => return Ok(()),
        () = tokio::time::sleep(settings.startup_delay) => {}
    }
    let listener = TcpListener::bind(settings.listen.to_listen()?).await?;
    let name = settings.name.unwrap_or_else(host_name);
    info!("{name} listening on {}", listener.local_addr()?);
    serve(listener, Answer::new(name, settings.delay, settings.size).with(settings.fault), stop).await;
    Ok(())
}

/// A listener on a free port of this machine, for the demo.
pub(crate) async fn on_loopback() -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await
}

/// Docker gives each container its own, and so it tells replicas apart.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "echo".to_owned() } else { name.trim().to_owned() }
}
