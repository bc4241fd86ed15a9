//! What users want of their containers, as labels, as environment variables, and as flags for all services.
//!
//! One table says how each of our settings is written and how its text becomes a value; labels, flags, help and documentation
//! come from its rows. The labels that people already have are read beside it, each language in a room of its own. All of
//! them end in one typed [`Wish`], with a [`Verdict`] on every label.
//!
//! ```text
//! labels, environment ──► native, traefik, nginx_proxy ──► Wish: routes, services, middlewares, verdicts
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`table`] | every setting |
//! | [`row`] | what a row of it is |
//! | `reading` | our own labels on one container, label by label |
//! | [`native`] | the routes that come of them |
//! | [`traefik`] | labels of Traefik 3 |
//! | [`nginx_proxy`] | environment variables of nginx-proxy |
//! | [`wish`] | the typed form in which all dialects end |
//! | [`dialect`] | which of them are read |
//! | [`mod@understand`] | all of them together |
//! | [`middleware`] | what stands between a route and its service, and which of it closes the route |
//! | [`verdict`] | what became of each label |
//! | `concern` | which labels are meant for us, or were meant to be |
//! | [`complaint`] | what cannot be read, for the log |
//! | [`mod@nearest`] | what was meant, perhaps |
//! | [`values`] | durations, sizes, numbers: text to value, with what is accepted |
//! | `speech`, `door` | how a container is spoken to; whether requests come inside TLS, and what is wanted then |
//! | `affinity`, `check`, `limits` | the same for what only services have |
//! | [`docs`] | the table for people |
//! | [`stream`] | ports for TCP that is no HTTP |
//! | [`sticky`] | the signed names in cookies that bring a client back to its replica |

mod affinity;
mod check;
pub mod complaint;
mod concern;
#[cfg(test)]
mod coverage;
pub mod dialect;
pub mod docs;
mod door;
mod limits;
pub mod middleware;
pub mod native;
pub mod nearest;
pub mod nginx_proxy;
mod reading;
pub mod row;
mod speech;
pub mod sticky;
pub mod stream;
pub mod table;
#[cfg(test)]
mod tests;
pub mod traefik;
pub mod understand;
pub mod values;
pub mod verdict;
pub mod wish;

pub use complaint::Complaint;
pub use concern::{is_label, is_variable};
pub use dialect::{Dialect, Dialects};
pub use middleware::{Effect, Middleware};
pub use row::{Care, Of, PREFIX, Row};
pub use sticky::StickyKey;
pub use stream::{StreamRoute, StreamService, Streams};
pub use table::{TABLE, set};
pub use understand::{Reader, understand};
pub use verdict::{Outcome, Verdict};
pub use wish::{Exposed, Rewrite, RouteSpec, ServiceSpec, Wish, Words};
