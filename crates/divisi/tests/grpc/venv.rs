//! A Python with grpcio: made once, and used again by the next run.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What is installed. Another version is another folder.
const PACKAGES: [&str; 2] = ["grpcio==1.85.3", "typing_extensions==4.16.0"];

/// The interpreter of the folder that `DIVISI_TEST_VENV` names, or else of one that is made among the build's own files. None, and a
/// word why, where Python or PyPI cannot be had; with `CI=true` that is a failure.
pub(crate) fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let python = PYTHON.get_or_init(|| match find() {
        Ok(python) => Some(python),
        Err(why) => {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "no gRPC: {why}");
            // Not captured by the harness: that tests say nothing must not look as if they had passed.
            let _ = std::io::stderr().write_all(format!("skipped: no gRPC: {why}\n").as_bytes());
            None
        }
    });
    python.as_deref()
}

fn find() -> Result<PathBuf, String> {
    if let Some(folder) = std::env::var_os("DIVISI_TEST_VENV") {
        let python = Path::new(&folder).join("bin/python");
        return run(Command::new(&python).args(["-c", "import grpc"])).map(|()| python);
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("venv-{}", PACKAGES.join("-")));
    let python = folder.join("bin/python");
    // Written last: what is left of a run that was ended half way is made anew.
    let whole = folder.join("whole");
    if !whole.exists() {
        let _ = fs::remove_dir_all(&folder);
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--only-binary", ":all:"];
        run(Command::new(&python).args(pip).args(["--retries", "2", "--timeout", "15"]).args(PACKAGES))?;
        fs::write(&whole, "").map_err(|why| why.to_string())?;
    }
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|why| format!("{:?}: {why}", command.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
