//! `divisi demo`: the proxy, replicas that come and go, and clients that notice nothing of it, in one process.

mod cast;
mod client;
mod screen;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use divisi_model::{Published, Snapshot};
use divisi_proxy::Running;
use divisi_tls::Vault;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::error;

use crate::log;
use crate::serve::{StartError, raise_open_files, runtime};
use crate::settings::Demo;
use crate::signals::Signals;
use cast::Cast;
use client::Outcome;
use screen::Screen;

/// Every so often a replica starts or stops.
const CHANGE: Duration = Duration::from_secs(2);

/// Every so often the state of things is told.
const TELL: Duration = Duration::from_millis(250);

/// How many clients ask at the same time.
const CLIENTS: usize = 8;

/// How long what is open at the end may take.
const END: Duration = Duration::from_secs(2);

/// Shows it until the time is over or a signal comes. Fails where a request failed, or none was answered.
pub(crate) fn run(settings: &Demo) -> ExitCode {
    log::start(&settings.log);
    raise_open_files();
    match runtime().map_err(StartError::Machine).and_then(|runtime| runtime.block_on(show(settings))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            error!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn show(settings: &Demo) -> Result<bool, StartError> {
    let signals = Signals::listen()?;
    let published = Published::new(Snapshot::unrouted("the demo has not started its replicas yet"));
    let mut cast = Cast::new(Arc::clone(&published));
    for _ in 0..settings.replicas {
        cast.enter().await?;
    }
    let running = start_proxy(settings, published)?;
    let addr = running.local_addr();
    let mut screen = Screen::new(addr, &cast);
    let (outcome, outcomes) = mpsc::channel(CLIENTS);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(client::ask(addr, outcome.clone()));
    }
    drop(outcome);
    play(settings, signals, outcomes, &mut cast, &mut screen).await?;
    // The outcomes have nobody to hear them any more, and at that the clients end.
    while clients.join_next().await.is_some() {}
    running.stop(END);
    Ok(screen.close())
}

fn start_proxy(settings: &Demo, published: Arc<Published>) -> Result<Running, StartError> {
    let listen = settings.listen.to_listen()?;
    let proxy = divisi_proxy::Settings { replica_header: true, ..divisi_proxy::Settings::at(listen) };
    Ok(divisi_proxy::start(proxy, published, Vault::new().map_err(io::Error::other)?, None)?)
}

async fn play(
    settings: &Demo,
    mut signals: Signals,
    mut outcomes: Receiver<Outcome>,
    cast: &mut Cast,
    screen: &mut Screen,
) -> io::Result<()> {
    let mut change = interval_at(Instant::now() + CHANGE, CHANGE);
    let mut tell = interval_at(Instant::now() + TELL, TELL);
    tell.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let end = tokio::time::sleep(Duration::from_secs(settings.seconds));
    tokio::pin!(end);
    let mut growing = false;
    loop {
        tokio::select! {
            Some(outcome) = outcomes.recv() => screen.count(outcome),
            _ = tell.tick() => screen.tell(cast),
            _ = change.tick() => {
                growing = if growing { cast.count() < settings.replicas.max(2) } else { cast.count() <= floor(settings) };
                screen.event(if growing { cast.enter().await? } else { cast.leave() }.as_deref());
            }
            () = &mut end, if settings.seconds > 0 => return Ok(()),
            _ = signals.next() => return Ok(()),
        }
    }
}

/// It goes down to half of the replicas and up again, and never to none.
fn floor(settings: &Demo) -> usize {
    (settings.replicas / 2).max(1)
}
