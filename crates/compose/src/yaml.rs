//! Text to a tree. Merge keys are merged here; aliases are copies, which the budget bounds.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput, Tag};

use crate::budget::Budget;
use crate::node::{Map, Merging, Node, Scalar, Value};
use crate::problem::{Fault, Place, Problem};
use crate::scalar;

/// How deep things stand in each other. Compose needs eight levels.
const DEEPEST: usize = 48;

/// The key that draws in other mappings.
const MERGE: &str = "<<";

/// Reads all documents of a file. What is wrong with parts of it goes to `problems`.
///
/// # Errors
/// It cannot be read at all.
pub(crate) fn read(
    file: &str,
    text: &str,
    budget: &mut Budget,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Node>, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parser = Parser::new_from_str(text);
    let mut reader = Reader { file: file.into(), parser, anchors: HashMap::new(), budget, problems };
    let mut documents = Vec::new();
    loop {
        let (event, place) = reader.next()?;
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            Event::StreamEnd => return Ok(documents),
            event => documents.push(reader.node(event, place, 0)?),
        }
    }
}

struct Reader<'a, 'b> {
    file: Arc<str>,
    parser: Parser<'a, StrInput<'a>>,
    /// What aliases stand for. A node that is not complete is not here, so that none has itself in it.
    anchors: HashMap<usize, Anchored>,
    budget: &'b mut Budget,
    problems: &'b mut Vec<Problem>,
}

/// What an alias stands for.
struct Anchored {
    node: Node,
    /// How deep things stand in it. Aliases in aliases would otherwise dig as deep as they like.
    height: usize,
}

