//! What the engine says about a container, reduced to what concerns us.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::answer::{Details, Endpoint, PortSummary, State, Summary};
use crate::compose::Identity;
use crate::network::{Attachment, Networking};
use crate::port::{self, Port};
use crate::{signal, stamp};

/// The engine's name of a container: 64 hexadecimal digits.
pub(crate) type ContainerId = Arc<str>;

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Its process runs.
    Running,
    /// Its process is frozen.
    Paused,
    /// It has no process: not started, ended, or between two starts.
    Ended,
}

/// What a container's HEALTHCHECK says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Nobody has said whether it has one.
    Unknown,
    /// It has none.
    Unchecked,
    /// Not yet healthy.
    Starting,
    /// Healthy.
    Healthy,
    /// Not healthy any more.
    Unhealthy,
}

impl Health {
    /// Reads `healthy`, `unhealthy`, `starting`, `none`.
    pub(crate) fn named(text: &str) -> Option<Self> {
        match text.trim() {
            "healthy" => Some(Self::Healthy),
            "unhealthy" => Some(Self::Unhealthy),
            "starting" => Some(Self::Starting),
            "none" => Some(Self::Unchecked),
            _ => None,
        }
    }

    /// Reads the end of the list's `Up 3 minutes (healthy)`.
    fn in_status(status: &str) -> Self {
        let inside =
            status.rsplit_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(inside, _)| inside);
        Self::named(inside.strip_prefix("health:").unwrap_or(inside)).unwrap_or(Self::Unchecked)
    }
}

/// How a container is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StopRule {
    /// The signal that begins it.
    pub(crate) signal: u8,
    /// How long it has to end by itself.
    pub(crate) timeout: Duration,
}

impl StopRule {
    const TIMEOUT: Duration = Duration::from_secs(10);
    /// For a container that is never killed; only so that some bound exists.
    const NO_TIMEOUT: Duration = Duration::from_hours(24);

    fn of(signal: Option<&str>, timeout: Option<i64>) -> Self {
        let signal = signal.filter(|text| !text.is_empty()).and_then(signal::number).unwrap_or(signal::TERM);
        let timeout = match timeout {
            None => Self::TIMEOUT,
            Some(seconds) => u64::try_from(seconds).map_or(Self::NO_TIMEOUT, Duration::from_secs).min(Self::NO_TIMEOUT),
        };
        Self { signal, timeout }
    }
}

impl Default for StopRule {
    fn default() -> Self {
        Self { signal: signal::TERM, timeout: Self::TIMEOUT }
    }
}

/// A container that is a replica of some service.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    /// The engine's name of it.
    pub(crate) id: ContainerId,
    /// What people call it.
    pub(crate) name: String,
    /// Which replica of which service it is; None for a container that is no replica.
    pub(crate) identity: Option<Identity>,
    /// What it is doing.
    pub(crate) life: Life,
    /// What its HEALTHCHECK says.
    pub(crate) health: Health,
    /// Its port.
    pub(crate) port: Port,
    /// How it is connected.
    pub(crate) networking: Networking,
    /// How it is stopped; None when nobody has said yet.
    pub(crate) stop: Option<StopRule>,
    /// What its labels say to us.
    pub(crate) labels: Said,
    /// What its environment says to us; None when nobody has said yet.
    pub(crate) environment: Option<Said>,
    /// When it was made, in seconds of the engine's clock; 0 where nobody says.
    pub(crate) created: i64,
    /// When this run of it began, in nanoseconds of the engine's clock; None when nobody has said yet.
    pub(crate) started: Option<i64>,
}

/// Names and values that are meant for us, in order: labels, or variables of the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said(Vec<(String, String)>);

impl Said {
    /// Those among all labels of a container.
    pub(crate) fn labels(labels: HashMap<String, String>) -> Self {
        Self::sorted(labels.into_iter().filter(|(name, _)| divisi_labels::is_label(name)))
    }

