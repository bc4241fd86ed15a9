//! What the fake engine knows, and whom it tells.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Calls;
use super::container::FakeContainer;

/// How many events can be replayed, as in the real engine.
const HISTORY: usize = 256;

/// A container, with its answers written beforehand.
#[derive(Debug)]
struct Record {
    container: FakeContainer,
    summary: String,
}

#[derive(Debug)]
struct Subscriber {
    filters: Filters,
    sink: mpsc::UnboundedSender<Vec<u8>>,
}

/// The `filters` parameter: what is wanted, by kind.
pub(super) type Filters = HashMap<String, Vec<String>>;

/// Everything the fake engine knows.
#[derive(Debug, Default)]
pub(super) struct State {
    containers: BTreeMap<String, Record>,
    subscribers: Vec<Subscriber>,
    history: VecDeque<(u128, Value)>,
    created: u64,
    pub(super) calls: Calls,
    pub(super) list_delay: Duration,
    pub(super) list_body: Option<String>,
    /// The head of an event stream comes with its first event.
    pub(super) late_heads: bool,
    /// No call is answered.
    pub(super) hangs: bool,
    /// Events that are not sent yet, where they are held back.
    held: Option<Vec<(String, String, Vec<u8>)>>,
    pub(super) fail_lists: bool,
    pub(super) inspect_body: Option<String>,
    pub(super) least_version: u32,
}

impl State {
    pub(super) fn create(&mut self, container: FakeContainer) -> String {
        self.created += 1;
        let id = container.chosen_id().map_or_else(|| format!("{:064x}", self.created), str::to_owned);
        let summary = container.summary(&id).to_string();
        self.containers.insert(id.clone(), Record { container, summary });
        id
    }

    pub(super) fn change(&mut self, id: &str, change: impl FnOnce(&mut FakeContainer)) {
        if let Some(record) = self.containers.get_mut(id) {
            change(&mut record.container);
            record.summary = record.container.summary(id).to_string();
        }
    }

    pub(super) fn forget(&mut self, id: &str) {
        self.containers.remove(id);
    }

    pub(super) fn container_event(&mut self, id: &str, action: &str, more: &Value) {
        let Some(record) = self.containers.get(id) else { return };
        let mut attributes = record.container.attributes();
        for (name, value) in more.as_object().into_iter().flatten() {
            attributes.insert(name.clone(), value.clone());
        }
        self.tell("container", action, id, &Value::Object(attributes));
    }

    pub(super) fn network_event(&mut self, container: &str, network: &str, action: &str) {
        let attributes = json!({ "container": container, "name": network, "type": "bridge" });
        self.tell("network", action, &format!("{network}-id"), &attributes);
    }

    fn tell(&mut self, kind: &str, action: &str, id: &str, attributes: &Value) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let message = json!({
            "Type": kind,
            "Action": action,
            "Actor": { "ID": id, "Attributes": attributes },
            "scope": "local",
            "time": now.as_secs(),
            "timeNano": nanos,
        });
        let line = format!("{message}\n").into_bytes();
        match &mut self.held {
            Some(held) => held.push((kind.to_owned(), action.to_owned(), line)),
            None => self.deliver(kind, action, &line),
        }
        self.history.push_back((now.as_nanos(), message));
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
    }

    fn deliver(&mut self, kind: &str, action: &str, line: &[u8]) {
        self.subscribers.retain(|subscriber| {
            !wants(&subscriber.filters, kind, action) || subscriber.sink.send(line.to_vec()).is_ok()
        });
    }

    pub(super) fn hold_events(&mut self) {
        self.held.get_or_insert_default();
    }

    /// Sends those of the held events whose places are named, in that order, and holds no more.
    pub(super) fn release_events(&mut self, order: impl FnOnce(usize) -> Vec<usize>) {
        let held = self.held.take().unwrap_or_default();
        for place in order(held.len()) {
            if let Some((kind, action, line)) = held.get(place) {
                self.deliver(kind, action, line);
            }
        }
    }

    pub(super) fn forget_history(&mut self) {
        self.history.clear();
    }

    /// A new event stream, which begins with what happened from `since` on.
    pub(super) fn subscribe(&mut self, filters: Filters, since: Option<u128>) -> mpsc::UnboundedReceiver<Vec<u8>> {
        let (sink, stream) = mpsc::unbounded_channel();
        for (at, message) in &self.history {
            let field = |name: &str| message[name].as_str().unwrap_or_default();
            if since.is_some_and(|since| since <= *at) && wants(&filters, field("Type"), field("Action")) {
                let _ = sink.send(format!("{message}\n").into_bytes());
            }
        }
        self.subscribers.push(Subscriber { filters, sink });
        stream
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.subscribers.retain(|subscriber| subscriber.sink.send(bytes.to_vec()).is_ok());
    }

    pub(super) fn cut_events(&mut self) {
        self.subscribers.clear();
    }

    pub(super) fn subscribers(&self) -> usize {
        self.subscribers.iter().filter(|subscriber| !subscriber.sink.is_closed()).count()
    }

    /// The body of `GET /containers/json`.
    pub(super) fn list(&self, filters: &Filters, all: bool) -> String {
        let mut body = String::from("[");
        for record in self.containers.values() {
            if (all || record.container.is_running()) && has_labels(&record.container, filters) {
                if body.len() > 1 {
                    body.push(',');
                }
                body.push_str(&record.summary);
            }
        }
        body.push(']');
        body
    }

    /// The body of `GET /containers/{name}/json`, by id, start of an id, or name.
    pub(super) fn inspect(&self, name: &str) -> Option<String> {
        let exact = self.containers.get_key_value(name);
        let is_meant = |(id, record): &(&String, &Record)| id.starts_with(name) || record.container.is_called(name);
        let (id, record) = exact.or_else(|| self.containers.iter().find(is_meant))?;
        record.container.is_inspectable().then(|| record.container.details(id).to_string())
    }
}

fn wants(filters: &Filters, kind: &str, action: &str) -> bool {
    let allows = |name: &str, matches: &dyn Fn(&str) -> bool| {
        filters.get(name).is_none_or(|wanted| wanted.is_empty() || wanted.iter().any(|wanted| matches(wanted)))
    };
    // The real engine compares beginnings as soon as health_status is among the wanted.
    allows("type", &|wanted| wanted == kind) && allows("event", &|wanted| action.starts_with(wanted))
}

fn has_labels(container: &FakeContainer, filters: &Filters) -> bool {
    let has = |label: &String| match label.split_once('=') {
        Some((name, text)) => container.label_is(name, Some(text)),
        None => container.label_is(label, None),
    };
    filters.get("label").is_none_or(|labels| labels.iter().all(has))
}
