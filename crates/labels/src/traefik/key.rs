//! A label's name in its parts, as Traefik takes it apart (`paerser/parser/labels_decode.go`).

/// Most parts that are looked at; the longest label there is has nine.
const MOST: usize = 32;

/// The parts of a label's name behind `traefik.`; `name[0]` is two of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key<'a> {
    pub(crate) parts: Vec<&'a str>,
}

impl<'a> Key<'a> {
    /// Takes it apart.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(label: &'a str) -> Result<Self, String> {
        let mut elements = label.split('.');
        if !elements.next().is_some_and(|root| root.eq_ignore_ascii_case("traefik")) {
            return Err("Traefik reads labels that begin with traefik. only".to_owned());
        }
        let mut parts = Vec::new();
        for element in elements {
            if element.is_empty() {
                return Err("nothing stands between two dots, or at the end".to_owned());
            }
            match element.find('[') {
                Some(0) => return Err("a name is missing before the [".to_owned()),
                Some(at) if element.ends_with(']') => parts.extend([&element[..at], &element[at..]]),
                Some(_) => return Err("a ] is missing".to_owned()),
                None => parts.push(element),
            }
            if parts.len() > MOST {
                return Err("it has more parts than any label of Traefik".to_owned());
            }
        }
        Ok(Self { parts })
    }

    /// What is left of one that cannot be read: enough to see whether it might have guarded something.
    pub(crate) fn rest_of(label: &'a str) -> Self {
        let parts = label.split('.').skip(1).map(|part| part.split_once('[').map_or(part, |(name, _)| name));
        Self { parts: parts.filter(|part| !part.is_empty()).take(MOST).collect() }
    }
}
