//! The console as those see it who ask: over a real socket, about a world made for the purpose.

mod bounds;
mod connections;
mod explain;
mod metrics;
mod openapi;
mod snapshot;
mod stage;
