//! What a row of the table is.

use divisi_model::Spec;

use crate::native::{OfContainer, OfRoute};
use crate::stream::native::OfPort;

/// What every label begins with.
pub const PREFIX: &str = "divisi.";

/// One setting. Everything that people write and read about it is made from this.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The label, without [`PREFIX`].
    pub key: &'static str,
    /// The word that stands for the value in help texts.
    pub value: &'static str,
    /// What holds when nothing is given, as the user would write it.
    pub default: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// A value that is accepted.
    pub example: &'static str,
    /// Whose setting it is.
    pub of: Of,
}

/// Whose setting it is, and how its text becomes a value or the words that say what would have been accepted. A text that cannot
/// be read changes nothing.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    /// One for the service. A flag sets it for all services.
    Service {
        /// The flag, without its dashes.
        flag: &'static str,
        /// The environment variable.
        variable: &'static str,
        /// Puts it in its place.
        set: fn(&mut Spec, &str) -> Result<(), String>,
    },
    /// One for each container, which only a label can say.
    Container {
        /// Puts it in its place.
        set: fn(&mut OfContainer, &str) -> Result<(), String>,
    },
    /// One for each route to a container, which only a label can say; with the name of the route before the key where there
    /// are several.
    Route {
        /// What a route would be without it.
        care: Care,
        /// Puts it in its place.
        set: fn(&mut OfRoute, &str) -> Result<(), String>,
    },
    /// One for each port that is opened for TCP, which only a label can say; its number stands in the key for `PORT`.
    Port {
        /// Whether the port would lead elsewhere without it, or be open to more.
        narrows: bool,
        /// Puts it in its place.
        set: fn(&mut OfPort, &str) -> Result<(), String>,
    },
}

/// What a route would be without a label that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// As it is without that label.
    None,
    /// Wider than its owner wrote it: it is left out.
    Narrows,
    /// Less guarded than its owner wrote it: it serves nobody, and no wider one serves its requests.
    Guards,
}

impl Row {
    /// The whole label.
    pub fn label(&self) -> String {
        format!("{PREFIX}{}", self.key)
    }

    /// The flag, where there is one.
    pub fn flag(&self) -> Option<&'static str> {
        match self.of {
            Of::Service { flag, .. } => Some(flag),
            Of::Container { .. } | Of::Route { .. } | Of::Port { .. } => None,
        }
    }

    /// Whether it says that a container is to be reached, or that it is not.
    pub(crate) fn is_enable(&self) -> bool {
        self.key == "enable"
    }

    /// Whether it takes the one place in which a spec says which requests belong together.
    pub(crate) fn is_affinity(&self) -> bool {
        matches!(self.key, "sticky" | "hash")
    }
}
