//! The Docker Engine API: which calls there are, and what comes back. Nothing else makes any.

use std::collections::HashSet;
use std::pin::Pin;
use std::time::Duration;

use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::timeout;

use crate::address::EngineAddress;
use crate::answer::{Details, Message, Remains, Summary};
use crate::container::{Container, ContainerId, Life};
use crate::event::{self, Event};
use crate::network::{Networking, Standpoint};
use crate::own::{Clues, Own};
use crate::wire::{EngineError, Lines, Wire, encoded};

/// The longest list: 10,000 containers with ten kilobytes each.
const LIST: usize = 100 * 1024 * 1024;
/// The longest inspection. It has the container's environment and mounts, which may be many.
const INSPECTION: usize = 4 * 1024 * 1024;
/// The longest `/_ping`.
const PING: usize = 1024;
/// How long the head of the event stream is waited for. Some engines (Podman, issue 7263) send it with the first event.
const EVENTS_HEAD: Duration = Duration::from_secs(1);

/// The containers of a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    /// Those that could be read.
    pub(crate) containers: Vec<Container>,
    /// The others.
    pub(crate) unreadable: Vec<Unreadable>,
}

/// An entry of a list that is not what the API promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The engine's name of the container, if that can be read.
    pub(crate) id: Option<ContainerId>,
    /// What people call it, or what comes closest.
    pub(crate) name: String,
    /// What is wrong.
    pub(crate) why: String,
}

/// The ability to make calls to the engine.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    wire: Wire,
    /// `/v1.44`, the newest that the engine speaks: what is read here is the same in all. Empty where it did not say.
    version: String,
}

impl Engine {
    /// Finds the engine and learns which version of its API it speaks.
    pub(crate) async fn connect(address: &EngineAddress, answer_timeout: Duration) -> Result<Self, EngineError> {
        let wire = Wire::to(address, answer_timeout)?;
        let (head, _) = wire.get("/_ping", PING).await?;
        let version = head.headers().get("Api-Version").and_then(|version| version.to_str().ok());
        let is_plain = |version: &&str| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let version = version.filter(is_plain).map(|version| format!("/v{version}")).unwrap_or_default();
        Ok(Self { wire, version })
    }

    /// What happens to containers from `since` on, in nanoseconds of the engine's clock.
    pub(crate) fn events(&self, since: i64) -> Events {
        let filters = json!({ "type": ["container", "network"], "event": event::WANTED });
        let (seconds, nanos) = (since / 1_000_000_000, since % 1_000_000_000);
        let path =
            format!("{}/events?since={seconds}.{nanos:09}&filters={}", self.version, encoded(&filters.to_string()));
        Events::Asked(Box::pin(self.wire.clone().follow(path)))
    }

    /// All containers that run: any of them may have labels for us. Reading the answer takes long with thousands of them, so a
    /// thread does it.
    pub(crate) async fn list(&self) -> Result<List, EngineError> {
        let (_, body) = self.wire.get(&format!("{}/containers/json", self.version), LIST).await?;
        tokio::task::spawn_blocking(move || List::read(&body)).await?
    }

