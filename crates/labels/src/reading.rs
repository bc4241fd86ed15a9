//! Our own labels on one container: each row of the table goes into its place, and each label gets a verdict.
//!
//! ```text
//! divisi.host            the route without a name
//! divisi.admin.host      the route `admin`
//! divisi.health.status   a setting: what settings begin with is no name of a route
//! ```

use std::collections::BTreeMap;

use divisi_model::Spec;
use divisi_model::spec::Affinity;

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
    pub(crate) spec: Spec,
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
pub(crate) fn spec<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>, base: &Spec) -> Spec {
    let is_of_service = |label: &str| {
        let row = TABLE.iter().find(|row| label.strip_prefix(PREFIX) == Some(row.key));
        row.is_some_and(|row| matches!(row.of, Of::Service { .. }))
    };
    native(labels.into_iter().filter(|(label, _)| is_of_service(label)), base).spec
}

/// Labels have no order. They are read in that of the table, so that the same ones always come to the same.
pub(crate) fn native<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>, base: &Spec) -> Native {
    let labels: Vec<_> = labels.into_iter().map(|(label, value)| (label, value.trim())).collect();
    let ours = labels.iter().filter_map(|(label, value)| Some((label.strip_prefix(PREFIX)?, *value)));
    let mut ours: BTreeMap<&str, &str> = ours.collect();
    let about_tcp: BTreeMap<&str, &str> = ours.extract_if(.., |key, _| stream::native::is_about(key)).collect();
    let nearly_ours: BTreeMap<&str, &str> = labels.iter().copied().filter(|(label, _)| is_nearly_ours(label)).collect();
    let mut reader = Reader {
        spec: base.clone(),
        container: OfContainer::default(),
        routes: BTreeMap::new(),
        verdicts: Vec::new(),
        left_out: None,
        stray: None,
        says_affinity: false,
    };
    for row in TABLE {
        if let Some(value) = ours.remove(row.key) {
            reader.put(row, row.key, None, value);
        }
    }
    for row in TABLE.iter().filter(|row| matches!(row.of, Of::Route { .. })) {
        let named = ours.extract_if(.., |key, _| key.rsplit_once('.').is_some_and(|(_, last)| last == row.key));
        let named: Vec<_> = named.collect();
        for (key, value) in named {
            reader.put_named(row, key, value);
        }
    }
    for (key, value) in ours {
        reader.unknown(&format!("{PREFIX}{key}"), key, value);
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

struct Reader<'a> {
    spec: Spec,
    container: OfContainer,
    routes: BTreeMap<&'a str, Draft>,
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
    /// `route` is the name of the route, where it is said.
    fn put(&mut self, row: &Row, key: &'a str, route: Option<&'a str>, value: &str) {
        let outcome =
            if value.is_empty() { self.empty(row, key, route) } else { self.set(row, key, route, value).into() };
        self.judge(key, value, outcome);
    }

    /// That is how Compose writes a variable that is not set. It counts as not set, but where the label keeps something from
    /// clients: `divisi.host: ${HOST}` beside `divisi.path: /admin` is not meant to open `/admin` on every host.
    fn empty(&mut self, row: &Row, key: &str, route: Option<&'a str>) -> Outcome {
        if row.is_enable() {
            return Outcome::wrong("it is empty: is the variable set? Until then the container is not exposed");
        }
        let ignored = || Outcome::Ignored("it is empty, which counts as not set".to_owned());
        let Of::Route { care, .. } = row.of else { return ignored() };
        if care == Care::None {
            return ignored();
        }
        let draft = self.routes.entry(route.unwrap_or(MAIN)).or_default();
        let Some(without) = draft.miss(care, &format!("{PREFIX}{key}"), "is empty") else { return ignored() };
        let (none, does) = if care == Care::Guards { (row.default, "guards") } else { ("any", "narrows") };
        Outcome::wrong(format!("it is empty: is the variable set? Write {none} where it {does} nothing; {without}"))
    }

    fn set(&mut self, row: &Row, key: &str, route: Option<&'a str>, value: &str) -> Result<(), String> {
        let (set, care) = match row.of {
            Of::Container { set } => return set(&mut self.container, value),
            Of::Service { set, .. } => return self.set_spec(row, set, value),
            // Those have been taken out before.
            Of::Port { .. } => return Err("no such label".to_owned()),
            Of::Route { set, care } => (set, care),
        };
        let draft = self.routes.entry(route.unwrap_or(MAIN)).or_default();
        let mut after = draft.route.clone();
        let result = set(&mut after, value);
        match result {
            Ok(()) => {
                if care == Care::Narrows && draft.label.is_empty() {
                    draft.label = format!("{PREFIX}{key}");
                }
                if care == Care::Guards && after.entrance.guards() {
                    draft.guard.get_or_insert_with(|| format!("{PREFIX}{key}"));
                }
                draft.route = after;
            }
            Err(accepted) => {
                return Err(match draft.miss(care, &format!("{PREFIX}{key}"), UNREADABLE) {
                    Some(without) => format!("{accepted}; {without}"),
                    None => accepted,
                });
            }
        }
        Ok(())
    }

    fn set_spec(
        &mut self,
        row: &Row,
        set: fn(&mut Spec, &str) -> Result<(), String>,
        value: &str,
    ) -> Result<(), String> {
        let mut spec = self.spec.clone();
        if row.is_affinity() && !self.says_affinity {
            // What the flags say for all services does not stand against what a label says for this one.
            spec.affinity = Affinity::None;
        }
        set(&mut spec, value)?;
        self.spec = spec;
        self.says_affinity |= row.is_affinity();
        Ok(())
    }

    /// A label with the name of a route in it.
    fn put_named(&mut self, row: &Row, key: &'a str, value: &str) {
        let (name, _) = key.rsplit_once('.').unwrap_or((MAIN, key));
        match name_fault(name) {
            None => self.put(row, key, Some(name), value),
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
                    self.routes.entry(name).or_default().miss(care, label, UNREADABLE);
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
        let label = format!("{PREFIX}{key}");
        self.verdicts.push(Verdict { dialect: Dialect::Native, label, value: value.to_owned(), outcome });
    }

    fn finish(mut self) -> Native {
        let drafts = std::mem::take(&mut self.routes);
        let main = drafts.get(MAIN).and_then(|draft| draft.route.port);
        let mut services = vec![native::service(MAIN, main, self.spec.clone())];
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
            if draft.route.strip == Strip::Path && draft.route.prefixes.is_empty() {
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
                        services.push(native::service(name, port, self.spec.clone()));
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
