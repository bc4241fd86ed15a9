//! The console answers "why?": what is there, where a request would go, what became of a container's labels; and the numbers.
//!
//! ```text
//! listener ─► guard ─► answer ─┬─ view     snapshot + what discovery tells ─► api ─► JSON
//!                              └─ metrics  the same, as text for Prometheus
//! ```
//!
//! | module | job |
//! |---|---|
//! | [`server`] | takes a few connections, one exchange each |
//! | `guard` | who may ask: not a browser that was led here under another's name |
//! | `answer` | the paths, and what each is answered with |
//! | [`api`] | the answers as JSON, for the server and for the commands |
//! | `view` | from what the rooms know to what people are told |
//! | `metrics` | the numbers for Prometheus |
//! | [`gauges`] | what the request's way counts of itself |
//! | [`form`] | the query of a URL |
//!
//! It reads and changes nothing, and lives on the thread of the change's way: nobody's request waits for it.

mod answer;
pub mod api;
pub mod form;
pub mod gauges;
mod guard;
mod metrics;
pub mod server;
mod view;

pub use gauges::{GaugeReader, Gauges};
pub use server::{Console, Sources};
