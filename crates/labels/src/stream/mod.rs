//! TCP that is no HTTP: which ports containers want opened, and where their connections go.
//!
//! | module | job |
//! |---|---|
//! | [`native`] | `divisi.tcp.<port>` |
//! | `rows` | what stands of these in the table |
//!
//! Those of Traefik (`tcp.*`) are read in [`crate::traefik`].

pub mod native;
pub(crate) mod rows;

use std::sync::Arc;

use divisi_model::route::{Door, Rule};
use divisi_model::spec::Question;
use divisi_model::{Spec, Speech};

use crate::dialect::Dialect;

/// Everything that one container wants of TCP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// Which connections lead where.
    pub routes: Vec<StreamRoute>,
    /// Which ports of the container are services.
    pub services: Vec<StreamService>,
}

/// Which connections lead where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRoute {
    /// In which language it was said.
    pub dialect: Dialect,
    /// What it is called among those of its language.
    pub name: String,
    /// The label that says which connections, or the one nearest to that.
    pub label: String,
    /// The port at which they come in.
    pub port: u16,
    /// Which of them.
    pub rule: Rule,
    /// As the user wrote it.
    pub text: String,
    /// Which of two routes that both fit comes first: the higher one.
    pub priority: i64,
    /// Whether they are inside TLS.
    pub door: Door,
    /// Whether TLS is the replica's business.
    pub passes_tls: bool,
    /// The names of its certificate, where TLS ends here; empty for those of the rule.
    pub names: Vec<Arc<str>>,
    /// The service that it leads to, among those of its language.
    pub service: String,
    /// Why it serves nobody.
    pub closed: Option<String>,
}

/// A port of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamService {
    /// In which language it was said.
    pub dialect: Dialect,
    /// What it is called among those of its language. Containers that say the same name are replicas of one service.
    pub name: String,
    /// Its port; None for the one that the container exposes.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub speech: Speech,
    /// What is wanted of it.
    pub spec: Spec,
}

impl Streams {
    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.routes.extend(other.routes);
        self.services.extend(other.services);
    }
}

/// What is wanted of a service of TCP: nobody can ask it by HTTP whether it is well.
pub(crate) fn spec_of(spec: &Spec) -> Spec {
    let mut spec = spec.clone();
    if matches!(spec.check.question, Question::Http(_)) {
        spec.check.question = Question::Tcp;
    }
    spec
}
