//! Children that never outlive us, and what memory they took.
//!
//! A peer may have workers of its own, so a child always means all its descendants. Every child is told by the kernel when
//! we die (`setpriv --pdeathsig`), stays in our process group so that the terminal's Ctrl-C reaches it, and is ended and
//! reaped when its value is dropped.

use std::collections::HashMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::Result;

/// What to start: a program, its arguments and environment.
#[derive(Debug, Default)]
pub(crate) struct Launch {
    /// The program's file.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// Variables it gets besides ours.
    pub(crate) env: Vec<(&'static str, String)>,
}

impl Launch {
    /// A program with its arguments, split at spaces.
    pub(crate) fn new(program: impl Into<PathBuf>, args: &str) -> Self {
        let args = args.split_whitespace().map(str::to_owned).collect();
        Self { program: program.into(), args, env: Vec::new() }
    }

    /// The command that runs it on one core only, and ends it when we die.
    pub(crate) fn pinned(&self, core: usize) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "taskset", "-c", &core.to_string()]).arg(&self.program).args(&self.args);
        command.envs(self.env.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }
}

/// A child that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a program on one core; what it prints goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(launch: &Launch, core: usize, log: &Path) -> Result<Self> {
        let output = fs::File::create(log)?;
        let mut command = launch.pinned(core);
        command.stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().map_err(|error| format!("setpriv (util-linux): {error}"))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Waits until `ready` finds nothing wrong any more.
    ///
    /// # Errors
    /// When the child ends before, or takes longer than 15 s; with what was wrong, and the end of what it printed.
    pub(crate) fn wait(&mut self, ready: impl Fn() -> Result<()>) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(15);
        let mut wrong = String::new();
        while Instant::now() < deadline {
            match ready() {
                Ok(()) => return Ok(()),
                Err(error) => wrong = error.to_string(),
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("ended with {status}: {}", self.last_words()).into());
            }
            sleep(Duration::from_millis(5));
        }
        Err(format!("not ready after 15 s: {wrong}; {}", self.last_words()).into())
    }

    /// The child and all its descendants.
    pub(crate) fn family(&self) -> Vec<u32> {
        family(self.child.id(), &parents())
    }

    /// The most memory the family has had resident, in KiB, each counted by itself.
    pub(crate) fn peak_kib(&self) -> u64 {
        let peak = |pid| kib(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmHWM:");
        self.family().into_iter().filter_map(peak).sum()
    }

    /// What the family has resident now, in KiB, each counted by itself.
    ///
    /// # Errors
    /// When one of them is gone.
    pub(crate) fn resident_kib(&self) -> Result<u64> {
        let resident = |pid| -> Result<u64> {
            // Exact, which the figures in `status` are not.
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            Ok(kib(&text, "Rss:").ok_or_else(|| format!("no Rss in {text:?}"))?)
        };
        self.family().into_iter().map(resident).sum()
    }

    /// What it complained of, or else the end of what it printed.
    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        if let Some(complaint) = text.lines().find(|line| line.contains("error")) {
            return complaint.to_owned();
        }
        let lines: Vec<_> = text.lines().rev().take(3).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    fn ends_within(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Running {
    /// Asks first, so that a master can reap its workers; then kills, the master first, or it would start new ones.
    fn drop(&mut self) {
        let family = self.family();
        signal(self.child.id(), Signal::TERM);
        if !self.ends_within(Duration::from_secs(2)) {
            family.into_iter().for_each(|pid| signal(pid, Signal::KILL));
            self.ends_within(Duration::from_secs(5));
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended meanwhile, which is what was wanted.
        let _ = kill_process(pid, signal);
    }
}

/// Every process with its parent.
fn parents() -> HashMap<u32, u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return HashMap::new() };
    let parent_of = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, parent(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
    };
    processes.filter_map(|entry| parent_of(entry.ok()?)).collect()
}

/// The parent's id: field 4. The name before it may hold spaces and brackets.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn family(pid: u32, parents: &HashMap<u32, u32>) -> Vec<u32> {
    let mut members = vec![pid];
    let mut at = 0;
    while at < members.len() {
        let parent = members[at];
        members.extend(parents.iter().filter(|&(_, of)| *of == parent).map(|(child, _)| *child));
        at += 1;
    }
    members
}

/// The figure behind a name that the kernel gives in KiB.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Raises the number of files that we, and whom we start, may have open, as far as it goes.
///
/// # Errors
/// When the system does not let us.
pub(crate) fn raise_open_files() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// How many files we, and whom we start, may have open.
pub(crate) fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(1 << 20)
}

/// Addresses to listen on, each given once: what is left of the last proxy's connections never meets the next one.
#[derive(Debug)]
pub(crate) struct Ports(u16);

impl Ports {
    /// Starts below the range from which Linux takes ports for outgoing connections.
    pub(crate) fn new() -> Self {
        Self(18_000)
    }

    /// The next address nobody listens on.
    ///
    /// # Errors
    /// When there is none left.
    pub(crate) fn next(&mut self) -> Result<SocketAddr> {
        while self.0 < 32_000 {
            self.0 += 1;
            let address = SocketAddr::from(([127, 0, 0, 1], self.0));
            if TcpListener::bind(address).is_ok() {
                return Ok(address);
            }
        }
        Err("no free port between 18000 and 32000".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_everybody_below() {
        let parents = HashMap::from([(2, 1), (3, 2), (4, 2), (5, 4), (6, 1)]);
        let mut members = family(2, &parents);
        members.sort_unstable();
        assert_eq!(members, [2, 3, 4, 5]);
    }

    #[test]
    fn the_kernels_lines_are_read() {
        assert_eq!(kib("Name:\tx\nVmHWM:\t    1234 kB\nVmRSS:\t 1000 kB\n", "VmHWM:"), Some(1234));
        assert_eq!(parent("17 (a) b (c) S 42 17 17"), Some(42));
    }

    #[test]
    fn a_dropped_child_is_gone_and_reaped() {
        let log = tempfile::NamedTempFile::new().expect("temporary file");
        let launch =
            Launch { program: "sh".into(), args: vec!["-c".into(), "sleep 60 & wait".into()], env: Vec::new() };
        let running = Running::start(&launch, 0, log.path()).expect("start");
        while running.family().len() < 2 {
            sleep(Duration::from_millis(5));
        }
        let pid = running.child.id();
        drop(running);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}
