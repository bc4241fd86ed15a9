//! The Docker Engine API: the only file that makes calls.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use bollard::query_parameters::{EventsOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::{Stream, StreamExt};
use thiserror::Error;
use tokio::time::timeout;

use crate::address::{EngineAddress, Way};
use crate::compose::{PROJECT, SERVICE};
use crate::container::{Container, Life};
use crate::event::{self, Event};
use crate::network::{Networking, Standpoint};
use crate::own::{Clues, Own};

/// Which containers are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those of one project.
    Project(String),
    /// Those of every service of that name.
    Service(String),
    /// None: nobody has said what to look for.
    Nothing,
}

/// A call to the engine failed.
#[derive(Debug, Error)]
pub(crate) enum EngineError {
    /// It did not answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// There was no thread or no event loop left to ask on.
    #[error(transparent)]
    Exhausted(#[from] std::io::Error),
    /// It answered with an error, with nonsense or not at all.
    #[error("{}", chain(.0))]
    Failed(#[from] bollard::errors::Error),
}

impl EngineError {
    fn is_not_found(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        matches!(error, bollard::errors::Error::DockerResponseServerError { status_code: 404, .. })
    }
}

/// The whole story of an error: what went wrong is often only in the last part.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// A connection to the engine, or rather the ability to make one per call.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    docker: Docker,
    answer_timeout: Duration,
}

impl Engine {
    /// Finds the engine and agrees on a version of its API.
    ///
    /// bollard 0.21 leaves the agreed version out of its paths, and the engine answers in the newest one it speaks: what is
    /// read here is the same in all of them.
    pub(crate) async fn connect(address: &EngineAddress, answer_timeout: Duration) -> Result<Self, EngineError> {
        let seconds = answer_timeout.as_secs().max(1);
        let docker = match &address.way {
            Way::Unix(path) => Docker::connect_with_unix(&path.to_string_lossy(), seconds, API_DEFAULT_VERSION)?,
            Way::Plain(authority) => Docker::connect_with_http(authority, seconds, API_DEFAULT_VERSION)?,
            Way::Tls { authority, certs } => with_tls(authority, certs, seconds)?,
        };
        let docker = timeout(answer_timeout, docker.negotiate_version())
            .await
            .map_err(|_| EngineError::Silent(answer_timeout))??;
        Ok(Self { docker, answer_timeout })
    }

    /// What happens to containers from `since` on, in seconds of the engine's clock. None for what does not concern us.
    pub(crate) fn events(&self, since: &str) -> impl Stream<Item = Result<(Option<Event>, i64), EngineError>> + use<> {
        let filters = HashMap::from([("type", vec!["container", "network"]), ("event", event::WANTED.to_vec())]);
        let options = EventsOptionsBuilder::default().since(since).filters(&filters).build();
        self.docker.events(Some(options)).map(|message| {
            let message = message?;
            let at = message.time_nano.unwrap_or(0);
            Ok((Event::of(message), at))
        })
    }

    /// All containers in `scope`, whatever they are doing.
    pub(crate) async fn list(&self, scope: &Scope) -> Result<Vec<Container>, EngineError> {
        let label = match scope {
            Scope::Project(name) => format!("{PROJECT}={name}"),
            Scope::Service(name) => format!("{SERVICE}={name}"),
            Scope::Nothing => return Ok(Vec::new()),
        };
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::default().filters(&filters).build();
        let listed = self.answer(self.docker.list_containers(Some(options))).await?;
        Ok(listed.into_iter().filter_map(Container::listed).collect())
    }

    /// The same as [`list`](Self::list), on the calling thread, which must be allowed to wait.
    pub(crate) fn list_here(&self, scope: &Scope) -> Result<Vec<Container>, EngineError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.list(scope))
    }

    /// Everything about one container; None when there is none of that name.
    pub(crate) async fn inspect(&self, id: &str) -> Result<Option<Container>, EngineError> {
        match self.answer(self.docker.inspect_container(id, None::<InspectContainerOptions>)).await {
            Ok(response) => Ok(Container::inspected(response)),
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

    async fn answer<T>(&self, call: impl Future<Output = Result<T, bollard::errors::Error>>) -> Result<T, EngineError> {
        let answer = timeout(self.answer_timeout, call).await.map_err(|_| EngineError::Silent(self.answer_timeout))?;
        Ok(answer?)
    }
}

fn with_tls(authority: &str, certs: &Path, seconds: u64) -> Result<Docker, bollard::errors::Error> {
    // The client panics without a provider for the process. Somebody else having installed one is just as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let file = |name| certs.join(name);
    Docker::connect_with_ssl(
        authority,
        &file("key.pem"),
        &file("cert.pem"),
        &file("ca.pem"),
        seconds,
        API_DEFAULT_VERSION,
    )
}