    /// Those among its variables. The others are none of our business, and some of them are secrets.
    pub(crate) fn environment(variables: &[String]) -> Self {
        let pairs = variables.iter().filter_map(|variable| variable.split_once('='));
        let ours = pairs.filter(|(name, _)| divisi_labels::is_variable(name));
        Self::sorted(ours.map(|(name, value)| (name.to_owned(), value.to_owned())))
    }

    fn sorted(pairs: impl Iterator<Item = (String, String)>) -> Self {
        let mut ours: Vec<_> = pairs.collect();
        ours.sort_unstable();
        Self(ours)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values.
    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

impl Container {
    /// From the list, which tells neither how it is stopped, nor when it started, nor always its port.
    pub(crate) fn listed(summary: Summary) -> Self {
        let id: ContainerId = summary.id.into();
        let life = match summary.state.as_deref() {
            Some("running") => Life::Running,
            Some("paused") => Life::Paused,
            _ => Life::Ended,
        };
        let mode = summary.host_config.and_then(|config| config.network_mode);
        let networks = summary.network_settings.and_then(|settings| settings.networks);
        let labels = summary.labels.unwrap_or_default();
        let name = name(summary.names.unwrap_or_default().first().map(String::as_str), &id);
        Self {
            identity: Identity::of(&labels, &name),
            name,
            life,
            // The list does not say the health of a paused container.
            health: match life {
                Life::Paused => Health::Unknown,
                Life::Running | Life::Ended => Health::in_status(summary.status.as_deref().unwrap_or_default()),
            },
            port: Port::lowest(tcp_ports(summary.ports.as_deref().unwrap_or_default())).unwrap_or(Port::Unknown),
            networking: networking(mode.as_deref(), networks),
            stop: None,
            labels: Said::labels(labels),
            environment: None,
            created: summary.created.unwrap_or(0),
            started: None,
            id,
        }
    }

    /// From an inspection, which tells everything.
    pub(crate) fn inspected(details: Details) -> Self {
        let id: ContainerId = details.id.into();
        let config = details.config.unwrap_or_default();
        let network = details.network_settings.unwrap_or_default();
        let (published, exposed) = (network.ports.unwrap_or_default(), config.exposed_ports.unwrap_or_default());
        let ports = exposed.keys().chain(published.keys()).filter_map(|text| port::tcp(text));
        let mode = details.host_config.and_then(|config| config.network_mode);
        let state = details.state.unwrap_or_default();
        let labels = config.labels.unwrap_or_default();
        let name = name(details.name.as_deref(), &id);
        Self {
            identity: Identity::of(&labels, &name),
            name,
            life: life(&state),
            health: health(&state),
            port: Port::lowest(ports).unwrap_or(Port::None),
            networking: networking(mode.as_deref(), network.networks),
            stop: Some(StopRule::of(config.stop_signal.as_deref(), config.stop_timeout)),
            labels: Said::labels(labels),
            environment: Some(Said::environment(&config.env.unwrap_or_default())),
            created: details.created.as_deref().and_then(stamp::nanos).map_or(0, |nanos| nanos / 1_000_000_000),
            started: state.started_at.as_deref().and_then(stamp::nanos),
            id,
        }
    }
}

fn name(name: Option<&str>, id: &str) -> String {
    let name = name.map(|name| name.trim_start_matches('/')).filter(|name| !name.is_empty());
    name.map_or_else(|| id.chars().take(12).collect(), str::to_owned)
}

fn tcp_ports(ports: &[PortSummary]) -> impl Iterator<Item = u16> + '_ {
    let tcp = |port: &&PortSummary| port.r#type.as_deref().is_none_or(|protocol| protocol.eq_ignore_ascii_case("tcp"));
    ports.iter().filter(tcp).map(|port| port.private_port)
}

fn life(state: &State) -> Life {
    let is = |flag: Option<bool>| flag.unwrap_or(false);
    if !is(state.running) || is(state.restarting) {
        Life::Ended
    } else if is(state.paused) {
        Life::Paused
    } else {
        Life::Running
    }
}

fn health(state: &State) -> Health {
    let said = state.health.as_ref().and_then(|health| health.status.as_deref());
    said.and_then(Health::named).unwrap_or(Health::Unchecked)
}

fn networking(mode: Option<&str>, networks: Option<BTreeMap<String, Option<Endpoint>>>) -> Networking {
    match mode {
        Some("host") => return Networking::Host,
        Some(mode) => {
            if let Some(id) = mode.strip_prefix("container:") {
                return Networking::OfContainer(id.to_owned());
            }
        }
        None => {}
    }
    Networking::Attached(networks.unwrap_or_default().into_iter().map(attachment).collect())
}

fn attachment((network, endpoint): (String, Option<Endpoint>)) -> Attachment {
    let first = |v4: Option<String>, v6: Option<String>| -> Option<IpAddr> {
        [v4, v6].into_iter().flatten().find_map(|text| text.parse().ok())
    };
    let endpoint = endpoint.unwrap_or_default();
    Attachment {
        network,
        id: endpoint.network_id.unwrap_or_default(),
        ip: first(endpoint.ip_address, endpoint.ipv6_address),
        gateway: first(endpoint.gateway, endpoint.ipv6_gateway),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_health_in_words() {
        let cases = [
            ("Up 3 minutes (healthy)", Health::Healthy),
            ("Up 1 second (health: starting)", Health::Starting),
            ("Up 3 minutes (unhealthy)", Health::Unhealthy),
            ("Up 3 minutes", Health::Unchecked),
            ("Up 3 minutes (Paused)", Health::Unchecked),
            ("", Health::Unchecked),
            (")(", Health::Unchecked),
        ];
        for (status, expected) in cases {
            assert_eq!(Health::in_status(status), expected, "{status}");
        }
    }

    #[test]
    fn a_stop_rule_is_sigterm_and_ten_seconds_unless_it_says_otherwise() {
        assert_eq!(StopRule::of(None, None), StopRule::default());
        assert_eq!(StopRule::of(Some(""), None), StopRule::default());
        assert_eq!(StopRule::of(Some("SIGQUIT"), Some(3)).signal, 3);
        assert_eq!(StopRule::of(None, Some(3)).timeout, Duration::from_secs(3));
        assert_eq!(StopRule::of(None, Some(-1)).timeout, StopRule::NO_TIMEOUT);
        assert_eq!(StopRule::of(None, Some(i64::MAX)).timeout, StopRule::NO_TIMEOUT);
    }

    #[test]
    fn an_empty_answer_is_survived() {
        let container = Container::listed(Summary { id: "abc".to_owned(), ..Summary::default() });
        assert_eq!((container.life, container.port), (Life::Ended, Port::Unknown));
        let container = Container::inspected(Details { id: "abc".to_owned(), ..Details::default() });
        assert_eq!((container.life, container.port), (Life::Ended, Port::None));
        assert_eq!(container.name, "abc");
    }

    #[test]
    fn only_what_is_meant_for_us_is_kept() {
        let labels = [("divisi.weight", "2"), ("divisible", "no"), ("com.example", "no"), ("divisi.drain", "1s")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let ours = Said::labels(labels.into_iter().collect());
        assert_eq!(ours.pairs(), [("divisi.drain", "1s"), ("divisi.weight", "2")]);
        let variables = ["VIRTUAL_HOST=a.test", "PASSWORD=x", "VIRTUAL_PORT", "VIRTUAL_DEST=/a=b"].map(str::to_owned);
        let ours = Said::environment(&variables);
        assert_eq!(ours.pairs(), [("VIRTUAL_DEST", "/a=b"), ("VIRTUAL_HOST", "a.test")]);
    }
}
