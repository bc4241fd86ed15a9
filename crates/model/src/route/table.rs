//! All routes, as they are at one moment, and the one that a request gets.
//!
//! Hosts are found by hash, wildcards by the hash of what follows a dot, paths by a binary search within their host, and what
//! else a rule asks is checked of those that remain. So ten thousand routes cost what ten cost. A change makes another
//! table, which shares with the first whatever the change did not touch.

use std::collections::HashSet;
use std::fmt;
use std::iter;
use std::sync::Arc;

use super::Route;
use super::asked::Asked;
use super::bucket::{Bucket, Entry, Placed};
use super::host;
use super::keys::{HostKey, keys};
use super::matching::Question;
use super::sharded::{Named, Sharded};

/// All routes, as they are at one moment.
#[derive(Clone, Debug, Default)]
pub struct RoutingTable {
    names: Sharded<Arc<Bucket>>,
    /// By what follows the first label.
    children: Sharded<Arc<Bucket>>,
    /// By what follows any label.
    below: Sharded<Arc<Bucket>>,
    every: Arc<Bucket>,
    /// By the container's id.
    owners: Sharded<Arc<Owner>>,
}

/// A container with its routes.
#[derive(Debug)]
struct Owner {
    id: Arc<str>,
    routes: Vec<Arc<Route>>,
}

impl Named for Owner {
    fn name(&self) -> &[u8] {
        self.id.as_bytes()
    }
}

/// Two services want the same requests.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// The one that gets them.
    pub winner: Arc<Route>,
    /// The first route of the other service, which gets none as long as the winner is there.
    pub loser: Arc<Route>,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (winner, loser) = (&self.winner, &self.loser);
        write!(
            f,
            "{} is asked for by service {} (label {} of container {}) and by service {} (label {} of container {}): {} gets \
             the requests; give one of them another rule, or a priority",
            winner.text(),
            winner.service(),
            winner.origin().label,
            winner.origin().container,
            loser.service(),
            loser.origin().label,
            loser.origin().container,
            winner.service(),
        )
    }
}

impl RoutingTable {
    /// A table of these routes, and who wants the same as another.
    pub fn build(routes: Vec<Route>) -> (Self, Vec<Conflict>) {
        Self::default().patch(&[], routes)
    }

    /// The same table, in which the containers whose ids are `gone` have no routes, and those to which `routes` belong have
    /// just these; and which conflicts are new. What it costs depends on how many routes share a host with these.
    pub fn patch(&self, gone: &[&str], routes: Vec<Route>) -> (Self, Vec<Conflict>) {
        let mut routes: Vec<Arc<Route>> = routes.into_iter().map(Arc::new).collect();
        let owners = owners(&mut routes);
        let ids = gone.iter().map(|id| id.as_bytes()).chain(owners.iter().map(Named::name));
        let replaced: Vec<_> = ids.filter_map(|id| self.owners.get(id)).flat_map(|owner| &owner.routes).collect();
        let mut pointers: Vec<_> = replaced.iter().map(|route| Arc::as_ptr(route)).collect();
        pointers.sort_unstable();

        let mut touched: Vec<Touched<'_>> = Vec::with_capacity(replaced.len() + routes.len());
        for route in replaced {
            touched.extend(keys(route.rule()).iter().map(|key| (key.host, None)));
        }
        for route in &routes {
            touched.extend(keys(route.rule()).iter().map(|key| (key.host, Some(Placed::new(key, route)))));
        }
        touched.sort_unstable_by_key(|(host, _)| *host);
        let (mut next, conflicts) = self.with_buckets(touched, &pointers);
        next.owners = self.owners.without(gone.iter().map(|id| id.as_bytes())).with(owners);
        (next, conflicts)
    }

    /// `touched` is sorted by host.
    fn with_buckets(&self, touched: Vec<Touched<'_>>, gone: &[*const Route]) -> (Self, Vec<Conflict>) {
        let (mut next, mut conflicts) = (self.clone(), Vec::new());
        let (mut names, mut children, mut below) = (Changes::default(), Changes::default(), Changes::default());
        let none = Bucket::default();
        let mut touched = touched.into_iter().peekable();
        while let Some((host, first)) = touched.next() {
            let others = iter::from_fn(|| touched.next_if(|(next, _)| *next == host)).filter_map(|(_, more)| more);
            let last = self.bucket(host).map_or(&none, |bucket| &**bucket);
            let bucket = last.with(host.name(), gone, first.into_iter().chain(others));
            conflicts.extend(news(last, &bucket));
            match host {
                HostKey::Every => next.every = Arc::new(bucket),
                HostKey::Name(name) => names.note(name, bucket),
                HostKey::Child(suffix) => children.note(suffix, bucket),
                HostKey::Below(suffix) => below.note(suffix, bucket),
            }
        }
        for (map, changes) in [(&mut next.names, names), (&mut next.children, children), (&mut next.below, below)] {
            changes.apply(map);
        }
        (next, ordered(conflicts))
    }

