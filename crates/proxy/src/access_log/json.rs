//! A line that is an object of JSON (RFC 8259). The names are an interface: they stay.

use std::io::Write as _;
use std::time::Duration;

use divisi_http1::RequestHead;

use super::text::{digits, json, seconds};
use super::{Entry, bounds, field, first_line, version};

pub(super) fn write(entry: &Entry<'_>, time: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"time\":\"");
    out.extend_from_slice(time);
    out.extend_from_slice(b"\",\"client\":\"");
    match entry.address {
        Some(address) => out.extend_from_slice(address.as_bytes()),
        // Fails never: it writes to memory.
        None => drop(write!(out, "{}", entry.client)),
    }
    out.push(b'"');
    asked(entry, out);
    out.extend_from_slice(b",\"status\":");
    digits(u64::from(entry.status), 1, out);
    number("bytes", entry.body, out);
    let service = entry.service;
    text("project", service.map(|name| name.project.as_bytes()).filter(|name| !name.is_empty()), bounds::NAME, out);
    text("service", service.map(|name| name.service.as_bytes()), bounds::NAME, out);
    text("replica", entry.replica.map(|replica| replica.name().as_bytes()), bounds::NAME, out);
    match entry.replica {
        Some(replica) => number("replica_number", u64::from(replica.number()), out),
        None => out.extend_from_slice(b",\"replica_number\":null"),
    }
    number("attempts", u64::from(entry.attempts), out);
    span("held", entry.held, out);
    span("connect", entry.connect, out);
    span("first_byte", entry.first_byte, out);
    span("total", Some(entry.total), out);
    number("in", entry.received, out);
    number("out", entry.sent, out);
    text("reason", entry.reason.map(str::as_bytes), bounds::REASON, out);
    out.push(b'}');
}

/// What was asked for; of what is no request, its first line.
fn asked(entry: &Entry<'_>, out: &mut Vec<u8>) {
    let request = entry.request;
    text("method", request.map(RequestHead::method), bounds::METHOD, out);
    let target = request.map_or_else(|| first_line(entry.unread), |request| request.target().path);
    text("target", Some(target), bounds::TARGET, out);
    text("host", request.and_then(RequestHead::authority), bounds::HOST, out);
    text("version", request.map(|request| version(entry, request)), bounds::METHOD, out);
    text("referer", request.and_then(|request| field(request, b"referer")), bounds::REFERER, out);
    text("user_agent", request.and_then(|request| field(request, b"user-agent")), bounds::USER_AGENT, out);
}

fn key(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn text(name: &str, value: Option<&[u8]>, most: usize, out: &mut Vec<u8>) {
    key(name, out);
    match value {
        Some(value) => {
            out.push(b'"');
            json(value, most, out);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

fn number(name: &str, value: u64, out: &mut Vec<u8>) {
    key(name, out);
    digits(value, 1, out);
}

/// Seconds.
fn span(name: &str, value: Option<Duration>, out: &mut Vec<u8>) {
    key(name, out);
    match value {
        Some(value) => seconds(value, out),
        None => out.extend_from_slice(b"null"),
    }
}
