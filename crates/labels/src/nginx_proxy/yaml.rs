//! As much of YAML as a value of ours needs: texts in mappings in mappings. No aliases, by which a few lines become gigabytes.

use saphyr_parser::{Event, Parser};

/// The longest value that is read.
const LONGEST: usize = 64 * 1024;

/// How deep mappings stand in each other: hosts, paths, settings, and one more to say what is wrong.
const DEEPEST: usize = 4;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Yaml {
    /// A text, a number, or nothing at all.
    Text(String),
    /// Keys and values, in their order.
    Map(Vec<(String, Self)>),
    /// A sequence, for which there is no use here.
    List,
}

/// Reads one document.
pub(super) fn read(text: &str) -> Result<Yaml, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let mut parser = Parser::new_from_str(text);
    let mut next = || match parser.next_event() {
        None => Ok(Event::StreamEnd),
        Some(Ok((event, _))) => Ok(event),
        Some(Err(error)) => Err(format!("not YAML: {error}")),
    };
    loop {
        match next()? {
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => {}
            Event::StreamEnd | Event::DocumentEnd => return Ok(Yaml::Text(String::new())),
            event => return value(event, &mut next, 0),
        }
    }
}

type Next<'a, 'b> = &'b mut dyn FnMut() -> Result<Event<'a>, String>;

fn value<'a>(event: Event<'a>, next: Next<'a, '_>, depth: usize) -> Result<Yaml, String> {
    if depth > DEEPEST {
        return Err("mappings stand too deep in each other".to_owned());
    }
    match event {
        Event::Scalar(text, ..) => Ok(Yaml::Text(text.into_owned())),
        Event::SequenceStart(..) => {
            let mut open = 1;
            while open > 0 {
                match next()? {
                    Event::SequenceStart(..) => open += 1,
                    Event::SequenceEnd => open -= 1,
                    Event::StreamEnd => return Err("not YAML: it ends too early".to_owned()),
                    _ => {}
                }
            }
            Ok(Yaml::List)
        }
        Event::MappingStart(..) => {
            let mut map = Vec::new();
            loop {
                match next()? {
                    Event::MappingEnd => return Ok(Yaml::Map(map)),
                    Event::Scalar(key, ..) => {
                        let inner = next()?;
                        map.push((key.into_owned(), value(inner, next, depth + 1)?));
                    }
                    _ => return Err("a key is not a text".to_owned()),
                }
            }
        }
        Event::Alias(_) => Err("aliases (*name) are not read".to_owned()),
        _ => Err("not YAML: it ends too early".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_what_is_not() {
        let text = |text: &str| Yaml::Text(text.to_owned());
        let map = |entries: &[(&str, Yaml)]| {
            Yaml::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
        };
        let found = read("a.com:\n  \"/\": {port: 80}\nb.com:\n").expect("YAML");
        assert_eq!(found, map(&[("a.com", map(&[("/", map(&[("port", text("80"))]))])), ("b.com", text(""))]));
        assert_eq!(read("{\"a\": [1, [2]]}"), Ok(map(&[("a", Yaml::List)])));
        assert_eq!(read(""), Ok(text("")));
        for bad in
            ["{", "a: &x {}\nb: *x", "a: {b: {c: {d: {e: {f: {}}}}}}", "[a]: b", "\"", "a: [", &"x".repeat(70_000)]
        {
            assert!(read(bad).is_err(), "{bad:.20}");
        }
        assert!(read(&"[".repeat(60_000)).is_err());
        assert!(read(&"{a: ".repeat(15_000)).is_err());
    }
}
