//! Services that begin as others: in the same file, or in another one.

use std::path::{Path, PathBuf};

use crate::load::{By, Context, Loader};
use crate::merge;
use crate::node::{Map, Node, Value};
use crate::problem::{Fault, Place};
use crate::source;

/// How many services extend each other, one the next.
const DEEPEST: usize = 48;

/// Finds what the services of one document extend.
pub(crate) struct Extender<'a, 'b> {
    loader: &'a mut Loader,
    context: &'a Context<'b>,
    /// The document, and behind it the other files that it needs.
    rooms: Vec<Room>,
    /// The services of the files before the document.
    earlier: Option<&'a Map>,
}

/// The services of a file.
struct Room {
    path: PathBuf,
    /// Where the paths in it begin.
    directory: PathBuf,
    /// As they were written.
    raw: Map,
    /// With what they extend.
    done: Map,
}

impl<'a, 'b> Extender<'a, 'b> {
    pub(crate) fn new(loader: &'a mut Loader, context: &'a Context<'b>, path: &Path) -> Self {
        let room =
            Room { path: path.to_owned(), directory: context.directory.clone(), raw: Map::new(), done: Map::new() };
        Self { loader, context, rooms: vec![room], earlier: None }
    }

    /// Gives each service of the document what it extends. `earlier` has those of the files before.
    pub(crate) fn apply(mut self, document: &mut Map, earlier: &'a Map) {
        let Some(Value::Map(services)) = document.get_mut("services").map(|node| &mut node.value) else { return };
        let extends = |node: &Node| node.get("extends").is_some();
        if !services.values().any(extends) {
            return;
        }
        self.earlier = earlier.get("services").and_then(Node::as_map);
        self.rooms[0].raw = std::mem::take(services);
        let names: Vec<_> = self.rooms[0].raw.keys().cloned().collect();
        for name in names {
            if let Some(node) = self.service(0, &name, &mut Vec::new()) {
                services.insert(name, node);
            }
        }
    }

    /// A service with all that it extends. `open` are those that extend it.
    fn service(&mut self, room: usize, name: &str, open: &mut Vec<(usize, String)>) -> Option<Node> {
        let at = &self.rooms[room];
        let earlier = self.earlier.filter(|_| room == 0 && !at.raw.contains_key(name));
        if let Some(node) = at.done.get(name).or_else(|| earlier?.get(name)) {
            let node = node.clone();
            return self.copy(&node, name);
        }
        let mut node = at.raw.get(name)?.clone();
        let Value::Map(fields) = &mut node.value else { return Some(node) };
        if let Some(extends) = fields.remove("extends").filter(|extends| !extends.is_null()) {
            let id = (room, name.to_owned());
            if open.contains(&id) || open.len() > DEEPEST {
                let chain = open.iter().map(|(_, name)| name.as_str()).chain([name]).collect::<Vec<_>>().join(" → ");
                let fault = if open.contains(&id) { Fault::ExtendsCycle(chain) } else { Fault::TooDeep(DEEPEST) };
                self.loader.note(fault.at(&extends.place), Some(name));
                return None;
            }
            open.push(id);
            let base = self.base(room, name, &extends, open);
            open.pop();
            if let Some(base) = base {
                let place = node.place.clone();
                node =
                    merge::nodes(name, base, node).unwrap_or_else(|| Node::new(place.clone(), Value::Map(Map::new())));
                node.place = place;
            }
        }
        let copy = self.copy(&node, name)?;
        self.rooms[room].done.insert(name.to_owned(), copy);
        Some(node)
    }

    fn copy(&mut self, node: &Node, name: &str) -> Option<Node> {
        let copy = self.loader.budget.copy(node);
        copy.map_err(|fault| self.loader.note(fault.at(&node.place), Some(name))).ok()
    }

    /// What a service begins as.
    fn base(&mut self, room: usize, name: &str, extends: &Node, open: &mut Vec<(usize, String)>) -> Option<Node> {
        let Some(wanted) = extends.get("service").and_then(Node::as_text) else {
            let wanted = "complete; write the service that it extends (extends: {service: base})";
            self.loader.note(Fault::Shape { what: "extends".to_owned(), wanted }.at(&extends.place), Some(name));
            return None;
        };
        let other = match extends.get("file").and_then(Node::as_text) {
            None => room,
            Some(file) => self.room(room, file, &extends.place, name)?,
        };
        let before = self.loader.problems.len();
        let found = self.service(other, wanted, open).and_then(merge::settled);
        if found.is_none() && self.loader.problems.len() == before {
            self.loader.note(Fault::NoBase(wanted.to_owned()).at(&extends.place), Some(name));
        }
        found
    }

    /// The room of another file.
    fn room(&mut self, from: usize, file: &str, place: &Place, service: &str) -> Option<usize> {
        if source::is_remote(file) {
            self.loader.note(Fault::Remote(file.to_owned()).at(place), Some(service));
            return None;
        }
        let path = self.rooms[from].directory.join(file);
        if let Some(known) = self.rooms.iter().position(|room| room.path == path) {
            return Some(known);
        }
        let directory = source::folder(&path).to_owned();
        let context = Context { directory: directory.clone(), variables: self.context.variables.clone() };
        let mut documents = self.loader.documents(&path, By::File, &context).into_iter();
        let mut merged = documents.next()?;
        for document in documents {
            merged = merge::maps(merged, document);
        }
        let raw = match merged.remove("services").map(|node| node.value) {
            Some(Value::Map(services)) => services,
            _ => Map::new(),
        };
        self.rooms.push(Room { path, directory, raw, done: Map::new() });
        Some(self.rooms.len() - 1)
    }
}
