//! The clients of one measurement, and the measurement itself.
//!
//! A closed loop: every connection sends its next request when it has the whole answer to the last one. The window begins
//! after a warm-up; CPU time of the proxy is sampled by this very process at both of its ends, in the same moment in which
//! requests are counted, so no other process has to be scheduled in between.

mod connection;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Args;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Result;
use crate::case::Case;
use crate::cpu::CpuTimes;
use crate::histogram::Histogram;
use crate::measurement::Measurement;
use connection::{Connection, Step};

/// Bytes read at once.
const BUFFER: usize = 256 << 10;

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
}

/// Every client, and what was counted since the window began.
#[derive(Debug)]
struct Load {
    to: SocketAddr,
    case: &'static Case,
    request: Vec<u8>,
    poll: Poll,
    clients: Vec<Connection>,
    latencies: Histogram,
    answered: u64,
    /// Requests that began before this are too old for the histogram: a sample may have been taken meanwhile.
    window: Instant,
    errors: u64,
    first_error: String,
}

/// Loads the proxy and measures.
///
/// # Errors
/// When no connection can be opened, or the proxy's processes are gone.
pub(crate) fn run(options: &Options) -> Result<Measurement> {
    let mut load = Load::start(options.to, options.case)?;
    load.drive(Duration::from_secs_f64(options.warmup))?;
    load.answered = 0;
    let before = CpuTimes::of(&options.cpu_of)?;
    load.window = Instant::now();
    load.drive(Duration::from_secs_f64(options.seconds))?;
    let seconds = load.window.elapsed().as_secs_f64();
    let cpu_ns = CpuTimes::of(&options.cpu_of)?.since(&before);
    load.count_stalled();
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
    fn start(to: SocketAddr, case: &'static Case) -> Result<Self> {
        let mut load = Self {
            to,
            case,
            request: case.request(),
            poll: Poll::new()?,
            clients: Vec::with_capacity(case.connections),
            latencies: Histogram::default(),
            answered: 0,
            window: Instant::now(),
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
        let mut stream = TcpStream::connect(self.to).map_err(|error| format!("connect to {}: {error}", self.to))?;
        stream.set_nodelay(true)?;
        self.poll.registry().register(&mut stream, Token(key), Interest::READABLE | Interest::WRITABLE)?;
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
        self.answered += 1;
        let began = self.clients[key].began();
        if began >= self.window {
            let took = began.elapsed().as_nanos();
            self.latencies.record(u64::try_from(took).unwrap_or(u64::MAX));
        }
        if !self.case.fresh {
            self.clients[key].restart();
        }
    }

    /// A request that was there for the whole window and is still unanswered would be missing everywhere else.
    fn count_stalled(&mut self) {
        let stalled = self.clients.iter().filter(|client| client.began() < self.window).count();
        for _ in 0..stalled {
            self.fail("no answer for the whole window");
        }
    }

    fn fail(&mut self, error: &str) {
        if self.errors == 0 {
            self.first_error = error.replace('\n', " ");
        }
        self.errors += 1;
    }
}
