//! What one container wants, whatever language it says it in: the one typed form in which all dialects end.

use divisi_model::Spec;
pub use divisi_model::route::Rewrite;
use divisi_model::route::Rule;

use crate::dialect::Dialect;
use crate::middleware::Middleware;
use crate::stream::Streams;
use crate::verdict::Verdict;

/// What is known of a container before its labels are understood.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words<'a> {
    /// Its labels.
    pub labels: &'a [(&'a str, &'a str)],
    /// Its environment, that of its image included.
    pub environment: &'a [(&'a str, &'a str)],
    /// What its Compose service is called; empty where there is none.
    pub service: &'a str,
    /// What its Compose project is called; empty where there is none.
    pub project: &'a str,
    /// What it is called itself, without a slash.
    pub container: &'a str,
}

/// What one container wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What is wanted of its service where no dialect says more of it.
    pub spec: Spec,
    /// How many times the share of a replica of weight 1 it gets; at least 1.
    pub weight: u32,
    /// Who says whether it is to be reached.
    pub exposed: Exposed,
    /// The network on which it is reached, where that is said.
    pub network: Option<String>,
    /// Which requests lead to it.
    pub routes: Vec<RouteSpec>,
    /// Which ports of it are services.
    pub services: Vec<ServiceSpec>,
    /// The ports that it wants open for TCP.
    pub streams: Streams,
    /// What its routes, and those of other containers, may name.
    pub middlewares: Vec<Middleware>,
    /// What became of each label.
    pub verdicts: Vec<Verdict>,
}

/// Whether a container is to be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Exposed {
    /// It does not say. It has no routes.
    #[default]
    Unsaid,
    /// It says so, or says how.
    Yes,
    /// It says that it is not, or says how in a way that cannot be carried out; by which label. Nothing leads to it, not even
    /// where a container without a word would be found.
    No(String),
}

/// Which requests lead where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSpec {
    /// In which language it was said.
    pub dialect: Dialect,
    /// What it is called among those of its language.
    pub name: String,
    /// The label that says which requests, or the one nearest to that.
    pub label: String,
    /// Which requests.
    pub rule: Rule,
    /// As the user wrote it.
    pub text: String,
    /// Which of two routes that both fit comes first: the higher one. None for what its rule says.
    pub priority: Option<i64>,
    /// The service that it leads to, among those of its language.
    pub service: String,
    /// What is done to the path, in this order.
    pub rewrites: Vec<Rewrite>,
    /// The middlewares that it names, those of its service behind its own.
    pub middlewares: Vec<String>,
    /// Why it serves nobody: its owner put a guard before it that is not there. Who comes gets a 503.
    pub closed: Option<String>,
    /// Where clients may come in; empty for everywhere.
    pub entrypoints: Vec<String>,
    /// What is wanted of TLS; None for no TLS.
    pub tls: Option<TlsSpec>,
}

/// What a route wants of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSpec {
    /// Who gets its certificate.
    pub resolver: Option<String>,
    /// For which names; each first one with others beside it. Empty for those in the rule.
    pub domains: Vec<(String, Vec<String>)>,
}

/// A port of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSpec {
    /// In which language it was said.
    pub dialect: Dialect,
    /// What it is called among those of its language. Containers that say the same name are replicas of one service.
    pub name: String,
    /// Its port; None for the one that the container exposes.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub scheme: Scheme,
    /// Whether it sees the host that the client asked for, and not its own.
    pub pass_host: bool,
    /// The middlewares before it. The routes of its own container have them behind theirs; one of another container has not.
    pub middlewares: Vec<String>,
    /// Why it serves nobody, whoever leads to it.
    pub closed: Option<String>,
    /// What is wanted of it.
    pub spec: Spec,
}

/// How a replica is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP/1.1 as it is.
    #[default]
    Http,
    /// HTTP inside TLS.
    Https,
    /// HTTP/2 as it is.
    H2c,
}

impl Scheme {
    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2c => "h2c",
        }
    }

    /// Why nobody is served where a replica is to be spoken to so; None where it can be done.
    pub fn obstacle(self) -> Option<String> {
        match self {
            Self::Http => None,
            scheme => Some(format!("its replicas are to be spoken to by {}, which is not built yet", scheme.name())),
        }
    }
}
