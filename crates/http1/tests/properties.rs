//! Properties that hold for any bytes. `PROPTEST_CASES` says how many are tried; a failure prints its seed and is kept.

use divisi_http1::chunked::{Chunked, SizeLine};
use divisi_http1::scan::Scan;
use divisi_http1::{BodyLength, Decoder, HeadLimits, Known, RequestHead, ResponseHead};
use proptest::prelude::*;

/// Bytes that nearly are a head: what a parser has to tell apart.
fn head_like() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        Just("GET / HTTP/1.1\r\n".to_owned()),
        Just("POST http://a/b HTTP/1.0\r\n".to_owned()),
        Just("HTTP/1.1 200 OK\r\n".to_owned()),
        "[A-Z]{0,4} [/*a-z:#]{0,6} HTTP/1\\.[0-2]\r\n",
    ];
    let line = prop_oneof![
        Just("Host: a\r\n".to_owned()),
        Just("Transfer-Encoding: chunked\r\n".to_owned()),
        "Content-Length: [0-9+, ]{0,3}\r\n",
        "Connection: (close|upgrade|keep-alive|x)\r\n",
        "[A-Za-z_-]{0,18} ?: ?[ -~\t]{0,9}\r\n",
        "[\\x00-\\x7f]{0,9}(\r\n|\n|\r)?",
    ];
    (start, prop::collection::vec(line, 0..8))
        .prop_map(|(start, lines)| format!("{start}{}\r\n", lines.concat()).into_bytes())
}

/// How a head is read when it arrives in one piece.
fn found(bytes: &[u8]) -> Option<usize> {
    Scan::default().find(bytes).ok().flatten()
}

proptest! {
    /// A head that is accepted can be written again from its parts, is accepted again, and means the same: this is what
    /// keeps two readers in step.
    #[test]
    fn an_accepted_head_means_the_same_when_written_again(bytes in head_like()) {
        let Some(end) = found(&bytes) else { return Ok(()) };
        let mut head = RequestHead::default();
        if head.parse(&bytes[..end], HeadLimits::default()).is_err() { return Ok(()) }
        let mut out = Vec::new();
        out.extend_from_slice(head.method());
        out.push(b' ');
        head.target().write_origin_form(head.method(), &mut out);
        out.extend_from_slice(b" HTTP/1.1\r\n");
        if !head.fields().has(Known::Host) { out.extend_from_slice(b"Host: a\r\n") }
        // An expectation that is ignored is not passed on either (RFC 9110 10.1.1).
        let passed = head.fields().iter().filter(|field| field.known != Known::Expect || head.expects_continue());
        passed.for_each(|field| field.write(&mut out));
        out.extend_from_slice(b"\r\n");
        prop_assert_eq!(found(&out), Some(out.len()));
        let mut again = RequestHead::default();
        prop_assert!(again.parse(&out, HeadLimits::default()).is_ok(), "{}", String::from_utf8_lossy(&out));
        prop_assert_eq!(head.body(), again.body());
        prop_assert_eq!(head.method(), again.method());
        // At most one way to frame the body, whatever was sent.
        prop_assert!(!(again.fields().has(Known::ContentLength) && again.fields().has(Known::TransferEncoding)));
    }

    /// Any bytes: an error or a head, never a panic.
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (mut request, mut response) = (RequestHead::default(), ResponseHead::default());
        let _ = request.parse(&bytes, HeadLimits::default());
        let _ = response.parse(&bytes, &request, HeadLimits::default());
        let _ = Decoder::new(BodyLength::Chunked).decode(&mut bytes.clone());
    }

    /// Where a head ends does not depend on how it arrives.
    #[test]
    fn a_head_ends_where_it_ends(bytes in head_like(), cuts in prop::collection::vec(1usize..40, 1..30)) {
        let whole = Scan::default().find(&bytes);
        let mut scan = Scan::default();
        let mut arrived = 0;
        for cut in cuts.iter().cycle() {
            arrived = (arrived + cut).min(bytes.len());
            match scan.find(&bytes[..arrived]) {
                Ok(None) if arrived < bytes.len() => {}
                result => { prop_assert_eq!(result, whole); break }
            }
        }
    }

    /// A response that has no body by its status or its request has none, whatever its fields say (RFC 9112 6.3).
    #[test]
    fn bodiless_responses_have_no_body(status in prop_oneof![Just(204u16), Just(304), 100u16..200], length in 0u32..99) {
        let (mut request, mut response) = (RequestHead::default(), ResponseHead::default());
        request.parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", HeadLimits::default()).expect("valid");
        let bytes = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n\r\n");
        response.parse(bytes.as_bytes(), &request, HeadLimits::default()).expect("valid");
        prop_assert_eq!(response.body(), BodyLength::Empty);
    }

    /// Chunks carry any data, cut and delivered in any way.
    #[test]
    fn chunks_carry_any_data(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..10),
        cuts in prop::collection::vec(1usize..60, 1..20),
    ) {
        let mut body = Vec::new();
        for chunk in &chunks {
            body.extend_from_slice(SizeLine::new(chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\nNEXT");
        let (mut chunked, mut window, mut data, mut sent) = (Chunked::default(), Vec::new(), Vec::new(), 0);
        for cut in cuts.iter().cycle() {
            let upto = (sent + cut).min(body.len());
            window.extend_from_slice(&body[sent..upto]);
            sent = upto;
            let step = chunked.decode(&mut window).expect("valid");
            data.extend_from_slice(&window[step.data]);
            window.drain(..step.consumed);
            if step.end.is_some() { break }
        }
        window.extend_from_slice(&body[sent..]);
        prop_assert_eq!(data, chunks.concat());
        prop_assert_eq!(window, b"NEXT");
    }

    /// However a stream of bytes is cut, it is refused or accepted alike, with the same data.
    #[test]
    fn chunk_errors_do_not_depend_on_the_cut(body in "([0-9a-fA-F]{0,3}(;[a-z=\"]{0,4})?(\r\n|\n|\r)?[a-z]{0,5}(\r\n)?){1,6}", cut in 1usize..9) {
        let decode = |step: usize| {
            let (mut chunked, mut window, mut data) = (Chunked::default(), Vec::new(), Vec::new());
            for piece in body.as_bytes().chunks(step.max(1)) {
                window.extend_from_slice(piece);
                let Ok(step) = chunked.decode(&mut window) else { return None };
                data.extend_from_slice(&window[step.data]);
                if step.end.is_some() { return Some((data, true)) }
                window.drain(..step.consumed);
            }
            Some((data, false))
        };
        prop_assert_eq!(decode(cut), decode(body.len()));
    }
}
