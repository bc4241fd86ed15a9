//! The engine's answers as they come, reduced to what is read of them. Whatever the API does not promise may be missing or
//! null.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::IgnoredAny;

/// An entry of `GET /containers/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Summary {
    pub(crate) id: String,
    pub(crate) names: Option<Vec<String>>,
    pub(crate) labels: Option<HashMap<String, String>>,
    /// In seconds.
    pub(crate) created: Option<i64>,
    pub(crate) state: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) ports: Option<Vec<PortSummary>>,
    pub(crate) host_config: Option<HostConfig>,
    pub(crate) network_settings: Option<NetworkSettings>,
}

/// What remains of an entry that cannot be read: enough to say whose it is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Remains {
    pub(crate) id: serde_json::Value,
    pub(crate) names: serde_json::Value,
}

/// A port in a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PortSummary {
    pub(crate) private_port: u16,
    pub(crate) r#type: Option<String>,
}

/// What a container shares with the host.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct HostConfig {
    pub(crate) network_mode: Option<String>,
}

/// How a container is connected.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NetworkSettings {
    pub(crate) networks: Option<BTreeMap<String, Option<Endpoint>>>,
    /// Only in an inspection.
    pub(crate) ports: Option<HashMap<String, IgnoredAny>>,
}

/// A container's place on a network.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Endpoint {
    #[serde(rename = "NetworkID")]
    pub(crate) network_id: Option<String>,
    #[serde(rename = "IPAddress")]
    pub(crate) ip_address: Option<String>,
    #[serde(rename = "GlobalIPv6Address")]
    pub(crate) ipv6_address: Option<String>,
    pub(crate) gateway: Option<String>,
    #[serde(rename = "IPv6Gateway")]
    pub(crate) ipv6_gateway: Option<String>,
}

/// `GET /containers/{id}/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Details {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    /// As in RFC 3339.
    pub(crate) created: Option<String>,
    pub(crate) state: Option<State>,
    pub(crate) config: Option<Config>,
    pub(crate) host_config: Option<HostConfig>,
    pub(crate) network_settings: Option<NetworkSettings>,
}

/// What a container is doing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct State {
    pub(crate) running: Option<bool>,
    pub(crate) paused: Option<bool>,
    pub(crate) restarting: Option<bool>,
    /// As in RFC 3339.
    pub(crate) started_at: Option<String>,
    pub(crate) health: Option<HealthState>,
}

/// What a HEALTHCHECK says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct HealthState {
    pub(crate) status: Option<String>,
}

/// How a container was made.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Config {
    pub(crate) labels: Option<HashMap<String, String>>,
    pub(crate) env: Option<Vec<String>>,
    pub(crate) exposed_ports: Option<HashMap<String, IgnoredAny>>,
    pub(crate) stop_signal: Option<String>,
    pub(crate) stop_timeout: Option<i64>,
}

/// A line of `GET /events`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Message {
    pub(crate) r#type: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) actor: Option<Actor>,
    /// By the engine's clock.
    #[serde(rename = "timeNano")]
    pub(crate) time_nano: Option<i64>,
}

/// To whom something happened.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Actor {
    #[serde(rename = "ID")]
    pub(crate) id: Option<String>,
    pub(crate) attributes: Option<HashMap<String, String>>,
}
