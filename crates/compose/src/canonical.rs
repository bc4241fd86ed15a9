//! Each thing that can be written in several ways, in one, so that it can be merged: lists of `name=value` become mappings,
//! one word where a list may stand becomes a list, and paths begin where their file's begin.

use std::path::Path;

use crate::node::{Map, Merging, Node, Scalar, Value};
use crate::problem::{Fault, Problem};
use crate::source;
use crate::variables::Variables;

/// What labels and variables are, and one of them in a list.
const PAIRS: &str = "a mapping (name: value) or a list (- name=value)";
const PAIR: &str = "a text; write it as - name=value, or all of them without dashes";

/// Puts a service into its one form.
pub(crate) fn service(
    name: &str,
    node: &mut Node,
    directory: &Path,
    variables: &Variables<'_>,
    problems: &mut Vec<Problem>,
) {
    let mut writer = Writer { service: name, variables, problems };
    let Value::Map(fields) = &mut node.value else {
        if !node.is_null() || node.merging == Merging::Usual {
            writer.shape(node, "it".to_owned(), "a mapping; write at least its image");
        }
        node.value = Value::Map(Map::new());
        return;
    };
    if let Some(labels) = fields.get_mut("labels") {
        writer.pairs(labels, "label");
    }
    if let Some(Value::Map(deploy)) = fields.get_mut("deploy").map(|deploy| &mut deploy.value)
        && let Some(labels) = deploy.get_mut("labels")
    {
        writer.pairs(labels, "label");
    }
    if let Some(environment) = fields.get_mut("environment") {
        writer.pairs(environment, "variable");
    }
    if let Some(networks) = fields.get_mut("networks") {
        writer.names(networks);
    }
    for key in ["env_file", "label_file"] {
        if let Some(files) = fields.get_mut(key) {
            files.value = Value::List(files.each().to_vec());
            writer.paths(files, directory);
        }
    }
    if let Some(extends) = fields.get_mut("extends")
        && let Value::Scalar(_) = extends.value
    {
        let service = Node::new(extends.place.clone(), extends.value.clone());
        extends.value = Value::Map(Map::from([("service".to_owned(), service)]));
    }
}

struct Writer<'a, 'b> {
    service: &'a str,
    variables: &'a Variables<'b>,
    problems: &'a mut Vec<Problem>,
}

impl Writer<'_, '_> {
    fn shape(&mut self, node: &Node, what: String, wanted: &'static str) {
        self.problems.push(Fault::Shape { what, wanted }.at(&node.place).of(self.service));
    }

    /// Labels or variables. A label without a value is empty; a variable without one is as it is in the environment.
    fn pairs(&mut self, node: &mut Node, what: &'static str) {
        let given = std::mem::replace(&mut node.value, Value::Null);
        let mut pairs = Map::new();
        match given {
            Value::Null => return,
            Value::Map(map) => pairs = map,
            Value::List(list) => {
                for entry in list {
                    match entry.as_text() {
                        Some(text) => {
                            let (key, value) =
                                text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
                            let value = value.map_or(Value::Null, |value| Value::Scalar(Scalar::text(value)));
                            pairs.insert(key.to_owned(), Node::new(entry.place.clone(), value));
                        }
                        None => self.shape(&entry, format!("an entry in the list of {what}s"), PAIR),
                    }
                }
            }
            Value::Scalar(_) => self.shape(node, format!("what stands for {what}s"), PAIRS),
        }
        pairs.retain(|key, value| match &mut value.value {
            Value::Map(_) | Value::List(_) => {
                let wanted = "a text, a number, true or false; put it in quotes";
                self.shape(value, format!("{what} {key:?}"), wanted);
                false
            }
            Value::Scalar(_) => true,
            Value::Null if what == "label" => {
                value.value = Value::Scalar(Scalar::text(""));
                true
            }
            Value::Null => {
                value.value = self.variables.get(key).map_or(Value::Null, |text| Value::Scalar(Scalar::text(text)));
                true
            }
        });
        for (key, value) in &pairs {
            if key.contains("${") {
                self.problems.push(Fault::KeyTemplate(key.clone()).at(&value.place).of(self.service));
            }
        }
        node.value = Value::Map(pairs);
    }

    fn names(&mut self, node: &mut Node) {
        let Value::List(list) = &node.value else { return };
        let mut names = Map::new();
        let list = list.clone();
        for entry in list {
            match entry.as_text() {
                Some(name) => drop(names.insert(name.to_owned(), Node::new(entry.place.clone(), Value::Null))),
                None => self.shape(&entry, "an entry in the list of networks".to_owned(), "the name of one"),
            }
        }
        node.value = Value::Map(names);
    }

    fn paths(&mut self, node: &mut Node, directory: &Path) {
        let Value::List(files) = &mut node.value else { return };
        for file in files {
            let path = match &mut file.value {
                Value::Map(map) => map.get_mut("path"),
                _ => Some(file),
            };
            if let Some(Value::Scalar(path)) = path.map(|path| &mut path.value) {
                path.text = source::shown(&directory.join(&path.text));
            }
        }
    }
}
