//! A service as it will run.

use crate::node::{Map, Node};
use crate::problem::{Fault, Place, Problem};

/// A service with what its containers are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name in the file.
    pub name: String,
    /// Where it stands first.
    pub place: Place,
    /// What it is made of, where that is not built.
    pub image: Option<String>,
    /// Whether it is built from sources: then its image is known to nobody before.
    pub is_built: bool,
    /// What it runs, where that is not for the image to say; entry point and command, word by word.
    pub command: Vec<String>,
    /// What its first container is called.
    pub container: String,
    /// Whether that name is in the file, so that there can be no second container.
    pub container_name: Option<Place>,
    /// Its labels.
    pub labels: Vec<Said>,
    /// Labels for services of Swarm, which no container gets.
    pub deploy_labels: Vec<Said>,
    /// Its environment, that of its image not included.
    pub environment: Vec<Said>,
    /// Ports of the machine that lead to it.
    pub ports: Vec<Port>,
    /// Ports that it exposes to its networks.
    pub expose: Vec<Port>,
    /// Where it can be reached.
    pub networks: Networks,
    /// Whether the file says how its health is found out.
    pub has_healthcheck: bool,
    /// How many containers it has.
    pub replicas: u32,
}

/// A label or a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its name.
    pub key: String,
    /// Its value, with variables filled in.
    pub value: String,
    /// Where it was written.
    pub place: Place,
}

/// A port, or several in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The first one in the container.
    pub first: u16,
    /// The last one.
    pub last: u16,
    /// The one of the machine, as it was written; empty for any.
    pub published: String,
    /// Whether it is one of TCP.
    pub is_tcp: bool,
    /// Where it was written.
    pub place: Place,
}

/// Where a service can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Networks {
    /// In networks, by their keys in the file.
    Of(Vec<String>),
    /// As `network_mode` says: `host`, `none`, `bridge` (the engine's own), `service:vpn`.
    Mode(String),
}

/// Reads a service that is merged.
pub(crate) fn read(name: &str, node: &Node, project: &str, problems: &mut Vec<Problem>) -> Service {
    let text = |key: &str| node.get(key).and_then(Node::as_text).map(str::to_owned);
    let mut reader = Reader { service: name, problems };
    let deploy = node.get("deploy");
    let replicas = deploy.and_then(|deploy| deploy.get("replicas")).or_else(|| node.get("scale"));
    let mode = text("network_mode");
    let networks = node.get("networks").and_then(Node::as_map).map(|map| map.keys().cloned().collect());
    let words = |key: &str| node.get(key).map(words).unwrap_or_default();
    Service {
        name: name.to_owned(),
        place: node.place.clone(),
        image: text("image"),
        is_built: node.get("build").is_some(),
        command: [words("entrypoint"), words("command")].concat(),
        container: text("container_name").unwrap_or_else(|| format!("{project}-{name}-1")),
        container_name: node.get("container_name").map(|node| node.place.clone()),
        labels: said(node.get("labels")),
        deploy_labels: said(deploy.and_then(|deploy| deploy.get("labels"))),
        environment: said(node.get("environment")),
        ports: reader.ports(node.get("ports"), "ports"),
        expose: reader.ports(node.get("expose"), "expose"),
        networks: mode
            .map_or_else(|| Networks::Of(networks.unwrap_or_else(|| vec!["default".to_owned()])), Networks::Mode),
        has_healthcheck: node.get("healthcheck").is_some(),
        replicas: replicas.map_or(1, |replicas| reader.replicas(replicas)),
    }
}

