//! How fast what happens in Docker reaches the request's way, with an engine that has ten thousand containers.
//!
//! Twice, because two things are large: the engine's list, and the service itself. The first answer is timed from outside,
//! on the program as it ships; the way from an event to the swapped snapshot is timed inside this process, where the swap
//! can be seen in the moment in which it happens.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, sleep, yield_now};
use std::time::{Duration, Instant};

use clap::Args;
use divisi_discovery::{Clues, EngineAddress, Settings, Tuning};
use divisi_model::{Published, Snapshot};
use divisi_testkit::engine::{FakeContainer, FakeEngine};
use tempfile::TempDir;

use crate::Result;
use crate::histogram::Histogram;
use crate::process::{Launch, Ports, Running};
use crate::{client, machine, report};

/// What cannot be waited for this long will not come.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many containers, how many events, and where to put the result.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Containers that the engine has.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=60_000))]
    containers: u32,
    /// Events of each kind.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    events: u32,
    /// The divisi to measure [default: the one built beside this program].
    #[arg(long)]
    divisi: Option<PathBuf>,
    /// The folder that takes the result.
    #[arg(long, default_value = "bench/results")]
    out: PathBuf,
}

/// An engine, which of its containers are the service's, and the origin that they all are.
#[derive(Debug)]
struct Stage {
    engine: FakeEngine,
    replicas: Vec<String>,
    listen: SocketAddr,
    dir: TempDir,
    _origin: Running,
}

/// What the program did from its start.
#[derive(Debug)]
struct Start {
    first_answer: Duration,
    peak_then_kib: u64,
    peak_later_kib: u64,
}

/// What discovery did, seen from inside.
#[derive(Debug)]
struct Inside {
    all_ready: Duration,
    leaving: Histogram,
    joining: Histogram,
}

/// Measures, prints and writes.
///
/// # Errors
/// When something does not happen at all.
pub(crate) fn run(options: &Options) -> Result<()> {
    let beside = std::env::current_exe()?.with_file_name("divisi");
    let divisi = options.divisi.as_ref().unwrap_or(&beside);
    let mut text = "# Discovery, with a large engine\n\n".to_owned();
    for (name, fact) in machine::facts() {
        text += &format!("- {name}: {fact}\n");
    }
    text += HEADER;
    let mut csv = "containers,replicas,figure,value\n".to_owned();
    let mut ports = Ports::new();
    for replicas in [10, options.containers] {
        let stage = Stage::set(options.containers, replicas, &mut ports)?;
        let start = stage.start_program(divisi)?;
        let inside = stage.watch_inside(options.events)?;
        let figures = figures(&start, &inside);
        for (name, value) in &figures {
            csv += &format!("{},{replicas},{name},{value:.1}\n", options.containers);
        }
        let cells: Vec<_> = figures.iter().map(|(_, value)| format!("{value:.1}")).collect();
        text += &format!("| {} | {replicas} | {} |\n", options.containers, cells.join(" | "));
        eprintln!("{replicas} replicas: done");
    }
    print!("{text}");
    report::write_out(&options.out, "discovery", &text, &csv)
}

const HEADER: &str = "
First answer: from the start of the program to the first 200 through it. Leaving and joining: from the moment in which the engine is
told to pause or unpause a replica to the swapped snapshot, in µs, the fake engine's own work included.

| containers | replicas | first answer ms | peak MiB then | peak MiB 3 s later | all ready ms | leaving p50 | p99 | max | joining p50 | p99 | max |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

fn figures(start: &Start, inside: &Inside) -> Vec<(&'static str, f64)> {
    let us = |histogram: &Histogram, share| histogram.quantile(share) as f64 / 1e3;
    vec![
        ("first_answer_ms", start.first_answer.as_secs_f64() * 1e3),
        ("peak_then_mib", start.peak_then_kib as f64 / 1024.0),
        ("peak_later_mib", start.peak_later_kib as f64 / 1024.0),
        ("all_ready_ms", inside.all_ready.as_secs_f64() * 1e3),
        ("leaving_p50_us", us(&inside.leaving, 0.5)),
        ("leaving_p99_us", us(&inside.leaving, 0.99)),
        ("leaving_max_us", us(&inside.leaving, 1.0)),
        ("joining_p50_us", us(&inside.joining, 0.5)),
        ("joining_p99_us", us(&inside.joining, 0.99)),
        ("joining_max_us", us(&inside.joining, 1.0)),
    ]
}

