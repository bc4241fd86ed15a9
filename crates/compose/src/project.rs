//! What is asked for, and what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::find;
use crate::load::{By, Context, Loader};
use crate::name;
use crate::node::{Kind, Map, Node, Value};
use crate::problem::{Fault, Place, Problem};
use crate::service::{self, Said, Service};
use crate::source;
use crate::variables::Variables;

/// What is asked for, as on the command line of Compose.
pub struct Request<'a> {
    /// The folder where the user is.
    pub directory: PathBuf,
    /// The files, the last of which wins; `-` is standard input. Empty for those that Compose would find.
    pub files: Vec<PathBuf>,
    /// Files of variables; empty for the `.env` beside the first file.
    pub env_files: Vec<PathBuf>,
    /// The profiles that are on. Empty for those in `COMPOSE_PROFILES`.
    pub profiles: Vec<String>,
    /// What the project is called, where that is not for the files and the folder to say.
    pub project: Option<String>,
    /// The environment of the process.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("directory", &self.directory)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// A project, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// What it is called.
    pub name: String,
    /// The files that were named or found, as the user would write them.
    pub files: Vec<String>,
    /// Its services, in the order of their names.
    pub services: Vec<Service>,
    /// Services whose profiles are all off.
    pub skipped: Vec<Skipped>,
    /// Its networks by their keys in the files.
    pub networks: BTreeMap<String, Network>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// A service whose profiles are all off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name.
    pub service: String,
    /// Its profiles.
    pub profiles: Vec<String>,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// What the engine calls it.
    pub name: String,
    /// Whether somebody else makes it.
    pub is_external: bool,
}

/// The profile that stands for all.
const EVERY: &str = "*";

/// Reads a project.
#[must_use]
pub fn load(request: &Request<'_>) -> Project {
    let mut loader = Loader::default();
    let plain = Variables::new(request.environment);
    let files = files(request, &plain);
    let Some(first) = files.first() else {
        loader.problems.push(Fault::NoFile.nowhere());
        let (services, skipped, networks) = Default::default();
        return Project {
            name: String::new(),
            files: Vec::new(),
            services,
            skipped,
            networks,
            problems: loader.finish(),
        };
    };
    let is_stdin = first == Path::new(source::STDIN);
    let directory = if is_stdin { request.directory.clone() } else { source::folder(first).to_owned() };
    let variables = variables(request, &directory, &plain, &mut loader);
    let name = project_name(request, &files, &directory, &variables, &mut loader);
    // Files may use the name that is not known before they are read.
    let variables = variables.with([("COMPOSE_PROJECT_NAME".to_owned(), name.clone())]);
    let context = Context { directory, variables };
    let mut merged = Map::new();
    for file in &files {
        merged = loader.file(file, By::User, &context, merged, &[]);
    }
    let on = profiles(request, &context.variables);
    let networks = networks(merged.get("networks"), &name);
    let shown: Vec<_> = files.iter().map(|file| source::shown(file)).collect();
    let (services, skipped) = services(&merged, &name, &on, &context.variables, &mut loader);
    let is_nothing = services.is_empty() && skipped.is_empty();
    if is_nothing && loader.problems.iter().all(|problem| problem.fault.level() != crate::Level::Error) {
        loader.problems.push(Fault::NoServices.at(&Place::whole(&shown[0])));
    }
    Project { name, files: shown, services, skipped, networks, problems: loader.finish() }
}

/// The files that are named, on the command line or in `COMPOSE_FILE`, or found.
fn files(request: &Request<'_>, plain: &Variables<'_>) -> Vec<PathBuf> {
    let at = |file: &Path| {
        let is_stdin = file == Path::new(source::STDIN);
        if is_stdin { file.to_owned() } else { find::plain(&request.directory.join(file)) }
    };
    if !request.files.is_empty() {
        return request.files.iter().map(|file| at(file)).collect();
    }
    // Whatever is wrong in `.env` is told when it is read for good.
    let all = variables(request, &request.directory, plain, &mut Loader::default());
    match all.get("COMPOSE_FILE").filter(|said| !said.is_empty()) {
        Some(said) => {
            let separator = all.get("COMPOSE_PATH_SEPARATOR").filter(|said| !said.is_empty());
            let separator = separator.unwrap_or_else(|| ":".to_owned());
            said.split(separator.as_str()).filter(|file| !file.is_empty()).map(|file| at(Path::new(file))).collect()
        }
        None => find::find(&request.directory),
    }
}

/// The environment, and behind it the files of variables, the last of which wins.
fn variables<'a>(request: &Request<'_>, directory: &Path, plain: &Variables<'a>, loader: &mut Loader) -> Variables<'a> {
    let own = directory.join(".env");
    let files: Vec<PathBuf> = match request.env_files.as_slice() {
        [] if own.is_file() => vec![own],
        named => named.iter().map(|file| find::plain(&request.directory.join(file))).collect(),
    };
    let mut values = Vec::new();
    for file in &files {
        // A later file may use what an earlier one says.
        let known = plain.with(values.iter().rev().cloned());
        let found = loader.variables(file, By::User, &known, false);
        values.extend(found.into_iter().filter_map(|found| Some((found.name, found.value?))));
    }
    values.reverse();
    plain.with(values)
}

