//! What the user of the demo sees: events as lines, and below them, on a terminal, one line that is alive.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::cast::Cast;
use super::client::Outcome;

/// Where there is no terminal the state is told less often, each time on a line of its own.
const WITHOUT_TERMINAL: Duration = Duration::from_secs(2);

/// More failures than that are counted and not printed.
const MOST_FAILURES: u64 = 10;

/// Erases the line, and lets a long one be cut at the edge where it would wrap.
const OVERWRITE: &str = "\r\x1b[K\x1b[?7l";

/// What [`OVERWRITE`] changed, changed back.
const RESTORE: &str = "\x1b[?7h";

/// The user's screen, and what it has to tell.
pub(super) struct Screen {
    is_terminal: bool,
    started: Instant,
    told: Instant,
    answered: BTreeMap<String, u64>,
    names: BTreeMap<String, String>,
    failed: u64,
}

impl Screen {
    /// Prints what there is to see.
    pub(super) fn new(addr: SocketAddr, cast: &Cast) -> Self {
        let now = Instant::now();
        let is_terminal = io::stdout().is_terminal();
        let (answered, names) = (BTreeMap::new(), BTreeMap::new());
        let screen = Self { is_terminal, started: now, told: now, answered, names, failed: 0 };
        screen.line(&format!("divisi demo: {} replicas behind http://{addr}", cast.count()));
        screen.line(&format!("Ask it yourself:  curl -i http://{addr}/hello"));
        screen.line("Replicas come and go; the clients must not notice. Ctrl-C ends it.\n");
        screen
    }

    /// Something happened on the stage.
    pub(super) fn event(&self, event: Option<&str>) {
        if let Some(event) = event {
            self.line(&format!("{:>5.1}s  {event}", self.started.elapsed().as_secs_f64()));
        }
    }

    /// A request has ended.
    pub(super) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Ok(replica) => *self.answered.entry(replica).or_insert(0) += 1,
            Err(failure) => {
                self.failed += 1;
                if self.failed <= MOST_FAILURES {
                    self.event(Some(&format!("! a request failed: {failure}")));
                }
            }
        }
    }

    /// Tells how it stands, if it is time to.
    pub(super) fn tell(&mut self, cast: &Cast) {
        self.names.extend(cast.replicas().map(|replica| (replica.authority().to_owned(), replica.name().to_owned())));
        if !self.is_terminal && self.told.elapsed() < WITHOUT_TERMINAL {
            return;
        }
        self.told = Instant::now();
        let shares: Vec<_> = cast
            .replicas()
            .map(|replica| format!("{} {}", replica.name(), self.answered.get(replica.authority()).unwrap_or(&0)))
            .collect();
        let state = format!("{} answered, {} failed:  {}", self.total(), self.failed, shares.join("  "));
        let mut out = io::stdout().lock();
        // A screen that cannot be written to is nothing the demo could mend.
        let _ = if self.is_terminal {
            write!(out, "{OVERWRITE}{state}{RESTORE}").and_then(|()| out.flush())
        } else {
            writeln!(out, "        {state}")
        };
    }

    /// Prints who answered how often. Returns whether all is well.
    pub(super) fn close(&self) -> bool {
        self.line("\nanswered by");
        for (addr, count) in &self.answered {
            let name = self.names.get(addr).map_or("", String::as_str);
            self.line(&format!("  {name:<10} {addr:<22} {count:>8}"));
        }
        self.line(&format!("{} requests answered, {} failed", self.total(), self.failed));
        self.failed == 0 && self.total() > 0
    }

    fn total(&self) -> u64 {
        self.answered.values().sum()
    }

    fn line(&self, text: &str) {
        let erase = if self.is_terminal { "\r\x1b[K" } else { "" };
        let _ = writeln!(io::stdout(), "{erase}{text}");
    }
}
