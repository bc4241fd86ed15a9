//! A container on paper, and how the engine's API shows it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

/// A container on paper. Made by [`FakeContainer::replica`] or [`FakeContainer::named`] and the methods that follow.
#[derive(Clone, Debug)]
pub struct FakeContainer {
    name: String,
    labels: BTreeMap<String, String>,
    networks: BTreeMap<String, String>,
    mode: String,
    exposed: Vec<String>,
    health: Option<String>,
    stop_signal: Option<String>,
    stop_timeout: Option<i64>,
    id: Option<String>,
    running: bool,
    paused: bool,
    created: u64,
    started: Option<SystemTime>,
    summary: Option<Value>,
    inspectable: bool,
}

impl FakeContainer {
    /// A container without any labels or networks.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            labels: BTreeMap::new(),
            networks: BTreeMap::new(),
            mode: "default".to_owned(),
            exposed: Vec::new(),
            health: None,
            stop_signal: None,
            stop_timeout: None,
            id: None,
            running: false,
            paused: false,
            created: 1_700_000_000,
            started: None,
            summary: None,
            inspectable: true,
        }
    }

    /// What Compose makes of `docker compose up --scale service=number`: `project-service-number`.
    pub fn replica(project: &str, service: &str, number: u32) -> Self {
        Self::named(&format!("{project}-{service}-{number}"))
            .label("com.docker.compose.project", project)
            .label("com.docker.compose.service", service)
            .label("com.docker.compose.container-number", &number.to_string())
            .label("com.docker.compose.oneoff", "False")
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, name: &str, text: &str) -> Self {
        self.labels.insert(name.to_owned(), text.to_owned());
        self
    }

    /// With an address on a network; IPv6 if it looks like one.
    #[must_use]
    pub fn network(mut self, name: &str, ip: &str) -> Self {
        self.set_network(name, ip);
        self
    }

    /// In this network mode: `host`, `none`, `container:<id>`.
    #[must_use]
    pub fn mode(mut self, mode: &str) -> Self {
        self.mode = mode.to_owned();
        self
    }

    /// With an exposed TCP port.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        self.expose(&format!("{port}/tcp"))
    }

    /// With an exposed port, such as `53/udp`.
    #[must_use]
    pub fn expose(mut self, port: &str) -> Self {
        self.exposed.push(port.to_owned());
        self
    }

    /// With a HEALTHCHECK, at this result.
    #[must_use]
    pub fn healthcheck(mut self, status: &str) -> Self {
        self.health = Some(status.to_owned());
        self
    }

    /// With this stop signal.
    #[must_use]
    pub fn stop_signal(mut self, signal: &str) -> Self {
        self.stop_signal = Some(signal.to_owned());
        self
    }

    /// With this stop timeout, in seconds.
    #[must_use]
    pub fn stop_timeout(mut self, seconds: i64) -> Self {
        self.stop_timeout = Some(seconds);
        self
    }

    /// With this id, instead of one that is made up.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// Made so many seconds after 1970.
    #[must_use]
    pub fn created(mut self, seconds: u64) -> Self {
        self.created = seconds;
        self
    }

    /// Shown in lists as this, whatever it is.
    #[must_use]
    pub fn listed_as(mut self, summary: Value) -> Self {
        self.summary = Some(summary);
        self
    }

    /// No inspection finds it, as if it were just being removed.
    #[must_use]
    pub fn vanishing(mut self) -> Self {
        self.inspectable = false;
        self
    }

    /// It runs.
    pub fn set_running(&mut self) {
        self.started = Some(SystemTime::now());
        self.running = true;
        self.paused = false;
    }

    /// It does not run.
    pub fn set_ended(&mut self) {
        self.running = false;
        self.paused = false;
    }

    /// It is frozen, or not.
    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Its HEALTHCHECK comes to this result.
    pub fn set_health(&mut self, status: &str) {
        self.health = Some(status.to_owned());
    }

    /// It is called this.
    pub fn set_name(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// It has this address on this network.
    pub fn set_network(&mut self, name: &str, ip: &str) {
        self.networks.insert(name.to_owned(), ip.to_owned());
    }

    /// It is not on this network.
    pub fn leave_network(&mut self, name: &str) {
        self.networks.remove(name);
    }

    pub(super) fn chosen_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn is_inspectable(&self) -> bool {
        self.inspectable
    }

    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    pub(super) fn label_is(&self, name: &str, text: Option<&str>) -> bool {
        self.labels.get(name).is_some_and(|own| text.is_none_or(|text| text == own))
    }

    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name
    }

    /// What an event about it says of it.
    pub(super) fn attributes(&self) -> Map<String, Value> {
        let mut attributes: Map<_, _> = self.labels.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
        attributes.insert("image".to_owned(), json!("scratch"));
        attributes.insert("name".to_owned(), json!(self.name));
        attributes
    }

    /// Its element in `GET /containers/json`.
    pub(super) fn summary(&self, id: &str) -> Value {
        if let Some(summary) = &self.summary {
            return summary.clone();
        }
        let state = match (self.running, self.paused) {
            (true, true) => "paused",
            (true, false) => "running",
            (false, _) => "exited",
        };
        json!({
            "Id": id,
            "Names": [format!("/{}", self.name)],
            "Image": "scratch",
            "ImageID": "sha256:0000",
            "Command": "/bin/replica",
            "Created": self.created,
            "Ports": self.ports(),
            "Labels": self.labels,
            "State": state,
            "Status": self.status(),
            "HostConfig": { "NetworkMode": self.mode },
            "NetworkSettings": { "Networks": self.endpoints() },
            "Mounts": [],
        })
    }

    /// The answer to `GET /containers/{id}/json`.
    pub(super) fn details(&self, id: &str) -> Value {
        let exposed: Map<_, _> = self.exposed.iter().map(|port| (port.clone(), json!({}))).collect();
        let published: Map<_, _> = self.exposed.iter().map(|port| (port.clone(), Value::Null)).collect();
        let mut config = json!({ "Hostname": id.get(..12), "Labels": self.labels, "ExposedPorts": exposed });
        if let Some(signal) = &self.stop_signal {
            config["StopSignal"] = json!(signal);
        }
        if let Some(seconds) = self.stop_timeout {
            config["StopTimeout"] = json!(seconds);
        }
        let mut state = json!({
            "Status": if self.running { "running" } else { "exited" },
            "Running": self.running,
            "Paused": self.paused,
            "Restarting": false,
            "Dead": false,
            "StartedAt": self.started.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), stamp),
        });
        if let Some(health) = &self.health {
            state["Health"] = json!({ "Status": health, "FailingStreak": 0, "Log": [] });
        }
        json!({
            "Id": id,
            "Created": stamp(UNIX_EPOCH + Duration::from_secs(self.created)),
            "Name": format!("/{}", self.name),
            "State": state,
            "Config": config,
            "HostConfig": { "NetworkMode": self.mode },
            "NetworkSettings": { "Ports": published, "Networks": self.endpoints() },
        })
    }

    fn status(&self) -> String {
        match (self.running, self.paused, self.health.as_deref()) {
            (false, ..) => "Exited (0) 1 second ago".to_owned(),
            (true, true, _) => "Up 3 minutes (Paused)".to_owned(),
            (true, false, None) => "Up 3 minutes".to_owned(),
            (true, false, Some("starting")) => "Up 3 minutes (health: starting)".to_owned(),
            (true, false, Some(status)) => format!("Up 3 minutes ({status})"),
        }
    }

    fn ports(&self) -> Vec<Value> {
        if !self.running || self.mode == "host" {
            return Vec::new();
        }
        let port = |port: &String| {
            let (number, protocol) = port.split_once('/')?;
            Some(json!({ "PrivatePort": number.parse::<u16>().ok()?, "Type": protocol }))
        };
        self.exposed.iter().filter_map(port).collect()
    }

    fn endpoints(&self) -> Value {
        let endpoint = |(name, ip): (&String, &String)| {
            let is_v6 = ip.contains(':');
            let shown = |wanted: bool| if self.running && wanted { ip.as_str() } else { "" };
            let endpoint = json!({
                "NetworkID": format!("{name}-id"),
                "Gateway": if is_v6 { "" } else { "127.0.0.1" },
                "IPAddress": shown(!is_v6),
                "IPv6Gateway": if is_v6 { "::1" } else { "" },
                "GlobalIPv6Address": shown(is_v6),
            });
            (name.clone(), endpoint)
        };
        Value::Object(self.networks.iter().map(endpoint).collect())
    }
}

/// A time as the engine writes it: RFC 3339, to the nanosecond.
fn stamp(time: SystemTime) -> String {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (mut left, seconds) = (since_epoch.as_secs() / 86_400, since_epoch.as_secs() % 86_400);
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = |year| 365 + u64::from(is_leap(year));
    let mut year = 1970;
    while left >= length(year) {
        left -= length(year);
        year += 1;
    }
    let mut month = 1;
    for days in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if left < days {
            break;
        }
        left -= days;
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let nanos = since_epoch.subsec_nanos();
    format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z", left + 1)
}
