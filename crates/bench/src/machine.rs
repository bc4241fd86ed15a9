//! Where and with what a result was measured: without it a figure is a rumour.

use std::fs;
use std::process::Command;

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Result;

/// One line per fact, in the order in which a reader asks.
pub(crate) fn facts() -> Vec<(&'static str, String)> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = value(&cpuinfo, "model name").or_else(|| value(&cpuinfo, "Model")).unwrap_or("unknown");
    let virtual_machine =
        value(&cpuinfo, "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    let place = if virtual_machine { ", virtual machine" } else { "" };
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    vec![
        ("Date", output("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("CPU", format!("{model}, {} cores{place}", cores())),
        ("Memory", value(&memory, "MemTotal").unwrap_or("unknown").to_owned()),
        ("Kernel", format!("Linux {}", kernel.trim())),
        ("Revision", revision()),
        ("Command", format!("divisi-bench {}", std::env::args().skip(1).collect::<Vec<_>>().join(" "))),
    ]
}

/// How many cores this machine has, whichever of them we may use.
pub(crate) fn cores() -> usize {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cpuinfo.lines().filter(|line| line.starts_with("processor")).count()
}

/// Keeps this thread, and those it starts, off core 0, which is the proxy's.
///
/// # Errors
/// When there is no other.
pub(crate) fn stay_off_the_proxys_core() -> Result<()> {
    let mut others = CpuSet::new();
    (1..cores()).for_each(|core| others.set(core));
    Ok(sched_setaffinity(None, &others).map_err(|error| format!("two cores are needed: {error}"))?)
}

/// The date and time for a file's name.
pub(crate) fn stamp() -> String {
    output("date", &["-u", "+%Y-%m-%d-%H%M"])
}

/// The first line that a program prints, on either of its outputs.
pub(crate) fn output(program: &str, args: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(args).output() else { return "unknown".to_owned() };
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    String::from_utf8_lossy(&text).lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("unknown").to_owned()
}

fn revision() -> String {
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"]);
    let changed = Command::new("git").args(["status", "--porcelain", "--untracked-files=no"]).output();
    let clean = changed.is_ok_and(|output| output.stdout.is_empty());
    if clean { commit } else { format!("{commit} with changes") }
}

/// What stands behind `name:` in a file of `/proc`.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let found = |line: &'a str| line.strip_prefix(name)?.trim_start().strip_prefix(':').map(str::trim);
    text.lines().find_map(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read_with_tabs_and_without() {
        assert_eq!(value("model\t: 1\nmodel name\t: EPYC 9\n", "model name"), Some("EPYC 9"));
        assert_eq!(value("MemTotal:    24 kB\n", "MemTotal"), Some("24 kB"));
        assert_eq!(value("MemTotal:    24 kB\n", "Mem"), None);
    }
}
