//! CPU time of other processes, as the kernel counts it.
//!
//! `/proc/<pid>/task/*/schedstat` counts nanoseconds; where a kernel has none, `/proc/<pid>/stat` counts ticks of 10 ms,
//! which is why a measured window must be seconds long. A sample keeps threads apart: one that ends inside the window
//! loses its share instead of making the sum run backwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Result;

/// The kernel's tick as `/proc` shows it: `USER_HZ`, 100 per second on every architecture Rust runs on.
const TICK_NS: u64 = 10_000_000;

/// CPU time spent so far, per thread, in nanoseconds.
#[derive(Debug)]
pub(crate) struct CpuTimes(BTreeMap<(u32, u32), u64>);

impl CpuTimes {
    /// What these processes have spent until now.
    ///
    /// # Errors
    /// When one of them is gone.
    pub(crate) fn of(pids: &[u32]) -> Result<Self> {
        let mut times = BTreeMap::new();
        for &pid in pids {
            let process = format!("/proc/{pid}");
            let before = times.len();
            for (thread, ns) in threads(Path::new(&process)) {
                times.insert((pid, thread), ns);
            }
            if times.len() == before {
                let stat = fs::read_to_string(format!("{process}/stat"))
                    .map_err(|error| format!("process {pid} is gone: {error}"))?;
                let ticks = ticks(&stat).ok_or_else(|| format!("cannot read CPU time in {stat:?}"))?;
                times.insert((pid, pid), ticks * TICK_NS);
            }
        }
        Ok(Self(times))
    }

    /// What was spent since an `earlier` sample of the same processes.
    pub(crate) fn since(&self, earlier: &Self) -> u64 {
        let spent = |(thread, ns): (&(u32, u32), &u64)| ns.saturating_sub(earlier.0.get(thread).copied().unwrap_or(0));
        self.0.iter().map(spent).sum()
    }
}

/// Every thread of a process with what it spent; empty without `schedstat`.
fn threads(process: &Path) -> Vec<(u32, u64)> {
    let Ok(tasks) = fs::read_dir(process.join("task")) else { return Vec::new() };
    let spent = |task: fs::DirEntry| {
        let thread = task.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        Some((thread, schedstat(&text)?))
    };
    tasks.filter_map(|task| spent(task.ok()?)).collect()
}

/// Nanoseconds on a CPU: the first of three figures.
fn schedstat(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// User and system time in ticks: fields 14 and 15. The name before them may hold spaces and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedstat_gives_its_first_figure() {
        assert_eq!(schedstat("123456789 42 7\n"), Some(123_456_789));
        assert_eq!(schedstat("\n"), None);
    }

    #[test]
    fn stat_is_read_behind_the_name_whatever_it_is_called() {
        let stat = "17 (a) b (c) S 1 17 17 0 -1 4194304 500 0 0 0 250 130 9 9 20 0 1 0 100 1 1";
        assert_eq!(ticks(stat), Some(380));
        assert_eq!(ticks("17 (cut short) S 1 17"), None);
    }

    #[test]
    fn threads_that_come_and_go_never_count_backwards() {
        let earlier = CpuTimes(BTreeMap::from([((1, 1), 100), ((1, 2), 500)]));
        let later = CpuTimes(BTreeMap::from([((1, 1), 130), ((1, 3), 7)]));
        assert_eq!(later.since(&earlier), 37);
    }

    #[test]
    fn our_own_work_is_seen() {
        let pids = [std::process::id()];
        let before = CpuTimes::of(&pids).expect("we run");
        let started = std::time::Instant::now();
        while started.elapsed().as_millis() < 60 {
            std::hint::spin_loop();
        }
        assert!(CpuTimes::of(&pids).expect("we run").since(&before) > 0);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        assert!(CpuTimes::of(&[u32::MAX]).is_err());
    }
}
