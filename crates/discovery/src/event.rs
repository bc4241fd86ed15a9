//! The engine's event messages → what happened to whom.

use std::collections::HashMap;

use crate::answer::{Actor, Message};
use crate::compose::Identity;
use crate::container::{ContainerId, Health};
use crate::signal;

/// Something happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// To whom.
    pub(crate) id: ContainerId,
    /// Which replica it is, where the message tells.
    pub(crate) identity: Option<Identity>,
    /// What people call it; empty where the message does not tell.
    pub(crate) name: String,
    /// What happened.
    pub(crate) what: What,
    /// When, by the engine's clock, in nanoseconds; 0 where the message does not tell.
    pub(crate) at: i64,
}

/// What happened to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Its process began.
    Started,
    /// It was sent a signal.
    Signalled(u8),
    /// Its process ended, or the container was removed.
    Ended,
    /// Its process was frozen.
    Paused,
    /// Its process goes on.
    Unpaused,
    /// Its HEALTHCHECK changed its mind.
    Health(Health),
    /// It is called something else now.
    Renamed,
    /// It joined or left a network.
    Rewired,
}

/// The events that are asked for; `exec_*` would come with every HEALTHCHECK of every container.
pub(crate) const WANTED: [&str; 11] =
    ["start", "kill", "die", "stop", "destroy", "pause", "unpause", "health_status", "rename", "connect", "disconnect"];

impl Event {
    /// Reads a message. None for what does not concern us or cannot be understood.
    pub(crate) fn of(message: Message) -> Option<Self> {
        let Actor { id, attributes } = message.actor?;
        let attributes = attributes.unwrap_or_default();
        let action = message.action?;
        let at = message.time_nano.unwrap_or(0);
        match message.r#type?.as_str() {
            "container" => Self::of_container(id?, &attributes, &action, at),
            "network" if matches!(action.as_str(), "connect" | "disconnect") => {
                let id = attributes.get("container").filter(|id| !id.is_empty())?.as_str().into();
                Some(Self { id, identity: None, name: String::new(), what: What::Rewired, at })
            }
            _ => None,
        }
    }

    fn of_container(id: String, attributes: &HashMap<String, String>, action: &str, at: i64) -> Option<Self> {
        let what = match action.split_once(':').unwrap_or((action, "")) {
            ("start", _) => What::Started,
            ("kill", _) => What::Signalled(signal::number(attributes.get("signal")?)?),
            ("die" | "stop" | "destroy", _) => What::Ended,
            ("pause", _) => What::Paused,
            ("unpause", _) => What::Unpaused,
            ("health_status", status) => What::Health(Health::named(status)?),
            ("rename", _) => What::Renamed,
            _ => return None,
        };
        let name = attributes.get("name").map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default();
        Some(Self { id: id.into(), identity: Identity::of(attributes, &name), name, what, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, action: &str, attributes: &[(&str, &str)]) -> Message {
        let attributes = attributes.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Message {
            r#type: Some(kind.to_owned()),
            action: Some(action.to_owned()),
            actor: Some(Actor { id: Some("abc".to_owned()), attributes: Some(attributes) }),
            time_nano: Some(7),
        }
    }

    fn what(action: &str, attributes: &[(&str, &str)]) -> Option<What> {
        Event::of(message("container", action, attributes)).map(|event| event.what)
    }

    #[test]
    fn every_action_has_its_meaning() {
        assert_eq!(what("start", &[]), Some(What::Started));
        assert_eq!(what("kill", &[("signal", "15")]), Some(What::Signalled(15)));
        assert_eq!(what("kill", &[("signal", "SIGHUP")]), Some(What::Signalled(1)));
        for ended in ["die", "stop", "destroy"] {
            assert_eq!(what(ended, &[]), Some(What::Ended));
        }
        assert_eq!(what("health_status: healthy", &[]), Some(What::Health(Health::Healthy)));
        assert_eq!(what("health_status:unhealthy", &[]), Some(What::Health(Health::Unhealthy)));
        assert_eq!(what("rename", &[]), Some(What::Renamed));
    }

    #[test]
    fn what_cannot_be_understood_is_nothing() {
        assert_eq!(what("exec_create: /bin/true", &[]), None);
        assert_eq!(what("kill", &[]), None);
        assert_eq!(what("kill", &[("signal", "")]), None);
        assert_eq!(what("health_status: dizzy", &[]), None);
        assert_eq!(Event::of(Message::default()), None);
    }

    #[test]
    fn a_network_event_concerns_the_container_in_it() {
        let event = Event::of(message("network", "connect", &[("container", "def")])).unwrap();
        assert_eq!((&*event.id, event.what), ("def", What::Rewired));
        assert_eq!(Event::of(message("network", "destroy", &[("container", "def")])), None);
    }
}
