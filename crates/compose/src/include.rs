//! Files that a file includes: each a project of its own, with its own folder and variables, whose services join.

use std::path::{Path, PathBuf};

use crate::load::{By, Context, Loader};
use crate::node::{Map, Node, Value};
use crate::problem::Fault;
use crate::{merge, source};

/// How many files include each other, one the next.
const DEEPEST: usize = 32;

/// Draws in what the document includes.
pub(crate) fn apply(loader: &mut Loader, document: &mut Map, path: &Path, context: &Context<'_>, open: &[PathBuf]) {
    let Some(include) = document.remove("include") else { return };
    if open.len() >= DEEPEST {
        loader.problems.push(Fault::TooDeep(DEEPEST).at(&include.place));
        return;
    }
    let mut open = open.to_vec();
    open.push(identity(path));
    for entry in include.each() {
        let included = one(loader, entry, context, &open);
        join(loader, document, included);
    }
}

/// The same file by whatever way it is reached.
fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn texts(node: Option<&Node>) -> Vec<String> {
    let nodes = node.map(Node::each).unwrap_or_default();
    nodes.iter().filter_map(Node::as_text).map(str::to_owned).collect()
}

fn one(loader: &mut Loader, entry: &Node, context: &Context<'_>, open: &[PathBuf]) -> Map {
    let paths = if entry.as_map().is_some() { texts(entry.get("path")) } else { texts(Some(entry)) };
    let Some(first) = paths.first() else {
        let wanted = "the path of a file, nor a mapping with `path:`";
        loader.problems.push(Fault::Shape { what: "an entry of include".to_owned(), wanted }.at(&entry.place));
        return Map::new();
    };
    if let Some(remote) = paths.iter().find(|path| source::is_remote(path)) {
        loader.problems.push(Fault::Remote(remote.clone()).at(&entry.place));
        return Map::new();
    }
    let directory = match entry.get("project_directory").and_then(Node::as_text) {
        Some(directory) => context.directory.join(directory),
        None => source::folder(&context.directory.join(first)).to_owned(),
    };
    let variables = variables(loader, entry, context, &directory);
    let inner = Context { directory, variables };
    let mut merged = Map::new();
    for path in &paths {
        let path = context.directory.join(path);
        let id = identity(&path);
        if open.contains(&id) {
            let chain: Vec<_> = open.iter().chain([&id]).map(|path| source::shown(path)).collect();
            loader.problems.push(Fault::IncludeCycle(chain.join(" → ")).at(&entry.place));
            continue;
        }
        merged = loader.file(&path, By::File, &inner, merged, open);
    }
    merged
}

/// What the one who includes has, and behind it what the included file's own `.env` says.
fn variables<'a>(
    loader: &mut Loader,
    entry: &Node,
    context: &Context<'a>,
    directory: &Path,
) -> crate::variables::Variables<'a> {
    let named = texts(entry.get("env_file"));
    let own = directory.join(".env");
    let files: Vec<PathBuf> = match named.as_slice() {
        [] if own.is_file() => vec![own],
        named => named.iter().map(|file| context.directory.join(file)).collect(),
    };
    let mut variables = context.variables.clone();
    for file in files.iter().rev() {
        let found = loader.variables(file, By::File, &context.variables, false);
        variables = variables.with(found.into_iter().filter_map(|found| Some((found.name, found.value?))));
    }
    variables
}

/// What a file has itself stays.
fn join(loader: &mut Loader, document: &mut Map, included: Map) {
    for (key, node) in included {
        match (key.as_str(), document.get_mut(&key).map(|own| &mut own.value), node.value) {
            ("name" | "version", ..) => {}
            (_, Some(Value::Map(own)), Value::Map(others)) => {
                for (name, other) in others {
                    match own.get(&name) {
                        Some(mine) if key == "services" => {
                            // The same file may be included by two others.
                            if mine.place != other.place {
                                loader.problems.push(Fault::Conflict(name).at(&mine.place));
                            }
                        }
                        Some(_) => {}
                        None => drop(own.insert(name, other)),
                    }
                }
            }
            (_, None | Some(Value::Null), value) => {
                document.extend(merge::settled(Node::new(node.place, value)).map(|node| (key, node)));
            }
            _ => {}
        }
    }
}
