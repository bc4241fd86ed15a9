//! Our own labels on one container: each row of the table goes into its place, and each label gets a verdict.
//!
//! ```text
//! divisi.host            the route without a name
//! divisi.admin.host      the route `admin`
//! divisi.health.status   a setting: what settings begin with is no name of a route
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use divisi_model::Spec;

use crate::complaint::{Complaint, meant};
use crate::dialect::Dialect;
use crate::native::{self, MAIN, OfContainer, OfRoute, Strip};
use crate::nearest::is_slip_of;
use crate::row::{Care, Of, PREFIX, Row};
use crate::stream::{self, Streams};
use crate::table::TABLE;
use crate::verdict::{Outcome, Verdict};
use crate::wish::{RouteSpec, ServiceSpec};

/// Everything that our labels say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Native {
    pub(crate) spec: Arc<Spec>,
    pub(crate) container: OfContainer,
    pub(crate) routes: Vec<RouteSpec>,
    pub(crate) services: Vec<ServiceSpec>,
    pub(crate) streams: Streams,
    /// The label because of which there is no route where one was meant.
    pub(crate) left_out: Option<String>,
    /// A label that guards a route that there is not. Some other one was meant, perhaps.
    pub(crate) stray: Option<String>,
    pub(crate) verdicts: Vec<Verdict>,
}

/// What our labels say of a service on top of `base`.
pub(crate) fn spec<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>, base: &Arc<Spec>) -> Arc<Spec> {
    let is_of_service = |label: &str| {
        let row = TABLE.iter().find(|row| label.strip_prefix(PREFIX) == Some(row.key));
        row.is_some_and(|row| matches!(row.of, Of::Service { .. }))
    };
    native(labels.into_iter().filter(|(label, _)| is_of_service(label)), base).spec
}

/// Labels have no order. They are read in that of the table, so that the same ones always come to the same.
pub(crate) fn native<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>, base: &Arc<Spec>) -> Native {
    let (mut ours, mut about_tcp, mut nearly_ours) = (Vec::new(), BTreeMap::new(), Vec::new());
    for (label, value) in labels {
        let value = value.trim();
        match label.strip_prefix(PREFIX) {
            Some(key) if stream::native::is_about(key) => drop(about_tcp.insert(key, value)),
            Some(key) => ours.push((Known::of(key), key, value)),
            None if is_nearly_ours(label) => nearly_ours.push((label, value)),
            None => {}
        }
    }
    ours.sort_unstable();
    nearly_ours.sort_unstable();
    let mut reader = Reader {
        spec: Arc::clone(base),
        container: OfContainer::default(),
        routes: Vec::new(),
        verdicts: Vec::with_capacity(ours.len()),
        left_out: None,
        stray: None,
        says_affinity: false,
    };
    for (known, key, value) in ours {
        match known {
            Known::Whole(row) => reader.put(&TABLE[row], key, MAIN, value),
            Known::Named(row) => reader.put_named(&TABLE[row], key, value),
            Known::Not => reader.unknown(&format!("{PREFIX}{key}"), key, value),
        }
    }
    for (label, value) in nearly_ours {
        let key = label.split_once('.').map_or("", |(_, key)| key);
        reader.unknown(label, key, value);
    }
    let read = stream::native::read(&about_tcp, &reader.spec);
    reader.verdicts.extend(read.verdicts);
    if let Some(label) = read.left_out {
        reader.left_out.get_or_insert(label);
    }
    Native { streams: read.streams, ..reader.finish() }
}

/// With a letter wrong in its first word, it is still to be heard of.
pub(crate) fn is_nearly_ours(label: &str) -> bool {
    let root = label.split_once('.').map_or("", |(root, _)| root);
    root != "divisi" && is_slip_of(root, "divisi")
}

/// Whether a key stands in the table, and at which row; in the order in which labels are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    /// It does.
    Whole(usize),
    /// It does behind the name of a route.
    Named(usize),
    /// It does not.
    Not,
}

