//! The services of the project, what each of them wants, and which of them is divisi.

use std::collections::HashMap;
use std::sync::Arc;

use divisi_compose::{Place, Port, Project, Service};
use divisi_labels::{Reader, Wish, Words, understand};

/// A service, and what its labels and variables come to.
#[derive(Debug)]
pub(crate) struct Player<'a> {
    pub(crate) service: &'a Service,
    pub(crate) wish: Wish,
    /// Where each label and variable was written.
    places: HashMap<&'a str, &'a Place>,
}

/// Understands all services but divisi itself.
pub(crate) fn players<'a>(project: &'a Project, reader: &Reader) -> Vec<Player<'a>> {
    let services = project.services.iter().filter(|service| !is_divisi(service));
    let player = |service: &'a Service| {
        // A label counts before a variable of the same name.
        let said = service.environment.iter().chain(&service.labels);
        let places = said.map(|said| (said.key.as_str(), &said.place)).collect();
        Player { service, wish: wish(service, project, reader), places }
    };
    services.map(player).collect()
}

fn wish(service: &Service, project: &Project, reader: &Reader) -> Wish {
    let labels: Vec<_> = service.labels.iter().map(|said| (said.key.as_str(), said.value.as_str())).collect();
    let environment: Vec<_> = service.environment.iter().map(|said| (said.key.as_str(), said.value.as_str())).collect();
    let words = Words {
        labels: &labels,
        environment: &environment,
        service: &service.name,
        project: &project.name,
        container: &service.container,
    };
    understand(&words, &Arc::default(), reader)
}

/// Whether a service is the proxy: by the name of its image, by the program that it runs, or, where it is
/// built and says neither, by its own.
pub(crate) fn is_divisi(service: &Service) -> bool {
    let image = service.image.as_deref().unwrap_or_default();
    let image = image.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let image = image.split(':').next().unwrap_or_default();
    let mut words = service.command.iter();
    let program = words.next().map_or("", |word| word.rsplit('/').next().unwrap_or_default());
    let is_other = |word: &String| ["echo", "demo"].contains(&word.as_str());
    let is_program = program == "divisi" && !words.next().is_some_and(is_other);
    let is_image = image == "divisi" && !service.command.first().is_some_and(is_other);
    let is_name = service.name == "divisi" && service.image.is_none() && service.command.is_empty();
    is_image || is_program || is_name
}

impl Player<'_> {
    /// Where a label or a variable was written, or the service.
    pub(crate) fn place(&self, label: &str) -> &Place {
        self.places.get(label).copied().unwrap_or(&self.service.place)
    }

    /// The port that requests get where no label says one.
    pub(crate) fn port(&self) -> Option<u16> {
        port(self.service)
    }
}

/// The lowest TCP port that a service exposes, as far as the files say; its image may expose others.
pub(crate) fn port(service: &Service) -> Option<u16> {
    let tcp = |port: &&Port| port.is_tcp;
    service.expose.iter().chain(&service.ports).filter(tcp).map(|port| port.first).min()
}

/// A service with its port, where that is known.
pub(crate) fn target(service: &Service, port: Option<u16>) -> String {
    port.map_or_else(|| service.name.clone(), |port| format!("{}:{port}", service.name))
}
