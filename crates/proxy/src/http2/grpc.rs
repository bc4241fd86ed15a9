//! What divisi itself says to a request of gRPC, whose clients read a status of their own and not that of HTTP.

use divisi_http1::RequestHead;
use http::{HeaderValue, Response, header};

use crate::answer::Word;

/// Codes of gRPC (github.com/grpc/grpc, doc/statuscodes.md).
const DEADLINE_EXCEEDED: u16 = 4;
const UNIMPLEMENTED: u16 = 12;
const INTERNAL: u16 = 13;
const UNAVAILABLE: u16 = 14;

/// Whether a request is of gRPC: its content is, and not that of gRPC-Web, which has a spelling of its own. Asked of every request, so
/// what comes first is what tells most of them: gRPC is POST alone (gRPC over HTTP/2, "Method").
pub(crate) fn is_grpc(request: &RequestHead) -> bool {
    request.method() == b"POST"
        && content(request).is_some_and(|content| {
            let rest = content.get(16..).filter(|_| content[..16].eq_ignore_ascii_case(b"application/grpc"));
            rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
        })
}

fn content(request: &RequestHead) -> Option<&[u8]> {
    let mut fields = request.fields().iter();
    fields.find(|field| field.name.eq_ignore_ascii_case(b"content-type")).map(|field| field.value)
}

/// A response without a message (gRPC over HTTP/2, "Trailers-Only").
pub(super) fn refusal(word: Word<'_>, request: &RequestHead, date: Option<HeaderValue>) -> Response<()> {
    let mut response = Response::new(());
    let content = content(request).and_then(|content| HeaderValue::from_bytes(content).ok());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content.unwrap_or(HeaderValue::from_static("application/grpc")));
    date.into_iter().for_each(|date| drop(headers.insert(header::DATE, date)));
    headers.insert("grpc-status", HeaderValue::from(status(word.status)));
    if let Ok(message) = HeaderValue::from_str(&message(word.text)) {
        headers.insert("grpc-message", message);
    }
    response
}

/// The code that says the same as a status of HTTP (doc/http-grpc-status-mapping.md), but for what took too long, which gRPC knows.
fn status(status: u16) -> u16 {
    match status {
        404 | 501 => UNIMPLEMENTED,
        408 | 504 => DEADLINE_EXCEEDED,
        421 | 429 | 502 | 503 => UNAVAILABLE,
        _ => INTERNAL,
    }
}

/// gRPC over HTTP/2, "Status-Message": UTF-8, of which everything but printable ASCII is percent-encoded.
fn message(text: &str) -> String {
    let mut message = String::with_capacity(text.len() + 8);
    message.push_str("divisi: ");
    for byte in text.bytes() {
        match byte {
            b'%' | 0..=0x1f | 0x7f.. => message.push_str(&format!("%{byte:02X}")),
            _ => message.push(char::from(byte)),
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use divisi_http1::HeadLimits;

    use super::*;

    #[test]
    fn only_what_is_grpc_counts_as_such() {
        for (content, expected) in [
            ("application/grpc", true),
            ("Application/GRPC+proto", true),
            ("application/grpc;x=y", true),
            ("application/grpc-web", false),
            ("application/grp", false),
            ("text/plain", false),
        ] {
            let mut head = RequestHead::default();
            let text = format!("POST /a/B HTTP/1.1\r\nHost: a\r\nContent-Type: {content}\r\n\r\n");
            head.parse(text.as_bytes(), HeadLimits::default()).expect("a head").expect("all of it");
            assert_eq!(is_grpc(&head), expected, "{content}");
        }
    }

    #[test]
    fn a_message_is_printable_ascii() {
        assert_eq!(message("100 % \u{e4}\n"), "divisi: 100 %25 %C3%A4%0A");
    }
}