impl<'a> Reader<'a, '_> {
    fn next(&mut self) -> Result<(Event<'a>, Place), Problem> {
        match self.parser.next_event() {
            None => Ok((Event::StreamEnd, Place { file: Arc::clone(&self.file), line: 0 })),
            Some(Ok((event, span))) => Ok((event, self.place(span.start))),
            Some(Err(error)) => Err(self.syntax(&error)),
        }
    }

    fn place(&self, marker: Marker) -> Place {
        Place { file: Arc::clone(&self.file), line: marker.line() }
    }

    fn syntax(&self, error: &ScanError) -> Problem {
        Fault::Syntax(error.info().to_owned()).at(&self.place(*error.marker()))
    }

    fn node(&mut self, event: Event<'a>, place: Place, depth: usize) -> Result<Node, Problem> {
        if depth > DEEPEST {
            return Err(Fault::TooDeep(DEEPEST).at(&place));
        }
        let (value, anchor, tag) = match event {
            Event::Alias(id) => return self.alias(id, &place, depth),
            Event::Scalar(text, style, anchor, tag) => {
                self.budget.text(text.len()).map_err(|fault| fault.at(&place))?;
                (scalar(&text, style, tag.as_deref()), anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => (Value::List(self.list(&place, depth)?), anchor, tag),
            Event::MappingStart(anchor, tag) => (Value::Map(self.map(&place, depth)?), anchor, tag),
            _ => return Err(Fault::Syntax("it ends too early".to_owned()).at(&place)),
        };
        let node = Node { place, merging: merging(tag.as_deref()), value };
        if anchor != 0 {
            let copy = self.budget.copy(&node).map_err(|fault| fault.at(&node.place))?;
            self.anchors.insert(anchor, Anchored { height: copy.height(), node: copy });
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, place: &Place, depth: usize) -> Result<Node, Problem> {
        let Some(Anchored { node, height }) = self.anchors.get(&id) else {
            return Err(Fault::Syntax("an alias (*name) stands inside of what it names".to_owned()).at(place));
        };
        if depth + height > DEEPEST {
            return Err(Fault::TooDeep(DEEPEST).at(place));
        }
        self.budget.copy(node).map_err(|fault| fault.at(place))
    }

    fn list(&mut self, place: &Place, depth: usize) -> Result<Vec<Node>, Problem> {
        self.budget.text(0).map_err(|fault| fault.at(place))?;
        let mut list = Vec::new();
        loop {
            let (event, place) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(list);
            }
            list.push(self.node(event, place, depth + 1)?);
        }
    }

    fn map(&mut self, place: &Place, depth: usize) -> Result<Map, Problem> {
        self.budget.text(0).map_err(|fault| fault.at(place))?;
        let mut map = Map::new();
        let mut drawn_in = Vec::new();
        loop {
            let (event, place) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let is_merge = matches!(&event, Event::Scalar(key, ScalarStyle::Plain, ..) if key == MERGE);
            let key = self.node(event, place, depth + 1)?;
            let place = key.place;
            let Some(key) = key_text(key.value) else {
                return Err(Fault::Syntax("a key is a list or a mapping".to_owned()).at(&place));
            };
            let (event, inner) = self.next()?;
            let mut value = self.node(event, inner, depth + 1)?;
            if is_merge {
                drawn_in.push(value);
                continue;
            }
            value.place = place;
            if map.contains_key(&key) {
                self.problems.push(Fault::Twice(key.clone()).at(&value.place));
            }
            map.insert(key, value);
        }
        drawn_in.into_iter().for_each(|value| self.draw_in(&mut map, value));
        Ok(map)
    }

    /// What the mapping says itself wins, and of several others the first.
    fn draw_in(&mut self, map: &mut Map, value: Node) {
        match value.value {
            Value::Map(others) => {
                for (key, node) in others {
                    map.entry(key).or_insert(node);
                }
            }
            Value::List(list) if list.iter().all(|node| node.as_map().is_some()) => {
                list.into_iter().for_each(|node| self.draw_in(map, node));
            }
            _ => {
                let wanted = "a mapping, or a list of mappings (<<: *name)";
                self.problems.push(Fault::Shape { what: MERGE.to_owned(), wanted }.at(&value.place));
            }
        }
    }
}

fn key_text(value: Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Scalar(scalar) => Some(scalar.text),
        Value::List(_) | Value::Map(_) => None,
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
    if style == ScalarStyle::Plain && !is_text { scalar::plain(text) } else { Value::Scalar(Scalar::text(text)) }
}

fn merging(tag: Option<&Tag>) -> Merging {
    match tag.map(|tag| (tag.handle.as_str(), tag.suffix.as_str())) {
        Some(("!", "reset")) => Merging::Reset,
        Some(("!", "override")) => Merging::Override,
        _ => Merging::Usual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (Result<Vec<Node>, Problem>, Vec<Problem>) {
        let mut problems = Vec::new();
        (read("a.yaml", text, &mut Budget::default(), &mut problems), problems)
    }

    fn first(text: &str) -> Node {
        of(text).0.expect("YAML").remove(0)
    }

    #[test]
    fn merge_keys_lines_and_tags() {
        let node = first("x: &x\n  a: 1\n  b: 2\ny: &y {b: 3, c: 4}\nz:\n  <<: [*x, *y]\n  a: '0'\nr: !reset null\n");
        let z = node.get("z").expect("z");
        let texts: Vec<_> = ["a", "b", "c"].map(|key| z.get(key).and_then(Node::as_text)).into_iter().collect();
        assert_eq!(texts, [Some("0"), Some("2"), Some("4")]);
        assert_eq!((z.place.line, z.get("b").map(|node| node.place.line)), (5, Some(3)));
        assert_eq!(node.as_map().and_then(|map| map.get("r")).map(|node| node.merging), Some(Merging::Reset));
        assert_eq!(of("---\na: 1\n---\nb: 2\n").0.expect("two").len(), 2);
    }

    #[test]
    fn what_is_refused() {
        for (text, why) in [
            ("a: [", "not YAML"),
            ("a: &a [*a]", "inside of what it names"),
            ("[a]: b", "a key is a list"),
            ("a: *nowhere", "not YAML"),
        ] {
            let problem = of(text).0.expect_err(text);
            assert!(problem.to_string().contains(why), "{problem}");
        }
        assert_eq!(
            of("a: 1\nb: 2\na: 3\n").1[0].to_string(),
            "a.yaml:3: \"a\" stands twice in the same mapping; remove one of them"
        );
        assert_eq!(of("<<: 5").1.len(), 1);
    }

    #[test]
    fn bombs_and_wells() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let last = format!("*a{}", level - 1);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", [last.as_str(); 9].join(", ")));
        }
        assert_eq!(of(&bomb).0.expect_err("a bomb").fault, Fault::TooLarge);
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(400_000), "*a, ".repeat(100_000));
        assert_eq!(of(&long).0.expect_err("a long one").fault, Fault::TooLarge);
        let mut stairs = "a0: &a0 [x]\n".to_owned();
        for level in 1..5000 {
            stairs.push_str(&format!("a{level}: &a{level} [[[[[*a{}]]]]]\n", level - 1));
        }
        assert_eq!(of(&stairs).0.expect_err("stairs").fault, Fault::TooDeep(DEEPEST));
        for well in ["[".repeat(500_000), "{a: ".repeat(100_000), "- ".repeat(300_000)] {
            assert!(of(&well).0.is_err());
        }
    }
}