    fn bucket(&self, host: HostKey<'_>) -> Option<&Arc<Bucket>> {
        match host {
            HostKey::Every => Some(&self.every),
            HostKey::Name(name) => self.names.get(name.as_bytes()),
            HostKey::Child(suffix) => self.children.get(suffix.as_bytes()),
            HostKey::Below(suffix) => self.below.get(suffix.as_bytes()),
        }
    }

    /// The route of a request: of all whose rule holds the first in order. Allocates nothing, but for
    /// regular expressions: the states that a thread meets for the first time, and a query's value that is to be decoded.
    pub fn find(&self, asked: &impl Asked) -> Option<&Route> {
        self.find_entry(&Question::new(asked)).map(|entry| &*entry.route)
    }

    /// The route that a request would have inside TLS, whether it came so or not. Where [`find`](Self::find) has none for
    /// a request without TLS and this one has, the request may be sent there: [`Way::redirect`](super::Way::redirect) of it
    /// says whether. Costs what [`find`](Self::find) costs.
    pub fn find_inside_tls(&self, asked: &impl Asked) -> Option<&Route> {
        self.find_entry(&Question::new(asked).inside_tls()).map(|entry| &*entry.route)
    }

    pub(crate) fn find_entry<A: Asked>(&self, question: &Question<'_, A>) -> Option<&Entry> {
        let Some(host) = question.host() else { return self.every.first(question, None) };
        let mut best = None;
        if let Some(bucket) = self.names.get(host) {
            best = bucket.first(question, best);
        }
        let parents = iter::successors(host::parent(host), |name| host::parent(name));
        for (depth, parent) in parents.enumerate() {
            if depth == 0
                && let Some(bucket) = self.children.get(parent)
            {
                best = bucket.first(question, best);
            }
            if self.below.is_empty() {
                break;
            }
            if let Some(bucket) = self.below.get(parent) {
                best = bucket.first(question, best);
            }
        }
        self.every.first(question, best)
    }

    /// Whether there is no route at all.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// All routes, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.owners.values().flat_map(|owner| &owner.routes)
    }

    /// All routes, in order.
    pub fn routes(&self) -> Vec<&Arc<Route>> {
        let mut routes: Vec<_> = self.all().collect();
        routes.sort_by(|a, b| a.order(b));
        routes
    }

    /// Who wants the same as another. Looks through the whole table.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let maps = [&self.names, &self.children, &self.below];
        let buckets = maps.into_iter().flat_map(Sharded::values).chain([&self.every]);
        ordered(buckets.flat_map(|bucket| bucket.conflicts().iter().cloned()).collect())
    }
}

/// Where something changes, and the route that comes there, if it is that.
type Touched<'a> = (HostKey<'a>, Option<Placed<'a>>);

/// What becomes of one of the sets of buckets.
#[derive(Default)]
struct Changes<'a> {
    gone: Vec<&'a [u8]>,
    there: Vec<Arc<Bucket>>,
}

impl<'a> Changes<'a> {
    fn note(&mut self, name: &'a str, bucket: Bucket) {
        if bucket.is_empty() { self.gone.push(name.as_bytes()) } else { self.there.push(Arc::new(bucket)) }
    }

    fn apply(self, set: &mut Sharded<Arc<Bucket>>) {
        if !self.gone.is_empty() {
            *set = set.without(self.gone);
        }
        if !self.there.is_empty() {
            *set = set.with(self.there);
        }
    }
}

/// The containers of these routes, each with its own. Brings those of one together.
fn owners(routes: &mut [Arc<Route>]) -> Vec<Arc<Owner>> {
    routes.sort_by(|a, b| a.origin().id.cmp(&b.origin().id));
    let owned = routes.chunk_by(|a, b| a.origin().id == b.origin().id);
    owned.map(|own| Arc::new(Owner { id: Arc::clone(&own[0].origin().id), routes: own.to_vec() })).collect()
}

type Pair = (*const Route, *const Route);

fn pair(conflict: &Conflict) -> Pair {
    (Arc::as_ptr(&conflict.winner), Arc::as_ptr(&conflict.loser))
}

fn news<'a>(last: &Bucket, next: &'a Bucket) -> impl Iterator<Item = Conflict> + 'a {
    let known: HashSet<Pair> = last.conflicts().iter().map(pair).collect();
    next.conflicts().iter().filter(move |conflict| !known.contains(&pair(conflict))).cloned()
}

/// A rule for several hosts meets another at each of them; that is one conflict.
fn ordered(mut conflicts: Vec<Conflict>) -> Vec<Conflict> {
    conflicts.sort_by(|a, b| a.winner.order(&b.winner).then_with(|| a.loser.order(&b.loser)));
    conflicts.dedup_by_key(|conflict| pair(conflict));
    conflicts
}