fn project_name(
    request: &Request<'_>,
    files: &[PathBuf],
    directory: &Path,
    variables: &Variables<'_>,
    loader: &mut Loader,
) -> String {
    let said = |text: String| Some(text).filter(|text| !text.is_empty());
    let name = request
        .project
        .clone()
        .and_then(said)
        .or_else(|| variables.get("COMPOSE_PROJECT_NAME").and_then(said))
        .or_else(|| loader.name(files, variables).and_then(said))
        .unwrap_or_else(|| name::of_folder(directory));
    let normal = name::normal(&name);
    if normal.is_empty() {
        loader.problems.push(Fault::NoName(name).nowhere());
    }
    normal
}

fn profiles(request: &Request<'_>, variables: &Variables<'_>) -> BTreeSet<String> {
    let said = if request.profiles.is_empty() { variables.get("COMPOSE_PROFILES") } else { None };
    let said: Vec<_> = said.iter().flat_map(|said| said.split(',')).map(|name| name.trim().to_owned()).collect();
    let mut profiles = BTreeSet::new();
    profiles.extend(request.profiles.iter().cloned().chain(said).filter(|name| !name.is_empty()));
    profiles
}

fn networks(node: Option<&Node>, project: &str) -> BTreeMap<String, Network> {
    let written = node.and_then(Node::as_map).into_iter().flatten();
    let network = |(key, node): (&String, &Node)| {
        let external = node.get("external");
        let is_external = external.is_some_and(|node| match &node.value {
            Value::Scalar(scalar) => scalar.text == "true",
            _ => true,
        });
        // Before version 3.5 the name stood under `external`.
        let named = node.get("name").or_else(|| external?.get("name")).and_then(Node::as_text);
        let plain = if is_external { key.clone() } else { format!("{project}_{key}") };
        let name = named.map_or(plain, str::to_owned);
        (key.clone(), Network { name, is_external })
    };
    let mut networks = BTreeMap::new();
    networks.extend(written.map(network));
    let default = || Network { name: format!("{project}_default"), is_external: false };
    networks.entry("default".to_owned()).or_insert_with(default);
    networks
}

fn services(
    merged: &Map,
    project: &str,
    on: &BTreeSet<String>,
    variables: &Variables<'_>,
    loader: &mut Loader,
) -> (Vec<Service>, Vec<Skipped>) {
    let (mut services, mut skipped) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (name, node) in merged.get("services").and_then(Node::as_map).into_iter().flatten() {
        let texts = node.get("profiles").map(Node::each).unwrap_or_default().iter().filter_map(Node::as_text);
        let profiles: Vec<String> = texts.map(str::to_owned).collect();
        seen.extend(profiles.iter().cloned());
        let is_on = profiles.is_empty() || on.contains(EVERY) || profiles.iter().any(|profile| on.contains(profile));
        if !is_on {
            skipped.push(Skipped { service: name.clone(), profiles });
            continue;
        }
        let mut service = service::read(name, node, project, &mut loader.problems);
        let files = from_files(node, "env_file", variables, loader);
        service.environment = over(files, service.environment);
        let files = from_files(node, "label_file", variables, loader);
        service.labels = over(files, service.labels);
        services.push(service);
    }
    for name in on.iter().filter(|name| *name != EVERY && !seen.contains(*name)) {
        loader.problems.push(Fault::NoSuchProfile(name.clone()).nowhere());
    }
    (services, skipped)
}

/// What the files that a service names say, the last of which wins.
fn from_files(node: &Node, key: &str, variables: &Variables<'_>, loader: &mut Loader) -> Vec<Said> {
    let mut said = Vec::new();
    for entry in node.get(key).map(Node::each).unwrap_or_default() {
        let path = entry.get("path").unwrap_or(entry);
        let Some(path) = path.as_text().map(PathBuf::from) else { continue };
        let is = |key: &str, kind, wanted: &str| match entry.get(key).map(|node| &node.value) {
            Some(Value::Scalar(scalar)) => scalar.kind == kind && scalar.text == wanted,
            _ => false,
        };
        if is("required", Kind::Bool, "false") && !path.exists() {
            continue;
        }
        let mut more = Vec::new();
        for found in loader.variables(&path, By::File, variables, is("format", Kind::Text, "raw")) {
            let Some(value) = found.value else { continue };
            // A large file may be named by many services.
            if let Err(fault) = loader.budget.text(value.len()) {
                loader.problems.push(fault.at(&found.place));
                return said;
            }
            more.push(Said { key: found.name, value, place: found.place });
        }
        said = over(said, more);
    }
    said
}

/// One of each name, the last one.
fn over(base: Vec<Said>, more: Vec<Said>) -> Vec<Said> {
    let mut last = BTreeMap::new();
    last.extend(base.into_iter().chain(more).map(|said| (said.key.clone(), said)));
    last.into_values().collect()
}
