//! What one container wants, whatever language it says it in: the one typed form in which all dialects end.

use std::sync::Arc;

pub use divisi_model::route::Rewrite;
use divisi_model::route::{Door, Protection, Redirect, Rule};
use divisi_model::{Spec, Speech};

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
    pub spec: Arc<Spec>,
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

/// Which requests lead where. Cheap to clone: what becomes of it is worked out on a copy, and a route in the table shares the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSpec {
    /// In which language it was said.
    pub dialect: Dialect,
    /// What it is called among those of its language.
    pub name: Arc<str>,
    /// The label that says which requests, or the one nearest to that.
    pub label: Arc<str>,
    /// Which requests.
    pub rule: Arc<Rule>,
    /// As the user wrote it.
    pub text: Arc<str>,
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
    /// By which door they come in.
    pub door: Door,
    /// Where those are sent that come without TLS; None where they are served.
    pub redirect: Option<Redirect>,
    /// What is wanted of TLS, where they come in so.
    pub protection: Arc<Protection>,
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
    pub speech: Speech,
    /// Whether it sees the host that the client asked for, and not its own.
    pub pass_host: bool,
    /// The middlewares before it. The routes of its own container have them behind theirs; one of another container has not.
    pub middlewares: Vec<String>,
    /// Why it serves nobody, whoever leads to it.
    pub closed: Option<String>,
    /// What is wanted of it.
    pub spec: Arc<Spec>,
}
