//! A line in the combined format of Apache, which every tool reads, and `key=value` behind it, which tools pass over:
//!
//! ```text
//! 10.0.0.9 - - [25/Nov/2026:21:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl/8.5.0" service=shop/web replica=shop-web-2 …
//! ```

use std::io::Write as _;
use std::time::Duration;

use divisi_http1::RequestHead;

use super::text::{digits, escaped, seconds};
use super::{Entry, bounds, field, first_line, version};

pub(super) fn write(entry: &Entry<'_>, time: &[u8], out: &mut Vec<u8>) {
    match entry.address {
        Some(address) => out.extend_from_slice(address.as_bytes()),
        // Fails never: it writes to memory.
        None => drop(write!(out, "{}", entry.client)),
    }
    out.extend_from_slice(b" - - [");
    out.extend_from_slice(time);
    out.extend_from_slice(b"] \"");
    match entry.request {
        Some(request) => request_line(entry, request, out),
        None => or_dash(first_line(entry.unread), bounds::TARGET, out),
    }
    out.extend_from_slice(b"\" ");
    digits(u64::from(entry.status), 3, out);
    out.push(b' ');
    match entry.body {
        0 => out.push(b'-'),
        bytes => digits(bytes, 1, out),
    }
    for (name, most) in [(&b"referer"[..], bounds::REFERER), (b"user-agent", bounds::USER_AGENT)] {
        out.extend_from_slice(b" \"");
        or_dash(entry.request.and_then(|request| field(request, name)).unwrap_or_default(), most, out);
        out.push(b'"');
    }
    ours(entry, out);
}

fn request_line(entry: &Entry<'_>, request: &RequestHead, out: &mut Vec<u8>) {
    escaped(request.method(), bounds::METHOD, false, out);
    out.push(b' ');
    let target = request.target();
    if let Some(authority) = target.authority {
        out.extend_from_slice(b"http://");
        escaped(authority, bounds::HOST, false, out);
    }
    escaped(target.path, bounds::TARGET, false, out);
    out.push(b' ');
    out.extend_from_slice(version(entry, request));
}

fn ours(entry: &Entry<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b" service=");
    match entry.service {
        Some(name) => {
            if !name.project.is_empty() {
                escaped(name.project.as_bytes(), bounds::NAME, true, out);
                out.push(b'/');
            }
            escaped(name.service.as_bytes(), bounds::NAME, true, out);
        }
        None => out.push(b'-'),
    }
    out.extend_from_slice(b" replica=");
    match entry.replica {
        Some(replica) => {
            escaped(replica.name().as_bytes(), bounds::NAME, true, out);
            out.extend_from_slice(b" number=");
            digits(u64::from(replica.number()), 1, out);
        }
        None => out.extend_from_slice(b"- number=-"),
    }
    out.extend_from_slice(b" attempts=");
    digits(u64::from(entry.attempts), 1, out);
    for (key, value) in [
        (&b" held="[..], entry.held),
        (b" connect=", entry.connect),
        (b" first_byte=", entry.first_byte),
        (b" total=", Some(entry.total)),
    ] {
        out.extend_from_slice(key);
        time_or_dash(value, out);
    }
    out.extend_from_slice(b" in=");
    digits(entry.received, 1, out);
    out.extend_from_slice(b" out=");
    digits(entry.sent, 1, out);
    if let Some(reason) = entry.reason {
        out.extend_from_slice(b" reason=\"");
        escaped(reason.as_bytes(), bounds::REASON, false, out);
        out.push(b'"');
    }
}

fn time_or_dash(time: Option<Duration>, out: &mut Vec<u8>) {
    match time {
        Some(time) => seconds(time, out),
        None => out.push(b'-'),
    }
}

fn or_dash(text: &[u8], most: usize, out: &mut Vec<u8>) {
    escaped(if text.is_empty() { b"-" } else { text }, most, false, out);
}
