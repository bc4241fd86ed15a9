//! Servers from Debian's packages, run by somebody without privileges, with all they write in a folder that vanishes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Somebody else than root, if we are root: PostgreSQL does not run as that.
#[derive(Clone, Copy)]
pub(crate) struct Nobody(Option<(u32, u32)>);

/// The path of a program; None, and said so, where it is not installed. With `CI=true` it must be.
pub(crate) fn program(name: &str, package: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    // Debian keeps the server's programs out of the way, by version.
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    let found = folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no {name}: apt-get install {package}");
        println!("skipped: no {name} (apt-get install {package})");
    }
    found
}

impl Nobody {
    pub(crate) fn new() -> Self {
        let id = |what: &str| {
            let output = Command::new("id").args([what, "nobody"]).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
        Self(if root { id("-u").zip(id("-g")) } else { None })
    }

    /// A folder of its own.
    pub(crate) fn folder(self) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        if let Some((user, group)) = self.0 {
            chown(folder.path(), Some(user), Some(group)).expect("root may");
        }
        folder
    }

    /// Makes a file only its owner may read, as servers want it for keys.
    pub(crate) fn give(self, file: &Path) {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("it is there");
        if let Some((user, group)) = self.0 {
            chown(file, Some(user), Some(group)).expect("root may");
        }
    }

    pub(crate) fn command(self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }
}

/// A process that ends when the test does.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start(mut command: Command) -> Self {
        Self(command.spawn().expect("it runs"))
    }

    /// As its own signal would: it ends at once.
    pub(crate) fn stop(&mut self, signal: &str) {
        let sent = Command::new("/bin/sh").args(["-c", &format!("kill -{signal} {}", self.0.id())]).status();
        assert!(sent.expect("a shell").success());
        self.0.wait().expect("a child");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            // PostgreSQL's children end with it by that, and not by a KILL.
            let _ = Command::new("/bin/sh").args(["-c", &format!("kill -QUIT {}", self.0.id())]).status();
            let end = Instant::now() + Duration::from_secs(5);
            while Instant::now() < end && matches!(self.0.try_wait(), Ok(None)) {
                sleep(Duration::from_millis(10));
            }
            // Others ignore it where a shell had them ignore it, as it does with what runs in the background.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// What a client printed, all of it.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
