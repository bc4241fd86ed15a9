//! Why a request goes where it goes, route by route. For people; it looks at every route.

use std::fmt;

use super::asked::Asked;
use super::matching::Question;
use super::rule::Rule;
use super::table::RoutingTable;
use super::{Door, Redirect, Route};

/// What became of one route.
#[derive(Debug)]
pub struct Step<'a> {
    /// The route.
    pub route: &'a Route,
    /// What became of it.
    pub outcome: Outcome<'a>,
}

/// What became of one route.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The request goes there.
    Taken,
    /// Its rule holds, too, but another one stands before it.
    Outranked,
    /// It has the same rule as the one that is taken, and leads to the same service: another replica's.
    Same,
    /// Its rule holds, but the request did not come by its door.
    Door(Door),
    /// The same, and as no other route has the request, it is sent to that door.
    Sent(Redirect),
    /// Its rule does not hold.
    Unmet {
        /// The first part that does not hold.
        part: &'a Rule,
        /// What the request has instead.
        found: String,
    },
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let route = self.route;
        write!(f, "{} (priority {}, route {} of ", route.text(), route.priority(), route.name())?;
        write!(f, "{}) -> {}: ", route.origin().container, route.service())?;
        match &self.outcome {
            Outcome::Taken => write!(f, "taken"),
            Outcome::Outranked => write!(f, "holds, but another route stands before it"),
            Outcome::Same => write!(f, "the same as the one that is taken"),
            Outcome::Door(door) => write!(f, "holds, but {}", door.condition()),
            Outcome::Sent(_) => write!(f, "{}, where the request is sent", Door::Secure.condition()),
            Outcome::Unmet { part, found } if found.is_empty() => write!(f, "{part} does not hold"),
            Outcome::Unmet { part, found } => write!(f, "{part} does not hold: {found}"),
        }
    }
}

impl RoutingTable {
    /// What becomes of each route for that request, in the order in which they stand.
    pub fn explain(&self, asked: &impl Asked) -> Vec<Step<'_>> {
        let question = Question::new(asked);
        let taken = self.find_entry(&question).map(|entry| &*entry.route);
        let sent = if taken.is_none() && !question.is_secure { self.find_inside_tls(asked) } else { None };
        let step = |route| Step { route, outcome: outcome(route, taken, sent, &question) };
        self.routes().into_iter().map(|route| step(route)).collect()
    }
}

impl Rule {
    /// The hosts that it names, in lower case.
    pub fn hosts(&self) -> Vec<&str> {
        match self {
            Self::Host(name) => vec![name],
            Self::All(rules) | Self::Any(rules) => rules.iter().flat_map(Self::hosts).collect(),
            _ => Vec::new(),
        }
    }
}

fn outcome<'a, A: Asked>(
    route: &'a Route,
    taken: Option<&Route>,
    sent: Option<&Route>,
    question: &Question<'_, A>,
) -> Outcome<'a> {
    if let Some(part) = route.rule().obstacle(question) {
        return Outcome::Unmet { part, found: found(part, question) };
    }
    let door = route.way().door;
    if !door.admits(question.is_secure) {
        let redirect = route.way().redirect.filter(|_| sent.is_some_and(|sent| std::ptr::eq(sent, route)));
        return redirect.map_or(Outcome::Door(door), Outcome::Sent);
    }
    match taken {
        Some(taken) if std::ptr::eq(taken, route) => Outcome::Taken,
        Some(taken) if is_another_replicas(taken, route) => Outcome::Same,
        _ => Outcome::Outranked,
    }
}

/// Whether both say the same, so that they are of two replicas of one service.
fn is_another_replicas(taken: &Route, route: &Route) -> bool {
    let is_same_way = taken.way().door == route.way().door && taken.service() == route.service();
    is_same_way && taken.is_same_rule(route)
}

/// What the request has of what that part asks. Values of headers are left out: some are secrets.
fn found<A: Asked>(part: &Rule, question: &Question<'_, A>) -> String {
    let asked = question.asked;
    match part {
        Rule::Host(_) | Rule::HostWildcard { .. } | Rule::HostRegexp(_) => match question.host() {
            Some(b"") => "the request names no host".to_owned(),
            Some(host) => format!("the host is {}", host.escape_ascii()),
            None => "the host is longer than any name".to_owned(),
        },
        Rule::Path(_) | Rule::PathWithin(_) | Rule::PathPrefix(_) | Rule::PathRegexp(_) => {
            format!("the path is {}", asked.path().escape_ascii())
        }
        Rule::Method(_) => format!("the method is {}", asked.method().escape_ascii()),
        Rule::ClientIp(_) => format!("the client is {}", asked.client().to_canonical()),
        Rule::Header { name, .. } | Rule::HeaderRegexp { name, .. } => {
            let has_any = asked.any_header(name, &mut |_| true);
            if has_any { "the header has another value" } else { "the request has no such header" }.to_owned()
        }
        Rule::Query { .. } | Rule::QueryRegexp { .. } => match asked.query() {
            b"" => "the request has no query".to_owned(),
            query => format!("the query is {}", query.escape_ascii()),
        },
        Rule::Alpn(_) | Rule::All(_) | Rule::Any(_) | Rule::Not(_) => String::new(),
    }
}
