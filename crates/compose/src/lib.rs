//! Compose files to plain data, as Compose itself reads them: found, merged, with variables put in their places.
//!
//! ```text
//! files ──► yaml ──► interpolate ──► canonical ──► extends, include ──► merge ──► service ──► Project
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`project`] | what is asked for, and what comes of it |
//! | `find` | which files, where none is named |
//! | `source` | reading a file, but not for ever |
//! | `yaml`, `scalar` | text to a tree in which everything knows its line |
//! | `node` | that tree |
//! | `budget` | how much a tree may come to, whatever aliases and `extends` make of it |
//! | `variables`, `dotenv`, `interpolate` | what `${DOMAIN}` stands for |
//! | `canonical` | each thing that can be written in several ways, in one |
//! | `merge` | two files, or a service and what it extends |
//! | `load`, `extends`, `include` | one file with all that it draws in |
//! | `name` | what the project is called |
//! | [`service`] | a service as it will run |
//! | [`problem`] | what cannot be read, and where it stands |
//!
//! Nothing here ends at the first mistake: what can be read is read, and all problems are told at once.

mod budget;
mod canonical;
mod dotenv;
mod extends;
mod find;
mod include;
mod interpolate;
mod load;
mod merge;
mod name;
mod node;
pub mod problem;
pub mod project;
mod scalar;
pub mod service;
mod source;
mod variables;
mod yaml;

pub use problem::{Fault, Level, Place, Problem};
pub use project::{Network, Project, Request, Skipped, load};
pub use service::{Networks, Port, Said, Service};
