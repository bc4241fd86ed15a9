//! One worker: a thread with its own event loop, its own listening socket and its own connections to replicas.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::time::{Duration, SystemTime};

use divisi_http1::HeadLimits;
use divisi_model::{Moment, Published, Slot};
use divisi_tls::Vault;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::access_log::Journal;
use crate::clock::{Clock, TICK};
use crate::desk::Desks;
use crate::forward::lines::Lines;
use crate::http2::crew::Crew;
use crate::http2::said::Values;
use crate::listener::{self, Listeners};
use crate::lounge::{self, Lounge};
use crate::pool::Pool;
use crate::settings::Settings;
use crate::tally::Tally;
use crate::tcp::{Doors, Openings};

/// How many tasks have their turn before the kernel is asked for news. A few tens, which is the default, make fewer responses of HTTP/2
/// go in one write: 4 % of what a small one costs. So many turns are over in some milliseconds.
const IN_A_ROW: u32 = 512;

/// How many services are looked after at each tick.
const AT_A_TIME: usize = 512;

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) published: Arc<Published>,
    pub(crate) vault: Arc<Vault>,
    /// Client connections of all workers.
    pub(crate) connections: AtomicUsize,
    /// Lines of the access log that were lost.
    pub(crate) dropped_lines: Arc<AtomicU64>,
    /// The ports that labels have opened.
    pub(crate) doors: Doors,
    /// No new connections; those that there are finish what they do.
    pub(crate) stopping: AtomicBool,
    /// Those who wait for a replica are told that the program ends.
    pub(crate) closing: AtomicBool,
    /// Whoever still works is cut off.
    pub(crate) aborting: AtomicBool,
}

/// What one worker's connections share.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) settings: Settings,
    pub(crate) head_limits: HeadLimits,
    pub(crate) published: Arc<Published>,
    /// Which certificates there are, and how replicas inside TLS are spoken to.
    pub(crate) vault: Arc<Vault>,
    pub(crate) clock: Rc<Clock>,
    pub(crate) pool: Pool,
    pub(crate) lines: Lines,
    pub(crate) desks: Desks,
    pub(crate) crew: Crew,
    /// What responses of HTTP/2 say again and again.
    pub(crate) values: Values,
    pub(crate) lounge: Lounge,
    pub(crate) tally: Arc<Tally>,
    /// Where exchanges are logged, if they are.
    pub(crate) journal: Option<Journal>,
    /// Now, as an IMF-fixdate (RFC 9110 5.6.7), up to a second old.
    pub(crate) date: RefCell<String>,
    /// Told once, when the program is about to stop.
    pub(crate) stopping: Notify,
    /// This worker's client connections.
    pub(crate) connections: Cell<usize>,
}

/// Runs a worker until the program stops.
///
/// # Errors
/// The event loop cannot be set up.
pub(crate) fn run(
    shared: &Arc<Shared>,
    listeners: Listeners,
    tally: Arc<Tally>,
    journal: Option<Journal>,
) -> io::Result<()> {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.event_interval(IN_A_ROW).enable_io().enable_time().build_local(LocalOptions::default())?;
    let settings = shared.settings.clone();
    let worker = Rc::new(Worker {
        head_limits: HeadLimits { size: settings.limits.head_size, fields: settings.limits.fields },
        settings,
        published: Arc::clone(&shared.published),
        vault: Arc::clone(&shared.vault),
        clock: Clock::new(),
        pool: Pool::default(),
        lines: Lines::default(),
        desks: Desks::default(),
        crew: Crew::default(),
        values: Values::default(),
        lounge: Lounge::new()?,
        tally,
        journal,
        date: RefCell::new(now()),
        stopping: Notify::new(),
        connections: Cell::new(0),
    });
    runtime.block_on(async {
        for (listener, entrance) in listeners.open() {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::task::spawn_local(listener::accept(listener, entrance, Rc::clone(&worker), Arc::clone(shared)));
        }
        tokio::task::spawn_local(lounge::watch(Rc::clone(&worker)));
        tick(&worker, shared).await;
        Ok(())
    })
}

/// Moves the worker's clock until the program stops and the last connection has ended or is cut off.
async fn tick(worker: &Rc<Worker>, shared: &Arc<Shared>) {
    use std::sync::atomic::Ordering::Relaxed;

    let ticks_per_second = (Duration::from_secs(1).as_millis() / TICK.as_millis()) as u32;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looked_after = 0;
    let mut openings = Openings::default();
    for count in 0u32.. {
        ticks.tick().await;
        if shared.stopping.load(Relaxed) {
            worker.clock.stop();
            worker.stopping.notify_waiters();
            worker.lounge.close(lounge::AT_A_TIME, worker);
            if shared.closing.load(Relaxed) {
                worker.clock.close();
            }
            if worker.connections.get() == 0 || shared.aborting.load(Relaxed) {
                return;
            }
        }
        worker.clock.tick();
        openings.tick(worker, shared);
        looked_after = look_after(worker, looked_after);
        worker.tally.note_idle(worker.pool.len() + worker.lines.idle());
        worker.tally.note_resting(worker.lounge.len());
        worker.journal.iter().for_each(Journal::tick);
        if count.is_multiple_of(ticks_per_second) {
            worker.pool.sweep();
            worker.lines.sweep();
            worker.lounge.sweep(worker.settings.limits.idle_timeout.saturating_sub(lounge::SETTLE), worker);
            worker.date.replace(now());
            divisi_kernel::give_back_memory();
            worker.journal.iter().for_each(Journal::set_time);
        }
        if count.is_multiple_of(10 * ticks_per_second) {
            worker.desks.shrink();
            worker.crew.shrink();
        }
    }
}

/// Looks after the services from that slot on, as many as are looked after at a time; where to go on.
///
/// Ten thousand of them at every tick would be a tick's time on each worker, for what nobody is served by. So each tick has its
/// share, and all ten thousand have had their turn within the second in which their budgets want it. Those who wait are called
/// when a replica comes or an exchange ends; this is for the calls that came to nothing.
fn look_after(worker: &Worker, from: usize) -> usize {
    let (snapshot, now) = (worker.published.load(), Moment::now());
    let slots = snapshot.slots();
    let start = if from < slots { from } else { 0 };
    let end = slots.min(start + AT_A_TIME);
    (start..end).filter_map(|slot| snapshot.service(Slot(slot))).for_each(|service| service.tick(now));
    end
}

fn now() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}
