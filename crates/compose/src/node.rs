//! A file as a tree, in which everything knows where it was written.

use std::collections::BTreeMap;

use crate::problem::Place;

/// What stands at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Where its key was written, or itself where it has none.
    pub(crate) place: Place,
    /// How it is merged, where its author says so.
    pub(crate) merging: Merging,
    pub(crate) value: Value,
}

/// How something is merged with what earlier files say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Merging {
    /// As Compose merges that kind of thing.
    #[default]
    Usual,
    /// `!reset`: what earlier files say goes away, and nothing comes in its place.
    Reset,
    /// `!override`: what earlier files say goes away.
    Override,
}

/// The mappings are in the order of their keys. Compose makes no difference by order, nor do we.
pub(crate) type Map = BTreeMap<String, Node>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Map),
}

/// A text, or what YAML takes for a number or for yes and no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// As Compose writes it where a text is wanted.
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Bool,
    Number,
}

impl Scalar {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: Kind::Text }
    }
}

impl Node {
    pub(crate) fn new(place: Place, value: Value) -> Self {
        Self { place, merging: Merging::Usual, value }
    }

    /// How deep things stand in it.
    pub(crate) fn height(&self) -> usize {
        match &self.value {
            Value::Null | Value::Scalar(_) => 0,
            Value::List(list) => 1 + list.iter().map(Self::height).max().unwrap_or(0),
            Value::Map(map) => 1 + map.values().map(Self::height).max().unwrap_or(0),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    pub(crate) fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// What it says where a text, a number, or yes and no is wanted.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// What it has under that key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key).filter(|node| !node.is_null())
    }

    /// One thing, or a list of them.
    pub(crate) fn each(&self) -> &[Self] {
        match &self.value {
            Value::Null => &[],
            Value::List(list) => list,
            Value::Scalar(_) | Value::Map(_) => std::slice::from_ref(self),
        }
    }
}