impl Stage {
    /// Every replica has an address of its own in 127.0.0.0/8, and one origin listens on all of them.
    fn set(containers: u32, replicas: u32, ports: &mut Ports) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("divisi-bench-").tempdir()?;
        let port = ports.next()?.port();
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let launch = Launch::new(std::env::current_exe()?, &format!("origin --listen {everywhere}"));
        let mut origin = Running::start(&launch, 1, &dir.path().join("origin.log"))?;
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        origin.wait(|| client::answers(here))?;

        let engine = FakeEngine::new();
        let mut ids = Vec::new();
        for number in 1..=containers {
            let project = if number <= replicas { "shop" } else { "other" };
            let ip = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 0).to_bits() + number);
            let container = FakeContainer::replica(project, "web", number);
            let network = format!("{project}_default");
            let id = engine.run_silently(container.network(&network, &ip.to_string()).port(port));
            if number <= replicas {
                ids.push(id);
            }
        }
        Ok(Self { engine, replicas: ids, listen: ports.next()?, dir, _origin: origin })
    }

    fn start_program(&self, divisi: &Path) -> Result<Start> {
        let args = format!("serve --listen {} --listen-tls off --workers 1 --service web --project shop", self.listen);
        let mut launch = Launch::new(divisi, &args);
        launch.env = vec![("DOCKER_HOST", self.engine.docker_host())];
        let started = Instant::now();
        let mut program = Running::start(&launch, 0, &self.dir.path().join("divisi.log"))?;
        program.wait(|| client::answers(self.listen))?;
        let (first_answer, peak_then_kib) = (started.elapsed(), program.peak_kib());
        sleep(Duration::from_secs(3));
        Ok(Start { first_answer, peak_then_kib, peak_later_kib: program.peak_kib() })
    }

    fn watch_inside(&self, events: u32) -> Result<Inside> {
        let settings = Settings {
            service: Some("web".to_owned()),
            project: Some("shop".to_owned()),
            engine: EngineAddress::from_parts(Some(&self.engine.docker_host()), None, None)?,
            // Wherever this runs, it is no container of the fake engine's.
            clues: Clues { mountinfo: PathBuf::from("/dev/null"), hostname: None },
            // A list in between would be measured as an event.
            tuning: Tuning { reconcile: Duration::from_secs(3600), ..Tuning::default() },
            ..Settings::default()
        };
        let published = Published::new(Snapshot::unrouted("nothing known yet"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let cell = Arc::clone(&published);
        let started = Instant::now();
        let watcher = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = divisi_discovery::run(settings, cell, divisi_discovery::inquiry().1) => {}
                    _ = stopped => {}
                }
            });
        });
        let measured = self.measure_events(&published, started, events);
        drop(stop);
        watcher.join().map_err(|_| "discovery has panicked")?;
        measured
    }

    fn measure_events(&self, published: &Published, started: Instant, events: u32) -> Result<Inside> {
        let all = self.replicas.len();
        until_ready(published, all)?;
        let all_ready = started.elapsed();
        self.let_settle();
        let (mut leaving, mut joining) = (Histogram::default(), Histogram::default());
        for id in self.replicas.iter().cycle().take(events as usize) {
            let began = Instant::now();
            self.engine.pause(id);
            until_ready(published, all - 1)?;
            leaving.record(nanos(began.elapsed()));

            let began = Instant::now();
            self.engine.unpause(id);
            until_ready(published, all)?;
            joining.record(nanos(began.elapsed()));
        }
        Ok(Inside { all_ready, leaving, joining })
    }

    /// Until the engine is asked nothing any more.
    fn let_settle(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut before = self.engine.calls();
        while Instant::now() < deadline {
            sleep(Duration::from_millis(500));
            let now = self.engine.calls();
            if now == before {
                return;
            }
            before = now;
        }
    }
}

/// Looks without pause: a sleep would be what is measured.
fn until_ready(published: &Published, count: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ready = published.load().route().map_or(0, |service| service.ready().len());
        if ready == count {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{ready} replicas are ready, not {count}, after {} s", PATIENCE.as_secs()).into());
        }
        yield_now();
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
