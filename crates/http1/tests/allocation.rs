//! Steady-state requests allocate nothing here: heads and bodies reuse the memory of those before them.

use divisi_http1::scan::Scan;
use divisi_http1::{BodyLength, Buffer, Decoder, HeadLimits, RequestHead, ResponseHead, trailer};

const REQUEST: &[u8] =
    b"POST /shop/cart?item=1 HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\n\
    Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: app\r\nContent-Type: text/html\r\nContent-Length: 128\r\n\r\n";
const BODY: &[u8] = b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nServer-Timing: a\r\nHost: no\r\n\r\n";

/// What a proxy does with one exchange in this room: find, parse, ask, decode, write.
fn exchange(request: &mut RequestHead, response: &mut ResponseHead, buffer: &mut Buffer, out: &mut Vec<u8>) {
    let limits = HeadLimits::default();
    let end = Scan::default().find(REQUEST).expect("strict").expect("complete");
    request.parse(&REQUEST[..end], limits).expect("valid");
    assert!(request.keeps_alive() && request.nominates_fields() && request.upgrade().is_none());
    out.clear();
    request.target().write_origin_form(request.method(), out);
    request.fields().iter().for_each(|field| field.write(out));

    response.parse(RESPONSE, request, limits).expect("valid");
    assert_eq!(response.body(), BodyLength::Sized(128));

    buffer.space()[..BODY.len()].copy_from_slice(BODY);
    buffer.advance(BODY.len());
    let step = Decoder::new(request.body()).decode(buffer.filled_mut()).expect("valid");
    assert_eq!(buffer.part(step.data), b"hello world");
    trailer::copy_allowed(buffer.part(step.end.expect("complete")), limits, out).expect("valid");
    buffer.consume(step.consumed);
}

#[test]
fn a_steady_exchange_allocates_nothing() {
    let (mut request, mut response) = (RequestHead::default(), ResponseHead::default());
    let (mut buffer, mut out) = (Buffer::with_capacity(4096), Vec::new());
    exchange(&mut request, &mut response, &mut buffer, &mut out);
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            exchange(&mut request, &mut response, &mut buffer, &mut out);
        }
    });
    assert_eq!(counted.count_total, 0);
}
