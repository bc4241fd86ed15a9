//! The clients of one measurement, and the measurement itself.
//!
//! A closed loop: every connection sends its next request when it has the whole answer to the last one. The window begins
//! after a warm-up; CPU time of the proxy is sampled by this very process at both of its ends, in the same moment in which
//! requests are counted, so no other process has to be scheduled in between.
//!
//! | module | job |
//! |---|---|
//! | [`connection`] | one client: sends a request, reads its answer and holds it against the case |
//! | [`stream`] | what its bytes go through: TCP, or TLS on top of it |
//! | [`h2load`] | HTTP/2, by somebody else's clients |

mod connection;
mod h2load;
mod stream;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use mio::{Events, Interest, Poll, Token};
use rustls::ClientConfig;
use rustls::client::Resumption;

use crate::Result;
use crate::case::{Case, Reuse};
use crate::cpu::CpuTimes;
use crate::histogram::Histogram;
use crate::measurement::Measurement;
use crate::tls;
pub(crate) use connection::parse as head_of_answer;
use connection::{Connection, Step};
use stream::Stream;

/// Bytes read at once.
const BUFFER: usize = 256 << 10;

/// What is wrong with a handshake that should have taken up the client's last session.
const NOT_RESUMED: &str = "a full handshake instead of a resumption";
/// What is wrong with a request that nobody answers.
const STALLED: &str = "no answer for the whole window";

/// What to ask, of whom, for how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The proxy.
    #[arg(long)]
    to: SocketAddr,
    /// What to ask.
    #[arg(long, value_parser = Case::named)]
    case: &'static Case,
    /// Seconds before the measured window.
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// Seconds of the measured window.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Processes whose CPU time counts as the proxy's.
    #[arg(long, value_delimiter = ',')]
    cpu_of: Vec<u32>,
    /// The folder of the proxy's certificate.
    #[arg(long)]
    dir: PathBuf,
}

/// Every client, and what was counted since the window began.
#[derive(Debug)]
struct Load {
    to: SocketAddr,
    case: &'static Case,
    request: Vec<u8>,
    /// Each client's own, so that each has its own tickets; empty in the clear.
    tls: Vec<Arc<ClientConfig>>,
    poll: Poll,
    clients: Vec<Connection>,
    latencies: Histogram,
    answered: u64,
    /// Begins after the warm-up. Requests that began before are too old for the histogram: a sample may have been taken
    /// meanwhile.
    window: Option<Instant>,
    errors: u64,
    first_error: String,
}

/// Loads the proxy and measures.
///
/// # Errors
/// When no connection can be opened, or the proxy's processes are gone.
pub(crate) fn run(options: &Options) -> Result<Measurement> {
    if options.case.wire.is_http2() {
        return h2load::run(options);
    }
    let mut load = Load::start(options)?;
    load.drive(Duration::from_secs_f64(options.warmup))?;
    load.answered = 0;
    let before = CpuTimes::of(&options.cpu_of)?;
    let began = Instant::now();
    load.window = Some(began);
    load.drive(Duration::from_secs_f64(options.seconds))?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu_ns = CpuTimes::of(&options.cpu_of)?.since(&before);
    load.count_stalled(began);
    Ok(Measurement {
        requests: load.answered,
        seconds,
        cpu_ns,
        p50_ns: load.latencies.quantile(0.5),
        p99_ns: load.latencies.quantile(0.99),
        p999_ns: load.latencies.quantile(0.999),
        errors: load.errors,
        first_error: load.first_error,
    })
}

impl Load {
    fn start(options: &Options) -> Result<Self> {
        let case = options.case;
        let mut load = Self {
            to: options.to,
            case,
            request: case.request(),
            tls: configurations(options)?,
            poll: Poll::new()?,
            clients: Vec::with_capacity(case.connections),
            latencies: Histogram::default(),
            answered: 0,
            window: None,
            errors: 0,
            first_error: String::new(),
        };
        for key in 0..case.connections {
            let client = load.connect(key)?;
            load.clients.push(client);
        }
        Ok(load)
    }

    fn connect(&self, key: usize) -> Result<Connection> {
        let mut stream = Stream::connect(key, self.to, self.tls.get(key))?;
        self.poll.registry().register(stream.source(), Token(key), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Connection::new(stream))
    }

    fn drive(&mut self, duration: Duration) -> Result<()> {
        let until = Instant::now() + duration;
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; BUFFER];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            match self.poll.poll(&mut events, Some(left)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
            for event in &events {
                let key = event.token().0;
                self.clients[key].notice(event);
                self.advance(key, &mut buffer)?;
            }
        }
    }

    /// Takes one client as far as it goes now.
    fn advance(&mut self, key: usize, buffer: &mut [u8]) -> Result<()> {
        loop {
            match self.clients[key].step(&self.request, self.case, buffer) {
                Ok(Step::Blocked) => return Ok(()),
                Ok(Step::Answered) => self.count(key),
                Ok(Step::Closed) => {
                    self.clients[key] = self.connect(key)?;
                    return Ok(());
                }
                Err(error) => {
                    self.fail(&error.to_string());
                    self.clients[key] = self.connect(key)?;
                    return Ok(());
                }
            }
        }
    }

    fn count(&mut self, key: usize) {
        let began = self.clients[key].began();
        let counts = self.window.is_some_and(|window| began >= window);
        // A client's first handshake is a full one: that was in the warm-up.
        if counts && self.case.reuse == Reuse::Session && !self.clients[key].is_resumed() {
            self.fail(NOT_RESUMED);
            return;
        }
        self.answered += 1;
        if counts {
            let took = began.elapsed().as_nanos();
            self.latencies.record(u64::try_from(took).unwrap_or(u64::MAX));
        }
        if self.case.reuse == Reuse::Connection {
            self.clients[key].restart();
        }
    }

    /// A request that was there for the whole window and is still unanswered would be missing everywhere else.
    fn count_stalled(&mut self, window: Instant) {
        let stalled = self.clients.iter().filter(|client| client.began() < window).count();
        for _ in 0..stalled {
            self.fail(STALLED);
        }
    }

    fn fail(&mut self, error: &str) {
        if self.errors == 0 {
            self.first_error = error.replace('\n', " ");
        }
        self.errors += 1;
    }
}

fn configurations(options: &Options) -> Result<Vec<Arc<ClientConfig>>> {
    let Options { case, dir, .. } = options;
    if !case.wire.is_tls() {
        return Ok(Vec::new());
    }
    let shared = tls::lean(dir)?;
    let own = |_| {
        let mut config = shared.clone();
        if case.reuse == Reuse::Session {
            config.resumption = Resumption::in_memory_sessions(1);
        }
        Arc::new(config)
    };
    Ok((0..case.connections).map(own).collect())
}

#[cfg(test)]
mod tests;
