//! The Docker engine, if there is one: found once, cleaned of what earlier runs left, and given the images.

#![allow(dead_code, reason = "each test program uses its part")]

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
LABEL test.divisi=image
FROM program AS divisi
EXPOSE 8080
ENTRYPOINT [\"/divisi\"]
FROM program AS echo
EXPOSE 9090
ENTRYPOINT [\"/divisi\", \"echo\"]
FROM echo AS next
LABEL test.divisi=next
";

/// Its images: divisi, the echo replica, and a release of that which differs in nothing but its label.
pub(crate) const TARGETS: &[&str] = &["divisi", "echo", "next"];

/// An engine with Compose and our images.
#[derive(Debug)]
pub(crate) struct Engine {
    compose: &'static [&'static str],
    tag: String,
    /// What to write into `DOCKER_HOST`, where it is not the machine's own engine.
    host: Option<String>,
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
        let all: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];
        let runs = |words: &[&str]| command(words).arg("version").output().is_ok_and(|output| output.status.success());
        if !runs(&["docker"]) {
            return Err("Docker engine");
        }
        let compose = all.into_iter().find(|words| runs(words)).ok_or("Docker Compose")?;
        let engine = Self { compose, tag: tag(), host: None };
        engine.sweep();
        engine.build();
        Ok(engine)
    }

    /// Another engine of this machine, by its socket, with the same Compose; it has no images yet.
    pub(crate) fn at(&self, socket: &Path) -> Self {
        Self { compose: self.compose, tag: self.tag.clone(), host: Some(format!("unix://{}", socket.display())) }
    }

    /// Whether it can be reached.
    pub(crate) fn answers(&self) -> bool {
        self.command(&["docker", "version"]).output().is_ok_and(|output| output.status.success())
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
        self.command(&words).current_dir(folder).output().expect("Compose runs")
    }

    /// Runs `docker` and returns what it says.
    pub(crate) fn docker(&self, args: &[&str]) -> String {
        let output = self.try_docker(args);
        assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The same, whatever comes of it.
    pub(crate) fn try_docker(&self, args: &[&str]) -> Output {
        self.command(&[&["docker"], args].concat()).output().expect("docker runs")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = command(words);
        command.envs(self.host.as_ref().map(|host| ("DOCKER_HOST", host)));
        command
    }

    /// Makes the images that are not there yet.
    pub(crate) fn build(&self) {
        let context = tempfile::tempdir().expect("a folder");
        fs::write(context.path().join("Dockerfile"), DOCKERFILE).expect("a file");
        fs::copy(env!("CARGO_BIN_EXE_divisi"), context.path().join("divisi")).expect("a copy");
        let folder = context.path().to_str().expect("a path in UTF-8");
        for target in TARGETS {
            if !self.try_docker(&["image", "inspect", &self.image(target)]).status.success() {
                self.docker(&["build", "--target", target, "--tag", &self.image(target), folder]);
            }
        }
    }

    /// Removes what processes that are gone have left: a killed test cleans nothing.
    fn sweep(&self) {
        let containers = self.docker(&["ps", "--all", "--format", "{{.ID}} {{.Label \"com.docker.compose.project\"}}"]);
        for (id, _) in lines_of_the_dead(&containers) {
            self.try_docker(&["rm", "--force", "--volumes", id]);
        }
        let networks = self.docker(&["network", "ls", "--format", "{{.ID}} {{.Name}}"]);
        for (id, _) in lines_of_the_dead(&networks) {
            self.try_docker(&["network", "rm", id]);
        }
        self.try_docker(&[
            "image",
            "prune",
            "--all",
            "--force",
            "--filter",
            "label=test.divisi",
            "--filter",
            "until=1h",
        ]);
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

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}
