//! One file with all that it draws in.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::budget::Budget;
use crate::extends::Extender;
use crate::interpolate::interpolate;
use crate::node::{Map, Node, Value};
use crate::problem::{Fault, Level, Place, Problem};
use crate::variables::Variables;
use crate::{canonical, dotenv, include, merge, source, yaml};

/// Most files that a project draws in; a file of variables counts once for each service that names it.
const MOST: usize = 2000;

/// Most problems that are told: a file of nothing else has a hundred thousand.
const MOST_PROBLEMS: usize = 1000;

/// What all files of a project share while they are read.
#[derive(Debug, Default)]
pub(crate) struct Loader {
    pub(crate) problems: Vec<Problem>,
    pub(crate) budget: Budget,
    /// Variables that were missed already. One line for each is enough.
    unset: BTreeSet<String>,
    files: usize,
    /// Texts that were read already: standard input can be read once.
    texts: HashMap<PathBuf, String>,
}

/// Where the paths in a file begin, and what its variables stand for.
#[derive(Clone, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) directory: PathBuf,
    pub(crate) variables: Variables<'a>,
}

/// Who draws a file in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The user named it.
    User,
    /// A file named it.
    File,
}

impl Loader {
    /// Reads a file and merges it over what `last` has. `open` are the files that include it.
    pub(crate) fn file(&mut self, path: &Path, by: By, context: &Context<'_>, last: Map, open: &[PathBuf]) -> Map {
        let mut merged = last;
        for mut document in self.documents(path, by, context) {
            Extender::new(self, context, path).apply(&mut document, &merged);
            include::apply(self, &mut document, path, context, open);
            merged = merge::maps(merged, document);
        }
        merged
    }

    /// What the files say that the project is called. What is wrong with them is told when they are read for good.
    pub(crate) fn name(&mut self, files: &[PathBuf], variables: &Variables<'_>) -> Option<String> {
        let mut name = None;
        for file in files {
            let Some(text) = self.text(file, By::User) else { continue };
            let (mut budget, mut ignored) = (Budget::default(), Vec::new());
            let documents = yaml::read("", &text, &mut budget, &mut ignored).unwrap_or_default();
            let said = |document: &Node| document.get("name").and_then(Node::as_text).map(str::to_owned);
            let said = documents.iter().filter_map(said).next_back();
            let filled = said.and_then(|said| interpolate(&said, &|name| variables.get(name), &mut Vec::new()).ok());
            name = filled.or(name);
            self.texts.insert(file.clone(), text);
        }
        name
    }

    /// The documents of a file, with their variables filled in and all in one form.
    pub(crate) fn documents(&mut self, path: &Path, by: By, context: &Context<'_>) -> Vec<Map> {
        let shown = source::shown(path);
        let Some(text) = self.text(path, by) else { return Vec::new() };
        let read = yaml::read(&shown, &text, &mut self.budget, &mut self.problems);
        let documents = read.unwrap_or_else(|problem| {
            self.problems.push(problem);
            Vec::new()
        });
        documents.into_iter().filter_map(|document| self.document(document, context)).collect()
    }

    /// The text of a file, unless there have been too many.
    pub(crate) fn text(&mut self, path: &Path, by: By) -> Option<String> {
        if let Some(text) = self.texts.remove(path) {
            return Some(text);
        }
        self.files += 1;
        if self.files > MOST {
            if self.files == MOST + 1 {
                self.problems.push(Fault::TooManyFiles(MOST).nowhere());
            }
            return None;
        }
        let read = if by == By::User { source::named(path) } else { source::drawn_in(path) };
        read.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn document(&mut self, mut document: Node, context: &Context<'_>) -> Option<Map> {
        if document.is_null() {
            return None;
        }
        let Value::Map(map) = &mut document.value else {
            let wanted = "a mapping with `services:` in it";
            self.problems.push(Fault::Shape { what: "the file".to_owned(), wanted }.at(&document.place));
            return None;
        };
        for (key, node) in &mut *map {
            match &mut node.value {
                Value::Map(services) if key == "services" => {
                    for (name, service) in services {
                        self.fill(service, Some(name), &context.variables);
                        canonical::service(name, service, &context.directory, &context.variables, &mut self.problems);
                    }
                }
                Value::Null if key == "services" => {}
                _ if key == "services" => {
                    let wanted = "a mapping from names to services";
                    self.problems.push(Fault::Shape { what: key.clone(), wanted }.at(&node.place));
                    node.value = Value::Null;
                }
                _ => self.fill(node, None, &context.variables),
            }
        }
        match document.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Puts values in the place of variables.
    fn fill(&mut self, node: &mut Node, service: Option<&str>, variables: &Variables<'_>) {
        match &mut node.value {
            Value::Null => {}
            Value::List(list) => list.iter_mut().for_each(|inner| self.fill(inner, service, variables)),
            Value::Map(map) => map.values_mut().for_each(|inner| self.fill(inner, service, variables)),
            Value::Scalar(scalar) if scalar.text.contains('$') => {
                let mut unset = Vec::new();
                let filled = interpolate(&scalar.text, &|name| variables.get(name), &mut unset);
                let filled = filled.and_then(|text| self.budget.text(text.len()).map(|()| text));
                scalar.text = match filled {
                    Ok(text) => text,
                    Err(fault) => {
                        self.note(fault.at(&node.place), service);
                        String::new()
                    }
                };
                for name in unset {
                    if self.unset.insert(name.clone()) {
                        self.note(Fault::Unset(name).at(&node.place), service);
                    }
                }
            }
            Value::Scalar(_) => {}
        }
    }

    pub(crate) fn note(&mut self, problem: Problem, service: Option<&str>) {
        self.problems.push(match service {
            Some(service) => problem.of(service),
            None => problem,
        });
    }

    /// The variables in a file.
    pub(crate) fn variables(
        &mut self,
        path: &Path,
        by: By,
        variables: &Variables<'_>,
        is_raw: bool,
    ) -> Vec<dotenv::Variable> {
        let Some(text) = self.text(path, by) else { return Vec::new() };
        let lookup = |name: &str| variables.get(name);
        let mut found = Vec::new();
        let read = dotenv::read(&source::shown(path), &text, &lookup, is_raw, &mut found);
        let unset = &mut self.unset;
        found.retain(|problem| !matches!(&problem.fault, Fault::Unset(name) if !unset.insert(name.clone())));
        self.problems.extend(found);
        read
    }

    /// What was found, in the order of the files: the worst first where there is too much of it.
    pub(crate) fn finish(mut self) -> Vec<Problem> {
        if self.problems.len() > MOST_PROBLEMS {
            let is_error = |problem: &Problem| problem.fault.level() == Level::Error;
            let (errors, others): (Vec<_>, Vec<_>) = self.problems.into_iter().partition(is_error);
            self.problems = errors.into_iter().chain(others).take(MOST_PROBLEMS).collect();
        }
        let line = |problem: &Problem| problem.place.as_ref().map(|place| (Place::clone(place), problem.to_string()));
        self.problems.sort_by_cached_key(line);
        self.problems.dedup();
        self.problems
    }
}
