//! A request on paper, and routes as short as they can be written.

use std::net::{IpAddr, Ipv4Addr};

use divisi_model::route::{Asked, Door, Origin, Route, Rule, Way, path};

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) host: String,
    pub(crate) path: Vec<u8>,
    pub(crate) query: String,
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) client: IpAddr,
    pub(crate) is_secure: bool,
}

impl Request {
    /// A GET of `host/path?query`.
    pub(crate) fn get(url: &str) -> Self {
        let (rest, query) = url.split_once('?').unwrap_or((url, ""));
        let (host, raw) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let mut buffer = Vec::new();
        let path = path::canonical(raw.as_bytes(), &mut buffer).expect("no dot segments").to_owned();
        Self {
            host: host.to_owned(),
            path,
            query: query.to_owned(),
            method: "GET".to_owned(),
            headers: Vec::new(),
            client: Ipv4Addr::LOCALHOST.into(),
            is_secure: false,
        }
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn inside_tls(self) -> Self {
        Self { is_secure: true, ..self }
    }
}

impl Asked for Request {
    fn host(&self) -> &[u8] {
        self.host.as_bytes()
    }

    fn path(&self) -> &[u8] {
        &self.path
    }

    fn query(&self) -> &[u8] {
        self.query.as_bytes()
    }

    fn method(&self) -> &[u8] {
        self.method.as_bytes()
    }

    fn any_header(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.headers.iter().any(|(found, value)| found == name && test(value.as_bytes()))
    }

    fn client(&self) -> IpAddr {
        self.client
    }

    fn is_secure(&self) -> bool {
        self.is_secure
    }
}

/// A route of a container of that service, both named alike.
pub(crate) fn route(service: &str, rule: Rule) -> Route {
    route_of(service, service, rule)
}

pub(crate) fn route_of(container: &str, service: &str, rule: Rule) -> Route {
    let origin = Origin { id: container.into(), container: container.into(), label: "divisi.host".into() };
    Route::new(service, rule, service, origin)
}

/// The same route, which only requests that come by that door can take.
pub(crate) fn behind(door: Door, route: Route) -> Route {
    route.with_way(Way { door, ..Way::default() })
}

pub(crate) fn host(text: &str) -> Rule {
    Rule::host(text).expect("a host")
}

pub(crate) fn within(text: &str) -> Rule {
    Rule::path_within(text).expect("a path")
}

pub(crate) fn all<const N: usize>(rules: [Rule; N]) -> Rule {
    Rule::all(rules.into()).expect("small")
}

pub(crate) fn any<const N: usize>(rules: [Rule; N]) -> Rule {
    Rule::any(rules.into()).expect("small")
}

pub(crate) fn not(rule: Rule) -> Rule {
    Rule::negated(rule).expect("small")
}
