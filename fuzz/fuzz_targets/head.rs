//! Request heads: an accepted head, written again from its parts, is accepted again and means the same.
#![no_main]

use divisi_http1::scan::Scan;
use divisi_http1::{HeadLimits, Known, RequestHead};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some(end)) = Scan::default().find(bytes) else { return };
    let mut head = RequestHead::default();
    let Ok(Some(length)) = head.parse(&bytes[..end], HeadLimits::default()) else { return };
    assert_eq!(length, end, "the tokeniser and the scan agree on where a head ends");
    let mut out = Vec::new();
    out.extend_from_slice(head.method());
    out.push(b' ');
    head.target().write_origin_form(head.method(), &mut out);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if !head.fields().has(Known::Host) {
        out.extend_from_slice(b"Host: a\r\n");
    }
    // An expectation that is ignored is not passed on either (RFC 9110 10.1.1).
    let passed = head.fields().iter().filter(|field| field.known != Known::Expect || head.expects_continue());
    passed.for_each(|field| field.write(&mut out));
    out.extend_from_slice(b"\r\n");

    assert_eq!(Scan::default().find(&out), Ok(Some(out.len())));
    let mut again = RequestHead::default();
    // One line longer than what was sent, where there was no Host.
    let limits = HeadLimits { fields: HeadLimits::default().fields + 1, ..HeadLimits::default() };
    assert_eq!(again.parse(&out, limits), Ok(Some(out.len())), "what was accepted once is accepted again");
    assert_eq!((head.method(), head.body()), (again.method(), again.body()));
    assert!(!(again.fields().has(Known::ContentLength) && again.fields().has(Known::TransferEncoding)));
    let _ = (head.upgrade(), head.keeps_alive(), head.authority(), head.expects_continue());
});
