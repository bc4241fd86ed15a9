//! The Docker engine, if there is one: found once, cleaned of what earlier runs left, and given the images.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

/// What every project of these tests is called, before the number of the process and its own.
pub(crate) const PREFIX: &str = "divisi-e2e";

const DOCKERFILE: &str = "\
FROM scratch AS program
COPY divisi /divisi
LABEL divisi.test=image
FROM program AS divisi
EXPOSE 8080
ENTRYPOINT [\"/divisi\"]
FROM program AS echo
EXPOSE 9090
ENTRYPOINT [\"/divisi\", \"echo\"]
";

/// An engine with Compose and our images.
#[derive(Debug)]
pub(crate) struct Engine {
    compose: &'static [&'static str],
    tag: String,
}

/// The engine, or `None` with a word about it.
pub(crate) fn engine() -> Option<&'static Engine> {
    static ENGINE: OnceLock<Result<Engine, &str>> = OnceLock::new();
    match ENGINE.get_or_init(Engine::find) {
        Ok(engine) => Some(engine),
        Err(missing) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no {missing}, and CI must have one");
            // Not by a macro: what those print of a test that passes is not shown.
            let _ = std::io::stderr().write_all(format!("skipped: no {missing}\n").as_bytes());
            None
        }
    }
}

impl Engine {
    fn find() -> Result<Self, &'static str> {
        if !succeeds(&["docker", "version"]) {
            return Err("Docker engine");
        }
        let all: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];
        let compose = all.into_iter().find(|words| succeeds(&[words, &["version"][..]].concat()));
        let engine = Self { compose: compose.ok_or("Docker Compose")?, tag: tag() };
        engine.sweep();
        engine.build();
        Ok(engine)
    }

    /// Our image of that name.
    pub(crate) fn image(&self, target: &str) -> String {
        format!("{PREFIX}-{target}:{}", self.tag)
    }

    /// Compose in `folder` for that project.
    pub(crate) fn compose(&self, folder: &Path, project: &str, args: &[&str]) -> Output {
        let mut words = self.compose.to_vec();
        words.extend(["--project-name", project]);
        words.extend(args);
        command(&words).current_dir(folder).output().expect("Compose runs")
    }

    fn build(&self) {
        let context = tempfile::tempdir().expect("a folder");
        fs::write(context.path().join("Dockerfile"), DOCKERFILE).expect("a file");
        fs::copy(env!("CARGO_BIN_EXE_divisi"), context.path().join("divisi")).expect("a copy");
        let folder = context.path().to_str().expect("a path in UTF-8");
        for target in ["divisi", "echo"] {
            if !succeeds(&["docker", "image", "inspect", &self.image(target)]) {
                docker(&["build", "--target", target, "--tag", &self.image(target), folder]);
            }
        }
    }

    /// Removes what processes that are gone have left: a killed test cleans nothing.
    fn sweep(&self) {
        let containers = docker(&["ps", "--all", "--format", "{{.ID}} {{.Label \"com.docker.compose.project\"}}"]);
        for (id, _) in lines_of_the_dead(&containers) {
            try_docker(&["rm", "--force", "--volumes", id]);
        }
        let networks = docker(&["network", "ls", "--format", "{{.ID}} {{.Name}}"]);
        for (id, _) in lines_of_the_dead(&networks) {
            try_docker(&["network", "rm", id]);
        }
        try_docker(&["image", "prune", "--all", "--force", "--filter", "label=divisi.test", "--filter", "until=1h"]);
    }
}

/// The lines `id project…` of projects whose process is gone.
fn lines_of_the_dead(listing: &str) -> impl Iterator<Item = (&str, &str)> {
    listing.lines().filter_map(|line| line.split_once(' ')).filter(|(_, name)| {
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.trim_start_matches('-').split('-').next());
        process.is_some_and(|process| !Path::new("/proc").join(process).exists())
    })
}

/// The same for the same binary, so that an image is built once.
fn tag() -> String {
    let binary = fs::metadata(env!("CARGO_BIN_EXE_divisi")).expect("the binary is there");
    let mut hasher = DefaultHasher::new();
    let changed = binary.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    (binary.len(), changed, DOCKERFILE, env!("CARGO_BIN_EXE_divisi")).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Runs `docker` and returns what it says.
pub(crate) fn docker(args: &[&str]) -> String {
    let output = try_docker(args);
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn try_docker(args: &[&str]) -> Output {
    command(&[&["docker"], args].concat()).output().expect("docker runs")
}

fn succeeds(words: &[&str]) -> bool {
    command(words).output().is_ok_and(|output| output.status.success())
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}
