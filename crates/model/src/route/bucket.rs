//! The routes of one host, by path.
//!
//! The paths lie sorted in one piece, and each knows the longest other one that it begins with. Of the paths that a request's
//! path begins with, the longest is the one that sorts just before it, or one of those that that one begins with. This is
//! a trie on paths laid out flat: one binary search, then only paths that fit.

use std::sync::Arc;

use super::asked::Asked;
use super::keys::{Key, PathTest};
use super::matching::Question;
use super::sharded::Named;
use super::table::Conflict;
use super::{Door, Route};

/// The routes of one host.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// The name of the host, or of what its name ends in, and then all paths, one behind the other.
    text: Box<[u8]>,
    name_length: usize,
    nodes: Box<[Node]>,
    entries: Box<[Entry]>,
    conflicts: Box<[Conflict]>,
}

/// A path. Its numbers are small, so that those of a usual host lie in two lines of a cache.
#[derive(Debug)]
struct Node {
    /// Where it lies in the text.
    start: u32,
    end: u32,
    /// The longest other one with which it begins; itself where there is none.
    parent: u32,
    /// Where its routes lie: those that can be reached in order, then, until the next path's begin, those behind another one
    /// with the same rule.
    first: u32,
    hidden: u32,
}

/// A route under one path.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) route: Arc<Route>,
    /// The route's; here because most are told apart by it.
    priority: i64,
    test: PathTest,
    /// The route's, too.
    door: Door,
    /// There is nothing more to check.
    is_all: bool,
}

/// A route under one path, on its way into a bucket.
pub(crate) struct Placed<'a> {
    path: &'a [u8],
    entry: Entry,
}

impl<'a> Placed<'a> {
    pub(crate) fn new(key: &Key<'a>, route: &Arc<Route>) -> Self {
        let (route, priority, door) = (Arc::clone(route), route.priority(), route.way().door);
        Self { path: key.path, entry: Entry { route, priority, test: key.test, door, is_all: key.is_all } }
    }
}

impl Entry {
    fn is_before(&self, other: &Self) -> bool {
        match self.priority.cmp(&other.priority) {
            std::cmp::Ordering::Equal => self.route.order(&other.route).is_lt(),
            unlike => unlike.is_gt(),
        }
    }
}

impl Named for Bucket {
    fn name(&self) -> &[u8] {
        &self.text[..self.name_length]
    }
}

impl Bucket {
    /// The same bucket under that name, without the routes at `gone`, which are sorted, and with some more.
    pub(crate) fn with<'a>(
        &'a self,
        name: &[u8],
        gone: &[*const Route],
        more: impl Iterator<Item = Placed<'a>>,
    ) -> Self {
        let mut placed = self.placed(gone);
        placed.extend(more);
        placed.sort_by(|a, b| {
            let order = || a.entry.route.order(&b.entry.route).then(a.entry.test.cmp(&b.entry.test));
            a.path.cmp(b.path).then_with(order)
        });
        let mut builder = Builder::new(name, self.nodes.len() + 1, &placed);
        let mut rest = placed.into_iter().peekable();
        while let Some(first) = rest.next() {
            let (path, start) = (first.path, builder.entries.len());
            builder.add_entry(start, first.entry);
            while let Some(next) = rest.next_if(|next| next.path == path) {
                builder.add_entry(start, next.entry);
            }
            builder.add_node(path, start);
        }
        builder.done()
    }

    fn placed(&self, gone: &[*const Route]) -> Vec<Placed<'_>> {
        let mut placed = Vec::with_capacity(self.entries.len() + 1);
        for (at, node) in self.nodes.iter().enumerate() {
            let last = self.nodes.get(at + 1).map_or(self.entries.len(), |next| next.first as usize);
            let entries = self.entries[node.first as usize..last].iter();
            let stays = entries.filter(|entry| gone.binary_search(&Arc::as_ptr(&entry.route)).is_err());
            placed.extend(stays.map(|entry| Placed { path: node.path(&self.text), entry: entry.clone() }));
        }
        placed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn conflicts(&self) -> &[Conflict] {
        &self.conflicts
    }

    /// The first of these and `best` whose rule holds.
    pub(crate) fn first<'a, A: Asked>(
        &'a self,
        question: &Question<'_, A>,
        mut best: Option<&'a Entry>,
    ) -> Option<&'a Entry> {
        let path = question.asked.path();
        let behind = self.nodes.partition_point(|node| node.path(&self.text) <= path);
        let mut next = behind.checked_sub(1);
        while let Some((at, node)) = next.and_then(|at| Some((at, self.nodes.get(at)?))) {
            let parent = node.parent as usize;
            next = (parent != at).then_some(parent);
            if path.starts_with(node.path(&self.text)) {
                best = self.first_of(node, question, best);
            }
        }
        best
    }

    fn first_of<'a, A: Asked>(
        &'a self,
        node: &Node,
        question: &Question<'_, A>,
        best: Option<&'a Entry>,
    ) -> Option<&'a Entry> {
        let (path, length) = (question.asked.path(), (node.end - node.start) as usize);
        let reachable = self.entries[node.first as usize..node.hidden as usize].iter();
        let mut better = reachable.take_while(|entry| best.is_none_or(|best| entry.is_before(best)));
        let is_asked = |entry: &&Entry| {
            let is_near = entry.door.admits(question.is_secure) && entry.test.fits(path, length);
            is_near && (entry.is_all || entry.route.rule().holds(question))
        };
        better.find(is_asked).or(best)
    }
}