/// The words of a command: a list has them already, and a text is taken apart as by a shell, but for what only a shell can.
fn words(node: &Node) -> Vec<String> {
    let Some(text) = node.as_text() else {
        return node.each().iter().filter_map(Node::as_text).map(str::to_owned).collect();
    };
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for char in text.chars() {
        match (quote, char) {
            (Some(open), _) if open == char => quote = None,
            (None, '"' | '\'') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (None, _) if char.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    words
}

/// The pairs of a mapping that have a value.
pub(crate) fn said(node: Option<&Node>) -> Vec<Said> {
    let pairs = node.and_then(Node::as_map).into_iter().flat_map(Map::iter);
    let said = |(key, node): (&String, &Node)| {
        let value = node.as_text()?.to_owned();
        Some(Said { key: key.clone(), value, place: node.place.clone() })
    };
    pairs.filter_map(said).collect()
}

struct Reader<'a> {
    service: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn shape(&mut self, node: &Node, what: String, wanted: &'static str) {
        self.problems.push(Fault::Shape { what, wanted }.at(&node.place).of(self.service));
    }

    fn replicas(&mut self, node: &Node) -> u32 {
        node.as_text().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
            let what = format!("the number of replicas {:?}", node.as_text().unwrap_or_default());
            self.shape(node, what, "a number; write one (2)");
            1
        })
    }

    fn ports(&mut self, node: Option<&Node>, key: &str) -> Vec<Port> {
        let mut ports = Vec::new();
        for entry in node.map(Node::each).unwrap_or_default() {
            let port = if entry.as_map().is_some() { long(entry) } else { entry.as_text().and_then(short) };
            match port {
                Some(port) => ports.push(Port { place: entry.place.clone(), ..port }),
                None => {
                    let what = format!("{:?} in {key}", entry.as_text().unwrap_or("an entry"));
                    self.shape(entry, what, "a port; write one (80) or the machine's before it (\"8080:80\")");
                }
            }
        }
        ports
    }
}

/// `80`, `8080:80`, `127.0.0.1:8080:80/tcp`, `3000-3005`.
fn short(text: &str) -> Option<Port> {
    let (text, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (before, target) = text.rsplit_once(':').unwrap_or(("", text));
    let published = before.rsplit_once(':').map_or(before, |(_, published)| published);
    port(target, published, protocol)
}

fn long(node: &Node) -> Option<Port> {
    let text = |key: &str| node.get(key).and_then(Node::as_text);
    port(text("target")?, text("published").unwrap_or_default(), text("protocol").unwrap_or("tcp"))
}

fn port(target: &str, published: &str, protocol: &str) -> Option<Port> {
    let (first, last) = target.split_once('-').unwrap_or((target, target));
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let (first, last) = (number(first)?, number(last)?);
    let place = Place::whole("");
    (first <= last).then(|| Port { first, last, published: published.to_owned(), is_tcp: protocol == "tcp", place })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_command() {
        let scalar = crate::node::Scalar::text("divisi --a 'b c'\t--d=\"e f\" ''");
        let node = Node::new(Place::whole("a"), crate::node::Value::Scalar(scalar));
        assert_eq!(words(&node), ["divisi", "--a", "b c", "--d=e f", ""]);
    }

    #[test]
    fn ports_in_short() {
        for (text, wanted) in [
            ("80", Some((80, 80, "", true))),
            ("8080:80", Some((80, 80, "8080", true))),
            ("127.0.0.1:8080:80/tcp", Some((80, 80, "8080", true))),
            ("[::1]:8080:80", Some((80, 80, "8080", true))),
            ("127.0.0.1::80", Some((80, 80, "", true))),
            ("53:53/udp", Some((53, 53, "53", false))),
            ("3000-3005", Some((3000, 3005, "", true))),
            ("9090-9091:8080-8081", Some((8080, 8081, "9090-9091", true))),
            ("", None),
            ("web", None),
            ("0", None),
            ("90-80", None),
        ] {
            let port = short(text).map(|port| (port.first, port.last, port.published, port.is_tcp));
            let wanted = wanted.map(|(first, last, published, is_tcp)| (first, last, published.to_owned(), is_tcp));
            assert_eq!(port, wanted, "{text}");
        }
    }
}
