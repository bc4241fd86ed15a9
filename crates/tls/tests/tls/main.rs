//! Handshakes in memory, between rustls as a client and what the vault says.

mod challenge;
mod clients;
mod names;
mod resumption;
mod stage;
mod upstream;
