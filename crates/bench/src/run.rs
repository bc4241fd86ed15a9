//! Goes through cases, rounds and proxies, and writes the result.
//!
//! Rounds are interleaved, A B C A B C: what drifts on a shared machine drifts under all alike. Every proxy is started anew
//! for each measurement, so its peak memory belongs to the case, and no measurement inherits another's connections.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::{Args, ValueEnum};
use tempfile::TempDir;

use crate::case::{CASES, Case, Wire};
use crate::measurement::Measurement;
use crate::peers::{Found, Peer, Site};
use crate::process::{Launch, Ports, Running, raise_open_files};
use crate::report::{self, Row, Sample};
use crate::{Error, Result, client, machine, tls};

/// For how many clients there is room: some more than the largest case has.
const ROOM: usize = 4096;

/// What to measure, how long, and where to put it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often every proxy is measured in every case.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Length of a measured window; below two, the kernel's tick shows where it counts by ticks.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Length of the load before a measured window.
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// Only these cases.
    #[arg(long, value_delimiter = ',', value_parser = Case::named)]
    only: Vec<&'static Case>,
    /// Only these proxies, in this order.
    #[arg(long, value_delimiter = ',')]
    proxies: Vec<Peer>,
    /// The divisi to measure [default: the one built beside this program].
    #[arg(long)]
    divisi: Option<PathBuf>,
    /// Cores of the proxy, the load and the origin [default: 0,1 and 2 where there is one, else 1].
    #[arg(long, value_delimiter = ',', num_args = 3)]
    cores: Vec<usize>,
    /// The folder that takes the result.
    #[arg(long, default_value = "bench/results")]
    out: PathBuf,
}

/// Everything that is the same for every measurement.
#[derive(Debug)]
struct Bench<'a> {
    options: &'a Options,
    cores: [usize; 3],
    dir: TempDir,
    ports: Ports,
    origin: SocketAddr,
    /// Who does not speak what, and why: asked once, not in every round.
    unable: HashMap<(Peer, Wire), String>,
}

/// Measures, prints and writes.
///
/// # Errors
/// When nothing can be measured, or the result not be written. A proxy that fails is part of the result.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cores = cores(&options.cores)?;
    let dir = tempfile::Builder::new().prefix("divisi-bench-").tempdir()?;
    tls::issue(dir.path())?;
    raise_open_files()?;
    let found = find(options.divisi.as_ref(), &options.proxies, dir.path())?;
    let cases = if options.only.is_empty() { CASES.iter().collect() } else { options.only.clone() };
    let mut ports = Ports::new();
    let origin = ports.next()?;
    let _replica = start_origin(origin, cores[2], dir.path())?;

    let mut bench = Bench { options, cores, dir, ports, origin, unable: HashMap::new() };
    let rows = bench.measure_all(&cases, &found.proxies);
    let peers: Vec<_> = found.proxies.iter().map(|found| found.peer).collect();
    let text = bench.heading(&found) + &report::tables(&rows, &cases, &peers);
    print!("{text}");
    report::write_out(&options.out, "http", &text, &report::csv(&rows))
}

/// What was found on this machine, and what not.
#[derive(Debug)]
pub(crate) struct Proxies {
    /// In the order in which they are measured.
    pub(crate) proxies: Vec<Found>,
    missing: Vec<String>,
}

/// Looks for the proxies that are wanted, all there are if none is named; `divisi` is the one beside us unless given.
///
/// # Errors
/// When there is none of them.
pub(crate) fn find(divisi: Option<&PathBuf>, wanted: &[Peer], dir: &Path) -> Result<Proxies> {
    let beside = std::env::current_exe()?.with_file_name("divisi");
    let divisi = divisi.unwrap_or(&beside);
    let wanted = if wanted.is_empty() { Peer::value_variants() } else { wanted };
    let (mut proxies, mut missing) = (Vec::new(), Vec::new());
    for peer in wanted {
        match peer.find(divisi, dir) {
            Ok(found) => proxies.push(found),
            Err(error) => missing.push(format!("{}: {error}", peer.name())),
        }
    }
    missing.iter().for_each(|line| eprintln!("skipped {line}"));
    if proxies.is_empty() { Err("no proxy to measure".into()) } else { Ok(Proxies { proxies, missing }) }
}

impl Proxies {
    /// Their versions and who is missing, as lines of a result's heading.
    pub(crate) fn lines(&self) -> String {
        let versions = self.proxies.iter().map(|proxy| format!("- {}: {}\n", proxy.peer.name(), proxy.version));
        versions.chain(self.missing.iter().map(|line| format!("- not measured: {line}\n"))).collect()
    }
}

