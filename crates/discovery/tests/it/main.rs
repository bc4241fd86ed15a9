//! Discovery against a fake engine that speaks the real protocol over a real socket.

mod choice;
mod engine;
mod faults;
mod harness;
mod labels;
mod lifecycle;
mod measure;
mod networks;
mod remote;
