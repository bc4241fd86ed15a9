//! The rows of the table of labels that are about TCP.

use super::native::{self, OfPort};
use crate::row::{Of, Row};

const fn port(narrows: bool, set: fn(&mut OfPort, &str) -> Result<(), String>) -> Of {
    Of::Port { narrows, set }
}

pub(crate) const TARGET: Row = Row {
    key: native::PORT,
    value: "TARGET",
    default: "off",
    help: "What connects to this port of divisi goes to that port of the container, be it HTTP or not; true for the one that it \
           exposes",
    example: "5432",
    of: port(true, native::target),
};

pub(crate) const SNI: Row = Row {
    key: "tcp.PORT.sni",
    value: "NAMES",
    default: "any",
    help: "Only what is inside TLS and asks for one of these names, with commas between them; *.example.com for all one step \
           below",
    example: "db.example.com",
    of: port(true, native::sni),
};

pub(crate) const TLS: Row = Row {
    key: "tcp.PORT.tls",
    value: "WHERE",
    default: "passthrough",
    help: "Where TLS ends: passthrough in the container, terminate in divisi; without sni it means any name",
    example: "terminate",
    of: port(true, native::tls),
};

pub(crate) const CLIENTS: Row = Row {
    key: "tcp.PORT.clients",
    value: "NETWORKS",
    default: "any",
    help: "Only clients in these networks, with commas between them",
    example: "10.0.0.0/8,192.168.1.7",
    of: port(true, native::clients),
};

pub(crate) const PRIORITY: Row = Row {
    key: "tcp.PORT.priority",
    value: "N",
    default: "auto",
    help: "Which of two services that both fit a connection comes first: the one with the higher number; auto for the narrower \
           one",
    example: "100",
    of: port(false, native::priority),
};
