//! Measures divisi beside its peers, all on one machine and in one run, so that only ratios have to be believed.
//!
//! ```text
//! run ──► case × round × proxy:   load ──► proxy ──► origin
//!                                core 1    core 0    core 2, or 1
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`run`] | goes through cases, rounds and proxies, and writes the result |
//! | [`idle`] | what a connection costs that rests |
//! | [`discovery`] | how fast what happens in Docker reaches the request's way |
//! | [`tail`] | what one slow replica does to the slowest requests |
//! | [`case`] | what is asked of a proxy |
//! | [`relay`] | the floor: copies bytes, parses nothing |
//! | [`origin`] | the replica behind every proxy |
//! | [`load`] | the clients, and the measurement itself |
//! | [`client`] | one that takes its time: asks whether a proxy speaks what it should, keeps connections that rest |
//! | [`tls`] | the certificate that every proxy shows, and what our clients offer |
//! | [`peers`] | which proxies there are, and how each is started |
//! | [`process`] | children that never outlive us, and what memory they took |
//! | [`cpu`] | CPU time of other processes |
//! | [`histogram`], [`measurement`], [`report`], [`machine`] | from figures to a dated table |
#![expect(clippy::print_stderr, reason = "a tool for the terminal: the result goes to stdout, progress beside it")]

mod case;
mod client;
mod cpu;
mod discovery;
mod histogram;
mod idle;
mod load;
mod machine;
mod measurement;
mod origin;
mod peers;
mod process;
mod relay;
mod report;
mod run;
mod tail;
mod tls;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;

/// What went wrong, for a person: nothing here is recovered from by kind.
pub(crate) type Error = Box<dyn std::error::Error>;
/// Anything in this tool that can fail.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Measures divisi beside its peers.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// Measures every proxy found, side by side.
    Run(run::Options),
    /// Measures the memory of connections that rest, for every proxy found.
    Idle(idle::Options),
    /// The floor: a single-threaded relay that parses nothing.
    Relay {
        /// Where clients connect.
        #[arg(long)]
        listen: SocketAddr,
        /// Where every connection is relayed to.
        #[arg(long)]
        to: SocketAddr,
    },
    /// The replica behind every proxy.
    Origin {
        /// Where proxies connect.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Measures how fast discovery follows an engine with ten thousand containers.
    Discovery(discovery::Options),
    /// Measures what one slow replica among ten does to the slowest requests, by policy.
    Tail(tail::Options),
    /// The clients of one measurement; prints it line by line.
    Load(load::Options),
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Run(options) => run::run(&options),
        Command::Idle(options) => idle::run(&options),
        Command::Discovery(options) => discovery::run(&options),
        Command::Tail(options) => tail::run(&options),
        Command::Relay { listen, to } => relay::serve(listen, to),
        Command::Origin { listen } => origin::serve(listen),
        Command::Load(options) => load::run(&options).map(|measurement| print!("{measurement}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("divisi-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
