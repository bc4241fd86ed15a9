//! What a connection costs that rests: thousands of them, each after one request.
//!
//! ```text
//! start ─► 64 requests ─► resident memory ─► open, ask once, keep ─► rest ─► resident memory
//! ```
//!
//! What a proxy allocates for all at its start does not count, nor does the kernel's share, which is the same for everybody.
//! Clients are few at a time while connections are opened: else the memory of their handshakes would be measured, which
//! allocators do not give back.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::case::Wire;
use crate::client::{Client, Session};
use crate::peers::{Found, Peer, Site};
use crate::process::{Ports, Running, open_files, raise_open_files};
use crate::report::{self, median, quoted, spread};
use crate::run::{find, start_origin, start_proxy};
use crate::{Result, machine};

/// How many connections are opened at the same time.
const AT_ONCE: usize = 16;
/// What a proxy does for the first time it does for these, before its memory is looked at.
const BEFORE: usize = 64;

/// How many connections, of what kind, and where to put the result.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Connections that are open at the end.
    #[arg(long, default_value_t = 10_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    connections: usize,
    /// How often every proxy is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Seconds that connections rest before memory is looked at.
    #[arg(long, default_value_t = 5.0)]
    rest: f64,
    /// Only connections of these kinds.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Wire>,
    /// Only these proxies, in this order.
    #[arg(long, value_delimiter = ',')]
    proxies: Vec<Peer>,
    /// The divisi to measure [default: the one built beside this program].
    #[arg(long)]
    divisi: Option<PathBuf>,
    /// The folder that takes the result.
    #[arg(long, default_value = "bench/results")]
    out: PathBuf,
}

impl Options {
    /// What proxies have room for: nginx ends connections that rest when less than a sixteenth of its room is left.
    fn room(&self) -> usize {
        self.connections + self.connections / 4 + 500
    }
}

/// One proxy in one round of one kind of connection.
#[derive(Debug)]
struct Row {
    wire: Wire,
    peer: Peer,
    round: u8,
    /// What was measured, or why nothing was.
    outcome: Result<Memory, String>,
}

/// Resident memory of a proxy without and with connections that rest.
#[derive(Clone, Copy, Debug)]
struct Memory {
    before_kib: u64,
    after_kib: u64,
    connections: usize,
}

impl Memory {
    fn kib_per_connection(self) -> f64 {
        (self.after_kib as f64 - self.before_kib as f64) / self.connections as f64
    }
}

/// Everything that is the same for every measurement.
#[derive(Debug)]
struct Idle<'a> {
    options: &'a Options,
    dir: TempDir,
    ports: Ports,
    origin: SocketAddr,
}

/// Measures, prints and writes.
///
/// # Errors
/// When nothing can be measured, or the result not be written. A proxy that fails is part of the result.
pub(crate) fn run(options: &Options) -> Result<()> {
    raise_open_files()?;
    let needed = options.room();
    if open_files() < needed as u64 {
        let allowed = open_files();
        return Err(format!(
            "{needed} open files are needed and {allowed} allowed: raise the hard limit (`ulimit -Hn`)"
        )
        .into());
    }
    let dir = tempfile::Builder::new().prefix("divisi-bench-").tempdir()?;
    crate::tls::issue(dir.path())?;
    let mut found = find(options.divisi.as_ref(), &options.proxies, dir.path())?;
    // It keeps a connection to the replica for each of its client's, which no proxy does.
    found.proxies.retain(|found| found.peer != Peer::Relay);
    let mut ports = Ports::new();
    let origin = ports.next()?;
    let _replica = start_origin(origin, 1, dir.path())?;
    machine::stay_off_the_proxys_core()?;

    let wires = if options.only.is_empty() { Wire::value_variants() } else { &options.only };
    let mut idle = Idle { options, dir, ports, origin };
    let rows = idle.measure_all(wires, &found.proxies);
    let peers: Vec<_> = found.proxies.iter().map(|found| found.peer).collect();
    let tables: String = wires.iter().map(|&wire| table(&rows, wire, &peers)).collect();
    let text = heading(options) + &found.lines() + &tables;
    print!("{text}");
    report::write_out(&options.out, "idle", &text, &csv(&rows))
}

impl Idle<'_> {
    fn measure_all(&mut self, wires: &[Wire], proxies: &[Found]) -> Vec<Row> {
        let mut rows = Vec::new();
        for &wire in wires {
            for round in 1..=self.options.rounds {
                for found in proxies {
                    let outcome = self.measure(wire, found).map_err(|error| error.to_string().replace('\n', " "));
                    let row = Row { wire, peer: found.peer, round, outcome };
                    eprintln!("{}", row.csv());
                    rows.push(row);
                }
            }
        }
        rows
    }

    fn measure(&mut self, wire: Wire, found: &Found) -> Result<Memory> {
        let site = Site::new(wire, self.origin, self.options.room(), &mut self.ports, self.dir.path())?;
        let proxy = start_proxy(found, &site, 0)?;
        let client = Arc::new(Client::new(found.door(&site), wire, self.dir.path())?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.rest(&client, &proxy))
    }

    async fn rest(&self, client: &Arc<Client>, proxy: &Running) -> Result<Memory> {
        let rest = Duration::from_secs_f64(self.options.rest);
        drop(open(client, BEFORE).await?);
        sleep(rest).await;
        let before_kib = proxy.resident_kib()?;
        let mut sessions = open(client, self.options.connections).await?;
        sleep(rest).await;
        let after_kib = proxy.resident_kib()?;
        let mut ended = 0;
        for session in &mut sessions {
            ended += usize::from(session.has_ended().await);
        }
        if ended > 0 {
            return Err(format!("{ended} of {} connections were closed meanwhile", sessions.len()).into());
        }
        Ok(Memory { before_kib, after_kib, connections: sessions.len() })
    }
}

