//! Response heads and their bodies: never a panic, one framing, no body where there can be none.
#![no_main]

use divisi_http1::scan::Scan;
use divisi_http1::{BodyLength, Decoder, HeadLimits, Known, RequestHead, ResponseHead};
use libfuzzer_sys::fuzz_target;

const REQUESTS: [&[u8]; 3] = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
];

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else { return };
    let mut request = RequestHead::default();
    request.parse(REQUESTS[usize::from(*choice) % REQUESTS.len()], HeadLimits::default()).expect("valid");
    let Ok(Some(end)) = Scan::default().find(bytes) else { return };
    let mut head = ResponseHead::default();
    let Ok(Some(length)) = head.parse(&bytes[..end], &request, HeadLimits::default()) else { return };
    assert_eq!(length, end, "the tokeniser and the scan agree on where a head ends");
    assert!((100..1000).contains(&head.status()));
    let bodiless = request.method() == b"HEAD" || head.status() < 200 || matches!(head.status(), 204 | 304);
    assert!(!bodiless || head.body() == BodyLength::Empty);
    assert!(!(head.fields().has(Known::ContentLength) && head.fields().has(Known::TransferEncoding)));
    assert!(!(head.keeps_alive() && head.body() == BodyLength::UntilClose));
    let _ = head.switches_to(b"websocket");
    let mut rest = bytes[end..].to_vec();
    if let Ok(step) = Decoder::new(head.body()).decode(&mut rest) {
        assert!(step.data.end <= rest.len() && step.consumed <= rest.len());
    }
});
