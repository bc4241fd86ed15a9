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

#[test]
fn the_examples_have_no_mistakes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = vec!["compose.yaml".to_owned()];
    let examples = fs::read_dir(root.join("examples")).expect("the folder").flatten();
    files.extend(examples.map(|entry| format!("examples/{}", entry.file_name().display())));
    assert!(files.len() >= 9, "{files:?}");
    for file in files {
        let output = check(&root, &file);
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{file}: {said}");
        // One that relies on what an image exposes is told so, and is right: these are ours.
        let other = said.lines().find(|line| line.contains("warning: ") && !line.contains("no port is known"));
        assert_eq!(other, None, "{file}");
    }
}

#[test]
fn the_readme_shows_the_smallest_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let without_comments = |text: &str| {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim_end());
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    let read = |file: &str| fs::read_to_string(root.join(file)).expect("a file");
    let readme = read("README.md");
    let shown = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a Compose file");
    assert_eq!(without_comments(shown), without_comments(&read("examples/minimal.yaml")));
}
