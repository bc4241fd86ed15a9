//! Which service a request belongs to: what users wrote as rules, and the table in which the right one is found at once.
//!
//! ```text
//! Rule ──► Route ──► RoutingTable ── find(Asked) ──► Route ──► its service
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`rule`] | a condition on requests, typed, checked when it is made |
//! | `error` | what is wrong with one |
//! | `text` | a rule in the words of its author's language |
//! | `pattern` | a regular expression, compiled once |
//! | [`asked`] | what is to be known of a request |
//! | `host`, [`path`], `query` | what of it counts as the same |
//! | `hosts` | which hosts a rule names |
//! | `matching` | whether a rule holds for a request, and which part does not |
//! | `keys` | under which host and path a rule is to be looked for |
//! | `bucket` | the routes of one host, by path |
//! | `sharded` | a set of which a change copies little |
//! | [`table`] | all routes |
//! | [`explain`] | why a request goes where it goes |
//! | [`rewrite`] | what is done to its path there |
//! | `door` | whether its requests come in TLS, and what is wanted of it then |
//!
//! **Order.** Of all routes whose rule holds the one with the highest priority is taken. Unless its author says otherwise a
//! route's priority is the length of its rule, as in Traefik. Among equals: fewer wildcards and expressions first, then by
//! the rule's text, the narrower door, the service, the route's name and the container, so that the same routes give the same
//! answer in whatever order they came.
//!
//! **Doors.** A request finds only routes whose [`Door`] admits it, so two routes may have the same rule, one for requests
//! inside TLS and one for those without.

pub mod asked;
mod bucket;
mod door;
mod error;
pub mod explain;
mod host;
mod hosts;
mod keys;
mod matching;
pub mod path;
mod pattern;
mod query;
pub mod rewrite;
pub mod rule;
mod sharded;
pub mod table;
mod text;

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use crate::snapshot::Slot;

pub use asked::Asked;

pub use door::{Door, Protection, Redirect, When};
pub use error::RuleError;
pub use pattern::Pattern;
pub use rewrite::{Rewrite, Rewritten};
pub use rule::Rule;
pub use table::{Conflict, RoutingTable};

/// Where a route comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The container's id; all of its routes are replaced together.
    pub id: Arc<str>,
    /// The container's name, for messages.
    pub container: Arc<str>,
    /// The label in which the rule stands, for messages.
    pub label: Arc<str>,
}

/// A rule, and the service that gets the requests for which it holds.
#[derive(Clone, Debug)]
pub struct Route {
    name: Arc<str>,
    rule: Arc<Rule>,
    /// The rule as text; two rules that differ only in the order of their parts have the same.
    text: Box<str>,
    priority: i64,
    patterns: usize,
    service: Arc<str>,
    origin: Origin,
    way: Way,
}

/// What becomes of the requests that take a route.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// Where the service stands in its snapshot.
    pub slot: Slot,
    /// What is done to the path, in this order.
    pub rewrites: Vec<Rewrite>,
    /// Why nobody is served; None where everybody is.
    pub closed: Option<Arc<str>>,
    /// Replicas see their own address as the host, and not what the client asked for.
    pub hides_host: bool,
    /// By which door they come in.
    pub door: Door,
    /// TLS is the replica's business: it gets what the client sends as it is. Only for connections that carry no HTTP.
    pub passes_tls: bool,
    /// Where those that come without TLS are sent. None: they are served, if the door admits them.
    pub redirect: Option<Redirect>,
    /// What is wanted of TLS, where they come in so.
    pub protection: Arc<Protection>,
}

impl Way {
    /// Where a request is sent instead of being served, if it came without TLS. Of a route that
    /// [`find`](RoutingTable::find) or [`find_inside_tls`](RoutingTable::find_inside_tls) gave.
    pub fn redirect(&self, is_secure: bool) -> Option<&Redirect> {
        if is_secure { None } else { self.redirect.as_ref() }
    }
}

impl Route {
    /// A route whose priority is the length of its rule.
    pub fn new(
        name: impl Into<Arc<str>>,
        rule: impl Into<Arc<Rule>>,
        service: impl Into<Arc<str>>,
        origin: Origin,
    ) -> Self {
        let rule = rule.into();
        let text = rule.sorted_text();
        Self {
            name: name.into(),
            priority: i64::try_from(text.len()).unwrap_or(i64::MAX),
            text: text.into(),
            patterns: rule.patterns(),
            rule,
            service: service.into(),
            origin,
            way: Way::default(),
        }
    }

    /// The same route, with that in store for its requests.
    pub fn with_way(self, way: Way) -> Self {
        Self { way, ..self }
    }

    /// The same route with that priority: the user's, or the length of the rule as the user spelled it.
    pub fn with_priority(self, priority: i64) -> Self {
        Self { priority, ..self }
    }

    /// Its name, which is unique among those of its container.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// For which requests it is.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The rule as text, its parts in a fixed order.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The higher one is looked at first.
    pub fn priority(&self) -> i64 {
        self.priority
    }

    /// The service that gets the requests.
    pub fn service(&self) -> &Arc<str> {
        &self.service
    }

    /// What becomes of its requests.
    pub fn way(&self) -> &Way {
        &self.way
    }

    /// Where it comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// `Less` where this one is looked at before the other.
    pub fn order(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }

    /// Whether both are for the same requests with the same priority, so that by the same door the second is never reached.
    pub(crate) fn is_same_rule(&self, other: &Self) -> bool {
        self.priority == other.priority && self.text == other.text
    }

    fn rank(&self) -> (Reverse<i64>, usize, &str, Door, &str, &str, &str) {
        let (door, origin) = (self.way.door, &*self.origin.id);
        (Reverse(self.priority), self.patterns, &self.text, door, &self.service, &self.name, origin)
    }
}
