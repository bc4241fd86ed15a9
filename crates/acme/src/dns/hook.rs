//! A program of the user's changes the record. It is called without a shell, so that a name is never more than a name.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::{Change, DnsError};

/// The end of what it wrote is told; that is where reasons stand.
const TOLD: usize = 300;

/// Calls `program present|cleanup name value`. Whoever stops waiting ends it.
pub(super) async fn call(program: &Path, change: Change, name: &str, value: &str) -> Result<(), DnsError> {
    let verb = match change {
        Change::Present => "present",
        Change::Cleanup => "cleanup",
    };
    let mut command = Command::new(program);
    command
        .args([verb, name, value])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let hook = |problem| DnsError::Hook { program: program.to_owned(), problem };
    let ended = command.output().await.map_err(hook)?;
    if ended.status.success() {
        return Ok(());
    }
    let written = String::from_utf8_lossy(&ended.stderr);
    let clean = written.trim().replace(char::is_control, " ");
    let from = clean.char_indices().rev().nth(TOLD).map_or(0, |(at, _)| at);
    let said = if clean.is_empty() { String::new() } else { format!(": {}", &clean[from..]) };
    Err(DnsError::HookFailed { program: program.to_owned(), verb, status: ended.status.to_string(), said })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::settings::Dns;

    fn script(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("hook");
        // Renamed into place, so that nobody else's child holds it open for writing when it is started.
        fs::write(folder.join("new"), format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(folder.join("new"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(folder.join("new"), &path).unwrap();
        path
    }

    #[tokio::test]
    async fn what_it_is_given_is_not_read_by_a_shell() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let hook = script(folder.path(), &format!("printf '%s|' \"$@\" >> {}", out.display()));
        let name = "_acme-challenge.$(touch x).example";
        call(&hook, Change::Present, name, "a;b `c`").await.unwrap();
        call(&hook, Change::Cleanup, name, "v").await.unwrap();
        assert_eq!(fs::read_to_string(out).unwrap(), format!("present|{name}|a;b `c`|cleanup|{name}|v|"));
    }

    #[tokio::test]
    async fn its_failure_is_told_with_its_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let hook = script(folder.path(), "echo no such zone >&2; exit 3");
        let problem = call(&hook, Change::Present, "n", "v").await.unwrap_err().to_string();
        assert!(
            problem.contains("present failed") && problem.contains("3") && problem.ends_with(": no such zone"),
            "{problem}"
        );
        let missing = call(Path::new("/nowhere/hook"), Change::Present, "n", "v").await.unwrap_err().to_string();
        assert!(missing.contains("/nowhere/hook"), "{missing}");
    }

    #[tokio::test]
    async fn one_that_hangs_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let hook = script(folder.path(), "exec sleep 600");
        let begun = Instant::now();
        let problem = Dns::Hook(hook).change(Change::Present, "n", "v", Duration::from_millis(200)).await.unwrap_err();
        assert!(matches!(problem, DnsError::Slow(_)) && begun.elapsed() < Duration::from_secs(30));
    }
}
