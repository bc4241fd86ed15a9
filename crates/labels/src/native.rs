//! The routes of our own labels: what the rows of the table put in place, and the routes that come of it.

use std::sync::Arc;

use divisi_model::route::{Rule, RuleError};
use divisi_model::{Spec, Speech};

use crate::dialect::Dialect;
use crate::door::Entrance;
use crate::speech::Spoken;
use crate::values::{is_off, number, yes_or_no};
use crate::wish::{Rewrite, RouteSpec, ServiceSpec};

/// What stands for nothing said.
pub(crate) const AUTO: &str = "auto";
const ANY: &str = "any";

/// What the service of a container is called where a route has no name and no port of its own.
pub(crate) const MAIN: &str = "";

/// Most words in a label, and most routes that come of one.
const MOST: usize = 256;

/// What every part of a rule adds to its rank: about what `Host(``)` is long, so that our routes and those of Traefik stand on
/// one scale.
pub(crate) const STEP: i64 = 8;

/// The longest name of a network: far longer than any in use.
const LONGEST: usize = 255;

/// What labels say of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfContainer {
    /// How many times the share of a container of weight 1 it gets.
    pub weight: u32,
    /// Where it is reached.
    pub network: Option<String>,
    /// Whether it is to be reached.
    pub enable: Option<bool>,
    /// How it is spoken to.
    pub(crate) spoken: Spoken,
}

impl Default for OfContainer {
    fn default() -> Self {
        Self { weight: 1, network: None, enable: None, spoken: Spoken::default() }
    }
}

/// What labels say of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfRoute {
    /// One of these, if there are any.
    hosts: Vec<Part>,
    /// One of these, if there are any.
    paths: Vec<Part>,
    /// One of these, if there are any.
    methods: Vec<Part>,
    /// All of these.
    fields: Vec<Part>,
    /// What is taken from the path.
    pub(crate) strip: Strip,
    priority: Option<i64>,
    /// Where it leads.
    pub(crate) port: Option<u16>,
    /// By which door its requests come in.
    pub(crate) entrance: Entrance,
}

/// A part of a rule as one word says it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    rule: Rule,
    key: &'static str,
    word: String,
    /// How narrow it is.
    rank: i64,
}

/// What is taken from the front of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Strip {
    /// Nothing.
    #[default]
    Nothing,
    /// What the route's paths begin with.
    Path,
    /// These.
    Prefixes(Vec<String>),
}

pub(crate) fn host(route: &mut OfRoute, text: &str) -> Result<(), String> {
    route.hosts = parts("host", text, |word| {
        if word.contains('/') {
            return Err(format!(
                "{word} is no host; write it without scheme and path (example.com), and a path as divisi.path"
            ));
        }
        // One that is written out is longer than every wildcard that fits it.
        Ok((Rule::host(word).map_err(written)?, length(word.strip_prefix("*.").unwrap_or(word))))
    })?;
    Ok(())
}

pub(crate) fn path(route: &mut OfRoute, text: &str) -> Result<(), String> {
    route.paths = parts("path", text, |word| match word.strip_prefix('=') {
        Some(exact) => Ok((Rule::path(exact).map_err(written)?, length(word) + 1)),
        None => Ok((Rule::path_within(word).map_err(written)?, length(word))),
    })?;
    Ok(())
}

pub(crate) fn method(route: &mut OfRoute, text: &str) -> Result<(), String> {
    route.methods = parts("method", text, |word| Ok((Rule::method(word).map_err(written)?, length(word))))?;
    Ok(())
}

pub(crate) fn header(route: &mut OfRoute, text: &str) -> Result<(), String> {
    let more = parts("header", text, |word| {
        let rule = match word.split_once('=') {
            Some((name, value)) => Rule::header(name.trim(), value.trim()),
            // Found in any value, an empty one included.
            None => Rule::header_regexp(word, ""),
        };
        Ok((rule.map_err(written)?, length(word)))
    })?;
    route.fields.extend(more);
    Ok(())
}

pub(crate) fn query(route: &mut OfRoute, text: &str) -> Result<(), String> {
    let more = parts("query", text, |word| {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        if name.is_empty() {
            return Err("a field of a query without a name; write NAME or NAME=VALUE (beta=1)".to_owned());
        }
        Ok((Rule::query(name, value), length(word)))
    })?;
    route.fields.extend(more);
    Ok(())
}

pub(crate) fn strip(route: &mut OfRoute, text: &str) -> Result<(), String> {
    route.strip = match text {
        text if is_off(text) => Strip::Nothing,
        text if yes_or_no(text) == Ok(true) => Strip::Path,
        text => {
            let prefixes = words(text)?;
            if prefixes.iter().any(|prefix| Rule::path_within(prefix).is_err()) {
                return Err("neither true, off nor paths that begin with / (/api)".to_owned());
            }
            Strip::Prefixes(prefixes.into_iter().map(str::to_owned).collect())
        }
    };
    Ok(())
}

pub(crate) fn priority(route: &mut OfRoute, text: &str) -> Result<(), String> {
    const MOST: i64 = 1_000_000_000;
    route.priority = if text.eq_ignore_ascii_case(AUTO) {
        None
    } else {
        Some(number(text, &(-MOST..=MOST)).map_err(|accepted| format!("{accepted}, nor auto"))?)
    };
    Ok(())
}

pub(crate) fn port(route: &mut OfRoute, text: &str) -> Result<(), String> {
    route.port = if text.eq_ignore_ascii_case(AUTO) { None } else { Some(port_number(text)?) };
    Ok(())
}

/// A port.
pub(crate) fn port_number(text: &str) -> Result<u16, String> {
    number(text, &(1..=u16::MAX)).map_err(|_| "not a port; write a number from 1 to 65535 (8080)".to_owned())
}