impl Node {
    fn path<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        &text[self.start as usize..self.end as usize]
    }
}

/// A bucket in the making.
struct Builder {
    name_length: usize,
    text: Vec<u8>,
    nodes: Vec<Node>,
    entries: Vec<Entry>,
    /// Those of the path at hand that cannot be reached.
    hidden: Vec<Entry>,
    conflicts: Vec<Conflict>,
}

impl Builder {
    fn new(name: &[u8], paths: usize, placed: &[Placed<'_>]) -> Self {
        let mut text = Vec::with_capacity(name.len() + placed.iter().map(|placed| placed.path.len()).sum::<usize>());
        text.extend_from_slice(name);
        Self {
            name_length: name.len(),
            text,
            nodes: Vec::with_capacity(paths),
            entries: Vec::with_capacity(placed.len()),
            hidden: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    /// Adds a route of the path whose routes begin at `start`. Those with the same rule stand side by side; only the first of
    /// them can be reached by each door.
    fn add_entry(&mut self, start: usize, entry: Entry) {
        let last = self.entries[start..].iter().rev().map(|last| &last.route);
        let same =
            last.take_while(|last| last.is_same_rule(&entry.route)).filter(|last| !Arc::ptr_eq(last, &entry.route));
        let admits = |route: &Arc<Route>, is_secure| route.way().door.admits(is_secure);
        let is_behind = |is_secure| !entry.door.admits(is_secure) || same.clone().any(|last| admits(last, is_secure));
        let winner = if is_behind(false) && is_behind(true) { same.clone().next().map(Arc::clone) } else { None };
        match winner {
            Some(winner) => {
                self.note_conflict(&winner, &entry.route);
                self.hidden.push(entry);
            }
            None => self.entries.push(entry),
        }
    }

    /// The replicas of a service say the same. One of each other service is enough.
    fn note_conflict(&mut self, winner: &Arc<Route>, loser: &Arc<Route>) {
        let is_known = |last: &Conflict| Arc::ptr_eq(&last.winner, winner) && last.loser.service() == loser.service();
        if winner.service() != loser.service() && !self.conflicts.last().is_some_and(is_known) {
            self.conflicts.push(Conflict { winner: Arc::clone(winner), loser: Arc::clone(loser) });
        }
    }

    /// Adds a path behind all others, when its entries were added.
    fn add_node(&mut self, path: &[u8], first: usize) {
        let parent = self.parent_of(path).unwrap_or(self.nodes.len());
        let (start, hidden) = (self.text.len(), self.entries.len());
        self.text.extend_from_slice(path);
        self.entries.append(&mut self.hidden);
        self.nodes.push(Node {
            start: number(start),
            end: number(self.text.len()),
            parent: number(parent),
            first: number(first),
            hidden: number(hidden),
        });
    }

    /// The longest path so far with which a path behind all of them begins: the last one, or one of those with which that begins.
    fn parent_of(&self, path: &[u8]) -> Option<usize> {
        let mut at = self.nodes.len().checked_sub(1)?;
        while !path.starts_with(self.nodes[at].path(&self.text)) {
            let parent = self.nodes[at].parent as usize;
            if parent == at {
                return None;
            }
            at = parent;
        }
        Some(at)
    }

    fn done(self) -> Bucket {
        Bucket {
            text: self.text.into(),
            name_length: self.name_length,
            nodes: self.nodes.into(),
            entries: self.entries.into(),
            conflicts: self.conflicts.into(),
        }
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).expect("four gigabytes of labels for one host do not fit into what the engine may answer")
}
