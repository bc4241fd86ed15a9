//! Two files, or a service and what it extends: mappings merge key by key, lists grow, and of the rest the last one wins.

use crate::node::{Map, Merging, Node, Value};

/// Lists of which the last one wins.
const REPLACED: &[&str] = &["command", "entrypoint", "test"];

/// Where a key without a value says something.
const SAYS_NOTHING: &str = "environment";

/// Merges what the later one says into what the earlier one says.
pub(crate) fn maps(base: Map, over: Map) -> Map {
    under("", base, over)
}

/// `key` is the one under which both stand.
pub(crate) fn under(key: &str, mut base: Map, over: Map) -> Map {
    for (name, node) in over {
        let merged = match base.remove(&name) {
            None => settled(node),
            Some(earlier) => {
                if node.is_null() && key == SAYS_NOTHING {
                    settled(node)
                } else {
                    nodes(&name, earlier, node)
                }
            }
        };
        if let Some(merged) = merged {
            base.insert(name, merged);
        }
    }
    base
}

/// What comes of two nodes under that key; None for nothing.
pub(crate) fn nodes(key: &str, base: Node, over: Node) -> Option<Node> {
    match over.merging {
        Merging::Reset => return None,
        Merging::Override => return settled(over),
        Merging::Usual => {}
    }
    let place = over.place;
    let value = match (base.value, over.value) {
        (earlier, Value::Null) => return Some(Node::new(base.place, earlier)),
        (Value::Map(earlier), Value::Map(later)) => {
            return Some(Node::new(base.place, Value::Map(under(key, earlier, later))));
        }
        (Value::List(mut earlier), Value::List(later)) if !REPLACED.contains(&key) => {
            earlier.extend(later.into_iter().filter_map(settled));
            Value::List(earlier)
        }
        (_, later) => return settled(Node::new(place, later)),
    };
    Some(Node::new(place, value))
}

/// A node with nothing before it: what is to be reset is not there, and what is to be overridden is.
pub(crate) fn settled(node: Node) -> Option<Node> {
    if node.merging == Merging::Reset {
        return None;
    }
    let value = match node.value {
        Value::Map(map) => {
            let mut there = Map::new();
            there.extend(map.into_iter().filter_map(|(key, inner)| Some((key, settled(inner)?))));
            Value::Map(there)
        }
        Value::List(list) => Value::List(list.into_iter().filter_map(settled).collect()),
        value => value,
    };
    Some(Node::new(node.place, value))
}