/// Opens connections and has one request answered on each.
async fn open(client: &Arc<Client>, connections: usize) -> Result<Vec<Session>> {
    let mut clients = JoinSet::new();
    for first in 0..AT_ONCE {
        let client = Arc::clone(client);
        clients.spawn(async move {
            let mut sessions = Vec::new();
            for number in (first..connections).step_by(AT_ONCE) {
                // Eight addresses: one has ports for 28,000 connections, of which the last proxy's may still hold many.
                let from = Ipv4Addr::new(127, 0, 0, 2 + (first % 8) as u8);
                let session = client.ask(from).await.map_err(|error| format!("connection {number}: {error}"))?;
                sessions.push(session);
            }
            Ok::<_, String>(sessions)
        });
    }
    let mut all = Vec::with_capacity(connections);
    while let Some(sessions) = clients.join_next().await {
        all.extend(sessions??);
    }
    Ok(all)
}

const CSV_HEADER: &str = "wire,proxy,round,connections,before_kib,after_kib,trouble";

impl Row {
    fn csv(&self) -> String {
        let figures = match &self.outcome {
            Ok(Memory { before_kib, after_kib, connections }) => format!("{connections},{before_kib},{after_kib},"),
            Err(error) => format!(",,,{}", quoted(error)),
        };
        format!("{},{},{},{figures}", self.wire.name(), self.peer.name(), self.round)
    }
}

fn csv(rows: &[Row]) -> String {
    let lines: String = rows.iter().map(|row| row.csv() + "\n").collect();
    format!("{CSV_HEADER}\n{lines}")
}

fn heading(options: &Options) -> String {
    let mut text = "# Connections that rest, divisi beside its peers\n\n".to_owned();
    for (name, fact) in machine::facts() {
        text += &format!("- {name}: {fact}\n");
    }
    let Options { connections, rounds, rest, .. } = options;
    text += &format!("- {connections} connections, each {rest} s after its one request at the least\n");
    text + &format!("- Medians of {rounds} interleaved rounds\n")
}

fn table(rows: &[Row], wire: Wire, peers: &[Peer]) -> String {
    let title = match wire {
        Wire::Http1 => "HTTP/1.1 in the clear",
        Wire::Https => "HTTP/1.1 inside TLS",
        Wire::H2c => "HTTP/2 in the clear",
        Wire::H2 => "HTTP/2 inside TLS",
    };
    let rows: Vec<_> = rows.iter().filter(|row| row.wire == wire).collect();
    let mut text = format!("\n## {}\n\n{title}\n\n", wire.name());
    text += "| proxy | KiB per connection | **to divisi** | lowest–highest | MiB without | MiB with them |\n";
    text += "|---|--:|--:|--:|--:|--:|\n";
    for &peer in peers {
        text += &line(&rows, peer);
    }
    for row in rows {
        if let Err(error) = &row.outcome {
            text += &format!("\n- {}, round {}: {error}", row.peer.name(), row.round);
        }
    }
    text + "\n"
}

fn line(rows: &[&Row], peer: Peer) -> String {
    let measured = |peer: Peer| {
        rows.iter().filter(move |row| row.peer == peer).filter_map(|row| Some((row.round, *row.outcome.as_ref().ok()?)))
    };
    let figure = |of: &dyn Fn(Memory) -> f64| median(measured(peer).map(|(_, memory)| of(memory)).collect());
    if measured(peer).next().is_none() {
        return format!("| {} | not measured | | | | |\n", peer.name());
    }
    let divisi = |round| measured(Peer::Divisi).find(|&(other, _)| other == round);
    let ratio =
        |(round, memory): (u8, Memory)| Some(memory.kib_per_connection() / divisi(round)?.1.kib_per_connection());
    let mut ratios: Vec<_> = measured(peer).filter_map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    let range = spread(&ratios);
    let ratio = if ratios.is_empty() { "–".to_owned() } else { format!("**{:.2}**", median(ratios)) };
    format!(
        "| {} | {:.2} | {ratio} | {range} | {:.1} | {:.1} |\n",
        peer.name(),
        figure(&Memory::kib_per_connection),
        figure(&|memory| memory.before_kib as f64 / 1024.0),
        figure(&|memory| memory.after_kib as f64 / 1024.0)
    )
}