/// Starts the replica behind every proxy.
///
/// # Errors
/// When it does not come up.
pub(crate) fn start_origin(listen: SocketAddr, core: usize, dir: &Path) -> Result<Running> {
    let launch = Launch::new(std::env::current_exe()?, &format!("origin --listen {listen}"));
    let mut origin = Running::start(&launch, core, &dir.join("origin.log"))?;
    origin.wait(|| client::answers(listen))?;
    Ok(origin)
}

/// Starts a proxy and waits until it answers as the site's clients will ask.
///
/// # Errors
/// When it does not come up, or does not speak what it should.
pub(crate) fn start_proxy(found: &Found, site: &Site<'_>, core: usize) -> Result<Running> {
    let log = site.dir.join(format!("{}.log", found.peer.name()));
    let mut proxy = Running::start(&found.launch(site)?, core, &log)?;
    let door = found.door(site);
    proxy.wait(|| match site.wire {
        Wire::Http1 => client::answers(door),
        wire => client::probe(door, wire, site.dir),
    })?;
    Ok(proxy)
}

/// The cores of proxy, load and origin.
fn cores(chosen: &[usize]) -> Result<[usize; 3]> {
    match (chosen, machine::cores()) {
        (&[proxy, load, origin], _) => Ok([proxy, load, origin]),
        (_, 0 | 1) => Err("two cores are needed: one for the proxy alone".into()),
        (_, 2) => Ok([0, 1, 1]),
        _ => Ok([0, 1, 2]),
    }
}

impl Bench<'_> {
    fn measure_all(&mut self, cases: &[&'static Case], proxies: &[Found]) -> Vec<Row> {
        let mut rows = Vec::new();
        for &case in cases {
            for round in 1..=usize::from(self.options.rounds) {
                for found in proxies.iter().filter(|found| found.peer.understands(case.wire)) {
                    let outcome = self.measure(case, found).map_err(|error: Error| error.to_string());
                    eprintln!("{} round {round} {}: {}", case.name, found.peer.name(), in_short(&outcome));
                    rows.push(Row { case, peer: found.peer, round, outcome });
                }
            }
        }
        rows
    }

    fn measure(&mut self, case: &Case, found: &Found) -> Result<Sample> {
        if let Some(reason) = self.unable.get(&(found.peer, case.wire)) {
            return Err(reason.clone().into());
        }
        let [proxy_core, load_core, _] = self.cores;
        let dir = self.dir.path();
        let site = Site::new(case.wire, self.origin, ROOM, &mut self.ports, dir)?;
        let proxy = start_proxy(found, &site, proxy_core).inspect_err(|error| {
            self.unable.insert((found.peer, case.wire), error.to_string());
        })?;

        let family: Vec<_> = proxy.family().iter().map(u32::to_string).collect();
        let Options { warmup, seconds, .. } = self.options;
        let args = format!(
            "load --to {} --case {} --warmup {warmup} --seconds {seconds} --cpu-of {} --dir {}",
            found.door(&site),
            case.name,
            family.join(","),
            dir.display()
        );
        let mut load = Launch::new(std::env::current_exe()?, &args).pinned(load_core);
        let output = load.stderr(Stdio::piped()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().into());
        }
        let measurement: Measurement = String::from_utf8(output.stdout)?.parse()?;
        if measurement.requests == 0 {
            return Err(format!("{} errors, no answer: {}", measurement.errors, measurement.first_error).into());
        }
        Ok(Sample { measurement, peak_kib: proxy.peak_kib() })
    }

    fn heading(&self, found: &Proxies) -> String {
        let [proxy, load, origin] = self.cores;
        let Options { rounds, seconds, warmup, .. } = self.options;
        let mut text = "# HTTP and HTTPS, divisi beside its peers\n\n".to_owned();
        for (name, fact) in machine::facts() {
            text += &format!("- {name}: {fact}\n");
        }
        text += &format!("- Cores: proxy {proxy}, load {load}, origin {origin}\n");
        text += &format!("- Medians of {rounds} interleaved rounds, {seconds} s each after {warmup} s of warm-up\n");
        text + &found.lines()
    }
}

fn in_short(outcome: &Result<Sample, String>) -> String {
    match outcome {
        Ok(Sample { measurement, .. }) => format!(
            "{:.0} requests/s, {:.1} CPU µs/request, {} errors",
            measurement.requests_per_second(),
            measurement.cpu_us_per_request(),
            measurement.errors
        ),
        Err(error) => error.clone(),
    }
}
