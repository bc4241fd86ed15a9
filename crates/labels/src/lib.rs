//! What users may want of a service, as labels of its containers and as flags for all services.
//!
//! One table says how each setting is written and how its text becomes a value of the [`Spec`](divisi_model::Spec); labels,
//! flags, help and documentation come from its rows.
//!
//! | module | job |
//! |---|---|
//! | [`table`] | every setting of a service |
//! | [`row`] | what a row of it is |
//! | [`reading`] | the labels of one container become a spec, a weight and complaints |
//! | [`complaint`] | what cannot be read, for the log |
//! | [`values`] | durations, sizes, numbers: text to value, with what is accepted |
//! | `affinity`, `check`, `limits` | the same for what only services have |
//! | [`docs`] | the table for people |
//! | [`sticky`] | the signed names in cookies that bring a client back to its replica |

mod affinity;
mod check;
pub mod complaint;
pub mod docs;
mod limits;
pub mod reading;
pub mod row;
pub mod sticky;
pub mod table;
#[cfg(test)]
mod tests;
pub mod values;

pub use complaint::Complaint;
pub use reading::{Reading, read};
pub use row::{Of, PREFIX, Row};
pub use sticky::StickyKey;
pub use table::{TABLE, set};
