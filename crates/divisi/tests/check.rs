//! What `divisi check` says. Each folder of `tests/check` is a project; `expected.txt` has what is said of it, plainly, with
//! `--compat`, and with each line of `more`.
//! `UPDATE_GOLDEN=1 cargo test -p divisi --test check` writes the files anew; read every change.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check")
}

/// Runs it in that folder. Words with a `=` before `divisi check` are variables.
fn check(folder: &Path, line: &str) -> Output {
    let (variables, arguments) = line.split_once("divisi check").unwrap_or(("", line));
    let variables = variables.split_whitespace().filter_map(|word| word.split_once('='));
    Command::new(env!("CARGO_BIN_EXE_divisi"))
        .arg("check")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .output()
        .expect("the program")
}

#[test]
fn projects_are_told_what_is_wrong() {
    let mut folders: Vec<_> = fs::read_dir(folder()).expect("the folder").flatten().map(|entry| entry.path()).collect();
    folders.sort_unstable();
    let mut behind = Vec::new();
    for folder in folders {
        let more = fs::read_to_string(folder.join("more")).unwrap_or_default();
        let mut said = String::new();
        for line in ["", "--compat"].into_iter().chain(more.lines()) {
            let output = check(&folder, line);
            let shown = if line.contains("divisi check") { line.to_owned() } else { format!("divisi check {line}") };
            writeln!(said, "$ {}", shown.trim()).expect("memory");
            said.push_str(&String::from_utf8_lossy(&output.stderr));
            said.push_str(&String::from_utf8_lossy(&output.stdout));
            writeln!(said, "code {}\n", output.status.code().unwrap_or(-1)).expect("memory");
        }
        let file = folder.join("expected.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&file, &said).expect("it can be written");
        } else if fs::read_to_string(&file).unwrap_or_default() != said {
            behind.push(format!("{}:\n{said}", file.display()));
        }
    }
    assert!(behind.is_empty(), "{}", behind.join("\n"));
}
