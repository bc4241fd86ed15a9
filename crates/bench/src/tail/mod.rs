//! What one slow replica among ten does to the slowest requests, by policy.
//!
//! ```text
//! load, at a steady rate ──► divisi, one policy after the other ──► ten replicas, one of them 20 times slower
//! ```
//!
//! The rate is far below what any of them can take: nothing here is about throughput. What is measured is whom the policy
//! sends requests to, and what that costs those who wait.

mod load;
mod replica;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::histogram::Histogram;
use crate::process::{Launch, Ports, Running};
use crate::report::median;
use crate::{Result, client, machine, report};
use load::{Outcome, Plan};

/// How many replicas there are; the first is the slow one.
const REPLICAS: usize = 10;

/// How slow, how many, how long, and where to put the result.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The policies to measure, as divisi calls them.
    #[arg(long, value_delimiter = ',', default_values = ["p2c", "least-requests", "round-robin"])]
    policies: Vec<String>,
    /// How often every policy is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Length of a measured window.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Length of the load before a measured window; below ten, replicas still count as fresh.
    #[arg(long, default_value_t = 12)]
    warmup: u64,
    /// Requests per second.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// How many milliseconds a replica takes to answer.
    #[arg(long, default_value_t = 5)]
    delay: u32,
    /// How many times slower the slow one is.
    #[arg(long, default_value_t = 20)]
    slower: u32,
    /// The divisi to measure [default: the one built beside this program].
    #[arg(long)]
    divisi: Option<PathBuf>,
    /// The folder that takes the result.
    #[arg(long, default_value = "bench/results")]
    out: PathBuf,
}

/// One policy in one round.
#[derive(Debug)]
struct Row {
    policy: String,
    round: u8,
    requests: usize,
    slow_percent: f64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    errors: usize,
}

/// Measures, prints and writes.
///
/// # Errors
/// When something cannot be started, or the result not be written.
pub(crate) fn run(options: &Options) -> Result<()> {
    let beside = std::env::current_exe()?.with_file_name("divisi");
    let divisi = options.divisi.as_ref().unwrap_or(&beside);
    machine::stay_off_the_proxys_core()?;
    let delay = Duration::from_millis(options.delay.into());
    let replicas: Vec<SocketAddr> = (0..REPLICAS)
        .map(|number| replica::start(number, if number == 0 { delay * options.slower } else { delay }))
        .collect::<std::io::Result<_>>()?;
    let dir = tempfile::Builder::new().prefix("divisi-bench-").tempdir()?;
    let mut ports = Ports::new();
    let mut rows = Vec::new();
    // Interleaved, so that what drifts on a shared machine drifts under all alike.
    for round in 1..=options.rounds {
        for policy in &options.policies {
            let outcome = measure(options, divisi, policy, &replicas, ports.next()?, dir.path())?;
            let row = Row::new(policy, round, &outcome);
            eprintln!("round {round} {}", row.csv());
            rows.push(row);
        }
    }
    let text = heading(options, divisi) + &table(&rows, &options.policies);
    print!("{text}");
    let csv: String = rows.iter().map(|row| row.csv() + "\n").collect();
    report::write_out(&options.out, "tail", &text, &format!("{CSV_HEADER}\n{csv}"))
}

fn measure(
    options: &Options,
    divisi: &Path,
    policy: &str,
    replicas: &[SocketAddr],
    listen: SocketAddr,
    dir: &Path,
) -> Result<Outcome> {
    let addrs: Vec<_> = replicas.iter().map(SocketAddr::to_string).collect();
    let args =
        format!("serve --listen {listen} --listen-tls off --workers 1 --policy {policy} --replica {}", addrs.join(","));
    let mut proxy = Running::start(&Launch::new(divisi, &args), 0, &dir.join("divisi.log"))?;
    proxy.wait(|| client::answers(listen))?;
    let plan = Plan {
        to: listen,
        interval: Duration::from_secs(1) / options.rate,
        warmup: Duration::from_secs(options.warmup),
        window: Duration::from_secs(options.seconds),
    };
    load::drive(plan)
}

const CSV_HEADER: &str = "policy,round,requests,slow_percent,p50_ms,p99_ms,p999_ms,errors";

impl Row {
    fn new(policy: &str, round: u8, outcome: &Outcome) -> Self {
        let mut histogram = Histogram::default();
        for answer in &outcome.answers {
            histogram.record(u64::try_from(answer.took.as_nanos()).unwrap_or(u64::MAX));
        }
        let ms = |share| histogram.quantile(share) as f64 / 1e6;
        let slow = outcome.answers.iter().filter(|answer| answer.replica == 0).count();
        Self {
            policy: policy.to_owned(),
            round,
            requests: outcome.answers.len(),
            slow_percent: 100.0 * slow as f64 / outcome.answers.len() as f64,
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            errors: outcome.errors,
        }
    }

    fn csv(&self) -> String {
        let Self { policy, round, requests, slow_percent, p50_ms, p99_ms, p999_ms, errors } = self;
        format!("{policy},{round},{requests},{slow_percent:.4},{p50_ms:.3},{p99_ms:.3},{p999_ms:.3},{errors}")
    }
}

fn heading(options: &Options, divisi: &Path) -> String {
    let mut text = "# One slow replica of ten\n\n".to_owned();
    for (name, fact) in machine::facts() {
        text += &format!("- {name}: {fact}\n");
    }
    let Options { rounds, seconds, warmup, rate, delay, slower, .. } = options;
    text += &format!("- divisi: {}\n", machine::output(&divisi.to_string_lossy(), &["--version"]));
    text += &format!("- {rate} requests/s; nine replicas answer after {delay} ms, one after {} ms\n", delay * slower);
    text += &format!("- Medians of {rounds} interleaved rounds, {seconds} s each after {warmup} s of warm-up\n\n");
    text
}

fn table(rows: &[Row], policies: &[String]) -> String {
    let mut text =
        "| policy | requests at the slow one | p50 ms | p99 ms | p99.9 ms | lowest–highest | errors |\n".to_owned();
    text += "|---|--:|--:|--:|--:|--:|--:|\n";
    for policy in policies {
        let of_policy = || rows.iter().filter(|row| row.policy == *policy);
        let figure = |of: &dyn Fn(&Row) -> f64| median(of_policy().map(of).collect());
        let lowest = of_policy().map(|row| row.p999_ms).fold(f64::INFINITY, f64::min);
        let highest = of_policy().map(|row| row.p999_ms).fold(0.0, f64::max);
        let errors: usize = of_policy().map(|row| row.errors).sum();
        text += &format!(
            "| {policy} | {:.3} % | {:.1} | {:.1} | {:.1} | {lowest:.1}–{highest:.1} | {errors} |\n",
            figure(&|row| row.slow_percent),
            figure(&|row| row.p50_ms),
            figure(&|row| row.p99_ms),
            figure(&|row| row.p999_ms)
        );
    }
    text
}
