//! Routes from outside: what they say, held against a plain reading of the rules; what they cost.

mod allocation;
mod changes;
mod conditions;
mod doors;
mod explain;
mod properties;
mod reference;
mod request;
mod speed;