impl Known {
    fn of(key: &str) -> Self {
        let row = |key: &str| TABLE.iter().position(|row| row.key == key);
        if let Some(whole) = row(key) {
            return Self::Whole(whole);
        }
        let named = key.rsplit_once('.').and_then(|(_, last)| row(last));
        named.filter(|row| matches!(TABLE[*row].of, Of::Route { .. })).map_or(Self::Not, Self::Named)
    }
}

struct Reader<'a> {
    /// Shared with all who say nothing else.
    spec: Arc<Spec>,
    container: OfContainer,
    /// By name. Most containers have one.
    routes: Vec<(&'a str, Draft)>,
    verdicts: Vec<Verdict>,
    left_out: Option<String>,
    stray: Option<String>,
    says_affinity: bool,
}

/// A route of which not all is read yet.
#[derive(Default)]
struct Draft {
    route: OfRoute,
    /// The first label that says which requests.
    label: String,
    /// The label without which it would be more open than its owner wrote it, and what is wrong with it.
    broken: Option<(String, &'static str)>,
    /// The same for one without which it would be less guarded.
    unguarded: Option<(String, &'static str)>,
    /// The first label that guards it.
    guard: Option<String>,
}

impl Draft {
    /// Notes that a label cannot be read; what becomes of the route because of that.
    fn miss(&mut self, care: Care, label: &str, fault: &'static str) -> Option<&'static str> {
        let place = match care {
            Care::None => return None,
            Care::Narrows => &mut self.broken,
            Care::Guards => &mut self.unguarded,
        };
        place.get_or_insert_with(|| (label.to_owned(), fault));
        if care == Care::Guards {
            self.guard.get_or_insert_with(|| label.to_owned());
        }
        without(care)
    }
}

impl<'a> Reader<'a> {
    /// `route` is the name of the route, if it is one's label.
    fn put(&mut self, row: &Row, key: &str, route: &'a str, value: &str) {
        let outcome =
            if value.is_empty() { self.empty(row, key, route) } else { self.set(row, key, route, value).into() };
        self.judge(key, value, outcome);
    }

    /// That is how Compose writes a variable that is not set. It counts as not set, but where the label keeps something from
    /// clients: `divisi.host: ${HOST}` beside `divisi.path: /admin` is not meant to open `/admin` on every host.
    fn empty(&mut self, row: &Row, key: &str, route: &'a str) -> Outcome {
        if row.is_enable() {
            return Outcome::wrong("it is empty: is the variable set? Until then the container is not exposed");
        }
        let ignored = || Outcome::Ignored("it is empty, which counts as not set".to_owned());
        let Of::Route { care, .. } = row.of else { return ignored() };
        if care == Care::None {
            return ignored();
        }
        let Some(without) = self.draft(route).miss(care, &format!("{PREFIX}{key}"), "is empty") else {
            return ignored();
        };
        let (none, does) = if care == Care::Guards { (row.default, "guards") } else { ("any", "narrows") };
        Outcome::wrong(format!("it is empty: is the variable set? Write {none} where it {does} nothing; {without}"))
    }

    fn set(&mut self, row: &Row, key: &str, route: &'a str, value: &str) -> Result<(), String> {
        let (set, care) = match row.of {
            Of::Container { set } => return set(&mut self.container, value),
            Of::Service { set, .. } => return self.set_spec(row, set, value),
            // Those have been taken out before.
            Of::Port { .. } => return Err("no such label".to_owned()),
            Of::Route { set, care } => (set, care),
        };
        let draft = self.draft(route);
        if let Err(accepted) = set(&mut draft.route, value) {
            return Err(match draft.miss(care, &format!("{PREFIX}{key}"), UNREADABLE) {
                Some(without) => format!("{accepted}; {without}"),
                None => accepted,
            });
        }
        if care == Care::Narrows && draft.label.is_empty() {
            draft.label = [PREFIX, key].concat();
        }
        if care == Care::Guards && draft.route.entrance.guards() {
            draft.guard.get_or_insert_with(|| format!("{PREFIX}{key}"));
        }
        Ok(())
    }

    /// What is read so far of the route of that name.
    fn draft(&mut self, route: &'a str) -> &mut Draft {
        let known = self.routes.iter().position(|(name, _)| *name == route);
        let at = known.unwrap_or_else(|| {
            self.routes.push((route, Draft::default()));
            self.routes.len() - 1
        });
        &mut self.routes[at].1
    }

    fn set_spec(
        &mut self,
        row: &Row,
        set: fn(&mut Spec, &str) -> Result<(), String>,
        value: &str,
    ) -> Result<(), String> {
        let spec = Arc::make_mut(&mut self.spec);
        if !row.is_affinity() || self.says_affinity {
            return set(spec, value);
        }
        // What the flags say for all services does not stand against what a label says for this one.
        let by_flag = std::mem::take(&mut spec.affinity);
        let result = set(spec, value);
        self.says_affinity = result.is_ok();
        if result.is_err() {
            spec.affinity = by_flag;
        }
        result
    }

    /// A label with the name of a route in it.
    fn put_named(&mut self, row: &Row, key: &'a str, value: &str) {
        let (name, _) = key.rsplit_once('.').unwrap_or((MAIN, key));
        match name_fault(name) {
            None => self.put(row, key, name, value),
            Some(fault) => {
                self.left_out.get_or_insert_with(|| format!("{PREFIX}{key}"));
                self.judge(key, value, Outcome::wrong(fault));
            }
        }
    }

    /// There is no such label. If one that narrows a route is meant, the route would be too open without it.
    fn unknown(&mut self, label: &str, key: &'a str, value: &str) {
        let complaint = Complaint { label: label.to_owned(), ..Complaint::unknown(key, value) };
        let (name, last) = key.rsplit_once('.').unwrap_or((MAIN, key));
        let whole = meant(key).map(|row| (MAIN, row));
        let part = || meant(last).filter(|_| name_fault(name).is_none()).map(|row| (name, row));
        let Some((name, row)) = whole.or_else(part) else {
            self.verdicts.push(complaint.into());
            return;
        };
        let mut verdict = Verdict::from(complaint);
        let right = if name == MAIN { row.label() } else { format!("{PREFIX}{name}.{}", row.key) };
        verdict.outcome = match row.of {
            Of::Route { care, .. } => {
                if care != Care::None {
                    self.draft(name).miss(care, label, UNREADABLE);
                }
                Outcome::Wrong { accepted: no_such_label(care), meant: Some(right) }
            }
            Of::Service { .. } | Of::Container { .. } | Of::Port { .. } => {
                Outcome::Wrong { accepted: no_such_label(Care::None), meant: Some(row.label()) }
            }
        };
        self.verdicts.push(verdict);
    }

    fn judge(&mut self, key: &str, value: &str, outcome: Outcome) {
        let label = [PREFIX, key].concat();
        self.verdicts.push(Verdict { dialect: Dialect::Native, label, value: value.to_owned(), outcome });
    }

    fn finish(mut self) -> Native {
        let mut drafts = std::mem::take(&mut self.routes);
        drafts.sort_unstable_by_key(|(name, _)| *name);
        let main = drafts.first().filter(|(name, _)| *name == MAIN).and_then(|(_, draft)| draft.route.port);
        let mut services = vec![native::service(MAIN, main, Arc::clone(&self.spec))];
        let mut routes = Vec::with_capacity(drafts.len());
        for (name, draft) in drafts {
            if let Some((broken, fault)) = draft.broken {
                self.leave_out(name, &format!("{broken} {fault}"));
                self.left_out.get_or_insert(broken);
                // Without the route, a wider one would serve its requests unguarded.
                self.stray = self.stray.take().or(draft.guard);
                continue;
            }
            let (label, port) = (draft.label, draft.route.port);
            if draft.route.strip == Strip::Path && draft.route.prefixes().next().is_none() {
                self.amend(name, "strip", "there is no path to strip; say one as divisi.path, or here");
            }
            if draft.route.is_empty() {
                self.pointless(name);
                draft.guard.into_iter().for_each(|guard| self.lose(name, guard));
                continue;
            }
            let closed = draft.unguarded.map(|(label, fault)| format!("{label} {fault}, and would have guarded it"));
            match draft.route.finish(name, &label, main) {
                Ok(mut new) => {
                    new.iter_mut().for_each(|route| route.closed.clone_from(&closed));
                    if new.iter().any(|route| route.service != MAIN) {
                        services.push(native::service(name, port, Arc::clone(&self.spec)));
                    }
                    routes.extend(new);
                }
                Err(error) => {
                    self.amend(name, "host", &error);
                    self.left_out.get_or_insert(label);
                }
            }
        }
        let Self { spec, container, verdicts, left_out, stray, .. } = self;
        let streams = Streams::default();
        Native { spec, container, routes, services, streams, left_out, stray, verdicts }
    }

    /// What guards a route that there is not might have been meant for another one.
    fn lose(&mut self, name: &str, guard: String) {
        let begin = if name == MAIN { PREFIX.to_owned() } else { format!("{PREFIX}{name}.") };
        let why = format!("there is no such route; write {begin}host. Until then nothing leads to the container");
        for verdict in self.verdicts.iter_mut().filter(|verdict| verdict.label == guard && !verdict.is_wrong()) {
            verdict.outcome = Outcome::wrong(why.as_str());
        }
        self.stray.get_or_insert(guard);
    }

    /// A label that could be read turns out to be wrong beside the others.
    fn amend(&mut self, name: &str, key: &str, why: &str) {
        let label = if name == MAIN { format!("{PREFIX}{key}") } else { format!("{PREFIX}{name}.{key}") };
        for verdict in self.verdicts.iter_mut().filter(|verdict| verdict.label == label && !verdict.is_wrong()) {
            verdict.outcome = Outcome::wrong(why);
        }
    }

    /// The rest of a route that would be too open without one of its labels.
    fn leave_out(&mut self, name: &str, why: &str) {
        let is_of_route = |row: &&Row| matches!(row.of, Of::Route { .. });
        let label = |row: &Row| if name == MAIN { row.label() } else { format!("{PREFIX}{name}.{}", row.key) };
        let labels: Vec<String> = TABLE.iter().filter(is_of_route).map(label).collect();
        let ours = |verdict: &&mut Verdict| labels.contains(&verdict.label) && verdict.outcome == Outcome::Used;
        for verdict in self.verdicts.iter_mut().filter(ours) {
            verdict.outcome = Outcome::Ignored(format!("its route is left out, because {why}"));
        }
    }

    /// A route with a name that says of no requests that they lead there.
    fn pointless(&mut self, name: &str) {
        if name == MAIN {
            return;
        }
        let begin = format!("{PREFIX}{name}.");
        let why = format!("the route has neither a host nor a path; write {begin}host");
        let ours = |verdict: &&mut Verdict| verdict.label.starts_with(&begin) && verdict.outcome == Outcome::Used;
        for verdict in self.verdicts.iter_mut().filter(ours) {
            verdict.outcome = Outcome::Ignored(why.clone());
        }
    }
}

const UNREADABLE: &str = "cannot be read";

/// What becomes of a route without a label that cannot be read.
fn without(care: Care) -> Option<&'static str> {
    match care {
        Care::None => None,
        Care::Narrows => Some("the route is left out, for it would be too open without"),
        Care::Guards => Some("the route is closed, for it guards it"),
    }
}

fn no_such_label(care: Care) -> String {
    let without = without(care).map(|without| format!("; {without}")).unwrap_or_default();
    format!("no such label; `divisi labels` prints all there are{without}")
}

/// What is wrong with the name of a route.
fn name_fault(name: &str) -> Option<String> {
    const LONGEST: usize = 64;
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if name.is_empty() || name.len() > LONGEST || !name.bytes().all(is_allowed) {
        return Some(
            "the name of a route has letters, digits, - and _ only, and no dot (divisi.admin.host)".to_owned(),
        );
    }
    let is_setting = TABLE.iter().any(|row| row.key.split('.').next() == Some(name));
    is_setting
        .then(|| format!("{name} is a setting, and no name for a route; choose another, as in divisi.{name}-1.host"))
}
