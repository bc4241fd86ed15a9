//! What projects come to. Each folder of `tests/projects` is one; `expected.txt` in it says what is read. Where there is a
//! `docker-compose`, it must say the same of labels, environment and networks.
//! `UPDATE_GOLDEN=1 cargo test -p divisi-compose --test projects` writes the files anew; read every change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use divisi_compose::{Networks, Project, Request, Said, Service, load};
use serde_json::Value;

/// How a project is read; from its file `case`, if there is one.
#[derive(Default)]
struct Case {
    files: Vec<String>,
    profiles: Vec<String>,
    project: Option<String>,
    /// It has what docker-compose 1.29 does not know: `include`, `name`, `label_file`, `!reset`, `:+`, defaults in defaults,
    /// several documents, files of variables with settings.
    is_beyond: bool,
}

fn case(folder: &Path) -> Case {
    let mut case = Case::default();
    for line in fs::read_to_string(folder.join("case")).unwrap_or_default().lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words = || rest.split(' ').map(str::to_owned);
        match word {
            "files" => case.files = words().collect(),
            "profiles" => case.profiles = words().collect(),
            "project" => case.project = Some(rest.to_owned()),
            "beyond" => case.is_beyond = true,
            _ => panic!("{line}"),
        }
    }
    case
}

fn folders() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects");
    let mut folders: Vec<_> = fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.path()).collect();
    folders.sort_unstable();
    folders
}

fn read(folder: &Path) -> Project {
    let case = case(folder);
    load(&Request {
        directory: folder.to_owned(),
        files: case.files.iter().map(PathBuf::from).collect(),
        env_files: Vec::new(),
        profiles: case.profiles,
        project: case.project,
        environment: &|name| (name == "HOME").then(|| "/root".to_owned()),
    })
}

#[test]
fn projects_come_to_what_the_files_say() {
    for folder in folders() {
        let shown = shown(&read(&folder)).replace(&format!("{}/", folder.display()), "");
        let file = folder.join("expected.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&file, &shown).expect("it can be written");
        }
        assert_eq!(fs::read_to_string(&file).unwrap_or_default(), shown, "{}", folder.display());
    }
}

fn shown(project: &Project) -> String {
    let mut text = format!("project {} of {}\n", project.name, project.files.join(", "));
    for service in &project.services {
        writeln!(text, "\nservice {} at {}: {:?}", service.name, service.place, service.image).expect("memory");
        writeln!(text, "  container {} replicas {} on {:?}", service.container, service.replicas, service.networks)
            .expect("memory");
        if !service.command.is_empty() {
            writeln!(text, "  runs {}", service.command.join(" ")).expect("memory");
        }
        for (what, ports) in [("port", &service.ports), ("expose", &service.expose)] {
            for port in ports {
                writeln!(text, "  {what} {:?}:{}-{}", port.published, port.first, port.last).expect("memory");
            }
        }
        let said = [("label", &service.labels), ("deploy", &service.deploy_labels), ("env", &service.environment)];
        for (what, said) in said {
            for said in said {
                writeln!(text, "  {what} {}={:?} at {}", said.key, said.value, said.place).expect("memory");
            }
        }
    }
    text.push('\n');
    for skipped in &project.skipped {
        writeln!(text, "skipped {} {:?}", skipped.service, skipped.profiles).expect("memory");
    }
    for (key, network) in &project.networks {
        writeln!(text, "network {key} is {} {}", network.name, network.is_external).expect("memory");
    }
    for problem in &project.problems {
        writeln!(text, "{} {problem}", problem.fault.level().name()).expect("memory");
    }
    text
}

#[test]
fn docker_compose_says_the_same() {
    for folder in folders() {
        let case = case(&folder);
        if case.is_beyond {
            continue;
        }
        let Some(theirs) = config(&folder, &case) else {
            println!("skipped: there is no docker-compose here, or no python3 with yaml");
            return;
        };
        let ours = read(&folder);
        let services = theirs["services"].as_object().expect("services");
        // It shows services of profiles that are off, too.
        let names = ours.services.iter().map(|service| &service.name);
        let names: BTreeSet<_> = names.chain(ours.skipped.iter().map(|skipped| &skipped.service)).collect();
        assert_eq!(services.keys().collect::<BTreeSet<_>>(), names, "{}", folder.display());
        for service in &ours.services {
            same(service, &services[&service.name], &folder);
        }
    }
}

fn same(service: &Service, theirs: &Value, folder: &Path) {
    let at = format!("{}: {}", folder.display(), service.name);
    assert_eq!(map(&service.labels), pairs(&theirs["labels"], true), "{at}: labels");
    let environment = pairs(&theirs["environment"], false);
    let ours = map(&service.environment);
    assert_eq!(ours, environment, "{at}: environment");
    let networks = match &service.networks {
        Networks::Mode(mode) => vec![mode.clone()],
        Networks::Of(networks) => networks.clone(),
    };
    let theirs = match (&theirs["network_mode"], &theirs["networks"]) {
        (Value::String(mode), _) => vec![mode.clone()],
        (_, Value::Object(networks)) => networks.keys().cloned().collect(),
        _ => vec!["default".to_owned()],
    };
    assert_eq!(networks, theirs, "{at}: networks");
}

fn map(said: &[Said]) -> BTreeMap<String, String> {
    said.iter().map(|said| (said.key.clone(), said.value.clone())).collect()
}

/// Python writes yes and no in its own way, and `config` writes dollars so that they could be read again.
fn pairs(value: &Value, is_label: bool) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten().filter_map(|(key, value)| {
        let text = match value {
            Value::Null if is_label => String::new(),
            Value::Null => return None,
            Value::String(text) => text.replace("$$", "$"),
            other => other.to_string(),
        };
        Some((key.clone(), text))
    });
    pairs.collect()
}

/// What `docker-compose config` says; None where it cannot be asked.
fn config(folder: &Path, case: &Case) -> Option<Value> {
    let mut command = Command::new("docker-compose");
    command.args(case.files.iter().flat_map(|file| ["-f", file]));
    command.env_clear().env("PATH", std::env::var_os("PATH")?).env("HOME", "/root");
    let said = command.arg("config").current_dir(folder).output().ok()?;
    assert!(said.status.success(), "{}: {}", folder.display(), String::from_utf8_lossy(&said.stderr));
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
    let mut python = Command::new("python3");
    let mut python = python.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    std::io::Write::write_all(&mut python.stdin.take()?, &said.stdout).ok()?;
    let json = python.wait_with_output().ok()?;
    serde_json::from_slice(&json.stdout).ok()
}