    /// Everything about one container; None when there is none of that name.
    pub(crate) async fn inspect(&self, id: &str) -> Result<Option<Container>, EngineError> {
        let path = format!("{}/containers/{}/json", self.version, encoded(id));
        match self.wire.get(&path, INSPECTION).await {
            Ok((_, body)) => Ok(Some(Container::inspected(serde_json::from_slice::<Details>(&body)?))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Who we are.
    pub(crate) async fn own(&self, clues: &Clues) -> Result<Own, EngineError> {
        for name in clues.candidates() {
            let Some(container) = self.inspect(&name).await? else { continue };
            // A name that happens to be somebody else's says nothing about us.
            if !container.id.starts_with(&name) || container.life == Life::Ended {
                continue;
            }
            let standpoint = self.standpoint(container.networking).await?;
            return Ok(Own { id: Some(container.id), identity: container.identity, standpoint });
        }
        Ok(Own::outside())
    }

    async fn standpoint(&self, networking: Networking) -> Result<Standpoint, EngineError> {
        let lender = match networking {
            Networking::OfContainer(id) => self.inspect(&id).await?.map(|container| container.networking),
            own => Some(own),
        };
        Ok(match lender {
            Some(Networking::Attached(attachments)) => Standpoint::Inside(attachments),
            Some(Networking::Host) => Standpoint::Host,
            Some(Networking::OfContainer(_)) | None => Standpoint::Inside(Vec::new()),
        })
    }
}

impl List {
    /// Reads a list entry by entry, so that one that cannot be read loses only itself.
    pub(crate) fn read(body: &[u8]) -> Result<Self, EngineError> {
        let entries: Vec<&RawValue> = serde_json::from_slice(body)?;
        let mut list = Self { containers: Vec::with_capacity(entries.len()), unreadable: Vec::new() };
        let mut ids = HashSet::with_capacity(entries.len());
        for entry in entries {
            match serde_json::from_str::<Summary>(entry.get()) {
                Ok(summary) => list.containers.push(Container::listed(summary)),
                Err(error) => list.unreadable.push(Unreadable::of(entry.get(), &error)),
            }
        }
        // Somebody named twice would be two rows of one.
        list.containers.retain(|container| ids.insert(container.id.clone()));
        Ok(list)
    }
}

impl Unreadable {
    fn of(entry: &str, why: &serde_json::Error) -> Self {
        let remains: Remains = serde_json::from_str(entry).unwrap_or_default();
        let id = remains.id.as_str().filter(|id| !id.is_empty());
        let name = remains.names.get(0).and_then(|name| name.as_str()).map(|name| name.trim_start_matches('/'));
        let name = name.or(id).unwrap_or("without a name").chars().take(64).collect();
        Self { id: id.map(ContainerId::from), name, why: why.to_string() }
    }
}

type Asking = Pin<Box<dyn Future<Output = Result<Lines, EngineError>> + Send>>;

/// The stream of what happens.
pub(crate) enum Events {
    /// It was asked for, and the head of the answer has not come.
    Asked(Asking),
    /// It comes line by line.
    Open(Lines),
}

/// A line of the stream.
#[derive(Debug)]
pub(crate) struct Heard {
    /// By the engine's clock, in nanoseconds; 0 where it does not say.
    pub(crate) at: i64,
    /// What happened; None for what does not concern us.
    pub(crate) event: Option<Event>,
    /// It cannot be read, so that something may have happened that nobody will tell.
    pub(crate) is_lost: bool,
}

impl Events {
    /// Asks for the stream, and waits until it comes, but not for ever.
    pub(crate) async fn open(&mut self) -> Result<(), EngineError> {
        if let Self::Asked(asking) = self
            && let Ok(answer) = timeout(EVENTS_HEAD, asking).await
        {
            *self = Self::Open(answer?);
        }
        Ok(())
    }

    /// The next line; None when there will be none. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Option<Result<Heard, EngineError>> {
        loop {
            match self {
                Self::Asked(asking) => match asking.await {
                    Ok(lines) => *self = Self::Open(lines),
                    Err(error) => return Some(Err(error)),
                },
                Self::Open(lines) => return Some(lines.next().await?.map(|line| Heard::read(&line))),
            }
        }
    }
}

impl Heard {
    fn read(line: &[u8]) -> Self {
        match serde_json::from_slice::<Message>(line) {
            Ok(message) => Self { at: message.time_nano.unwrap_or(0), event: Event::of(message), is_lost: false },
            Err(_) => Self { at: 0, event: None, is_lost: !line.trim_ascii().is_empty() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_cannot_be_read_loses_only_itself() {
        let body = r#"[
            {"Id":"a","State":"running"},
            {"Id":"b","Names":["/shop-web-2"],"State":7},
            {"Id":"c","Labels":{"x":1}},
            {"Names":["/nobody"]},
            7,
            {"Id":"d","Unknown":[{}],"Labels":null,"Names":null,"Ports":null,"State":"stopping"},
            {"Id":"a","State":"exited"}
        ]"#;
        let list = List::read(body.as_bytes()).expect("a list");
        let ids: Vec<_> = list.containers.iter().map(|container| &*container.id).collect();
        assert_eq!(ids, ["a", "d"]);
        let lost: Vec<_> = list.unreadable.iter().map(|lost| (lost.id.as_deref(), lost.name.as_str())).collect();
        let expected = [(Some("b"), "shop-web-2"), (Some("c"), "c"), (None, "nobody"), (None, "without a name")];
        assert_eq!(lost, expected);
        assert!(list.unreadable[0].why.contains("expected a string"), "{}", list.unreadable[0].why);
    }

    #[test]
    fn half_a_list_is_none() {
        for body in ["", "[", "[{\"Id\":\"a\"}", "[{\"Id\":\"a\"},", "{}", "null", "[}]"] {
            assert!(List::read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_a_loss() {
        for (line, is_lost) in [("{\"Type\":7}", true), ("nonsense", true), ("\r\n", false), ("{}", false)] {
            assert_eq!(Heard::read(line.as_bytes()).is_lost, is_lost, "{line}");
        }
    }
}