pub(crate) fn network(container: &mut OfContainer, text: &str) -> Result<(), String> {
    container.network = if text.eq_ignore_ascii_case(AUTO) { None } else { Some(network_name(text)?) };
    Ok(())
}

/// The name of a network as the engine allows it.
pub(crate) fn network_name(text: &str) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if text.is_empty() || text.len() > LONGEST || !text.bytes().all(is_allowed) {
        return Err("not the name of a network, as `docker network ls` shows it (shop_default)".to_owned());
    }
    Ok(text.to_owned())
}

pub(crate) fn enable(container: &mut OfContainer, text: &str) -> Result<(), String> {
    container.enable = if text.eq_ignore_ascii_case(AUTO) {
        None
    } else {
        Some(yes_or_no(text).map_err(|accepted| format!("{accepted}, or auto"))?)
    };
    Ok(())
}

/// The message of the model, as part of ours.
#[allow(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn written(error: RuleError) -> String {
    error.to_string()
}

/// The words between commas; none for the word that means nothing said.
pub(crate) fn words(text: &str) -> Result<Vec<&str>, String> {
    if text.eq_ignore_ascii_case(ANY) {
        return Ok(Vec::new());
    }
    let words: Vec<_> = text.split(',').map(str::trim).collect();
    if words.contains(&"") {
        return Err("nothing stands between two commas, or at an end".to_owned());
    }
    if words.len() > MOST {
        return Err(format!("more than {MOST} words with commas between them; write several routes"));
    }
    Ok(words)
}

fn parts(
    key: &'static str,
    text: &str,
    read: impl Fn(&str) -> Result<(Rule, i64), String>,
) -> Result<Vec<Part>, String> {
    let part = |word: &str| {
        let (rule, rank) = read(word)?;
        Ok(Part { rule, key, word: word.to_owned(), rank })
    };
    words(text)?.into_iter().map(part).collect()
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

impl OfRoute {
    /// Whether no label says which requests.
    pub(crate) fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.paths.is_empty() && self.methods.is_empty() && self.fields.is_empty()
    }

    /// What the paths begin with, those that are for one path alone aside.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(|part| part.word.as_str()).filter(|word| word.starts_with('/'))
    }

    /// The routes, and where they lead: one for each host with each path, so that each comes before all that are wider than
    /// it. `main` is the port of the container's other routes.
    ///
    /// # Errors
    /// There would be too many.
    pub(crate) fn finish(self, name: &str, label: &str, main: Option<u16>) -> Result<Vec<RouteSpec>, String> {
        let prefixes = match &self.strip {
            Strip::Nothing => Vec::new(),
            Strip::Path => self.prefixes().map(str::to_owned).collect(),
            Strip::Prefixes(prefixes) => prefixes.clone(),
        };
        let rewrites = if prefixes.is_empty() { vec![] } else { vec![Rewrite::Strip { prefixes, whole: true }] };
        let service = if self.port.is_none() || self.port == main { MAIN } else { name };
        let count = self.hosts.len().max(1) * self.paths.len().max(1);
        if count > MOST {
            return Err(format!("more than {MOST} hosts with paths; write several routes"));
        }
        let methods = Rule::any(self.methods.iter().map(|part| part.rule.clone()).collect()).map_err(written)?;
        let methods = (!self.methods.is_empty()).then_some(methods);
        let (door, redirect, protection) = self.entrance.finish();
        let label: Arc<str> = label.into();
        let mut routes = Vec::with_capacity(count);
        for host in each(&self.hosts) {
            for path in each(&self.paths) {
                let wide = host.into_iter().chain(path).chain(&self.fields);
                let mut rules = Vec::with_capacity(wide.clone().count() + methods.iter().count());
                rules.extend(wide.clone().map(|part| part.rule.clone()).chain(methods.clone()));
                let rank: i64 = wide.clone().chain(self.methods.first()).map(|part| part.rank + STEP).sum();
                let number = routes.len() + 1;
                routes.push(RouteSpec {
                    dialect: Dialect::Native,
                    name: match number {
                        1 if name == MAIN => Arc::default(),
                        1 => name.into(),
                        _ => format!("{name}~{number}").into(),
                    },
                    label: Arc::clone(&label),
                    rule: Arc::new(Rule::all(rules).map_err(written)?),
                    text: joined(wide.chain(&self.methods)).into(),
                    priority: Some(self.priority.unwrap_or(rank)),
                    service: service.to_owned(),
                    rewrites: rewrites.clone(),
                    middlewares: Vec::new(),
                    closed: None,
                    entrypoints: Vec::new(),
                    door,
                    redirect,
                    protection: Arc::clone(&protection),
                });
            }
        }
        Ok(routes)
    }
}

/// Each of them, or once nothing.
fn each(parts: &[Part]) -> impl Iterator<Item = Option<&Part>> {
    parts.iter().map(Some).chain(parts.is_empty().then_some(None))
}

/// `host a.test path /x`.
fn joined<'a>(parts: impl Iterator<Item = &'a Part> + Clone) -> String {
    let length = parts.clone().map(|part| part.key.len() + part.word.len() + 2).sum();
    let mut text = String::with_capacity(length);
    for part in parts {
        let between = if text.is_empty() { "" } else { " " };
        text.extend([between, part.key, " ", &part.word]);
    }
    text
}

/// A port of a container, of which our labels have said everything else.
pub(crate) fn service(name: &str, port: Option<u16>, spec: Arc<Spec>) -> ServiceSpec {
    let name = name.to_owned();
    ServiceSpec {
        dialect: Dialect::Native,
        name,
        port,
        speech: Speech::default(),
        pass_host: true,
        middlewares: Vec::new(),
        closed: None,
        spec,
    }
}
