//! Fields after a chunked body.

use divisi_testkit::replica::{Replica, ok};

use crate::support::Proxy;

#[test]
fn trailers_of_a_request_reach_the_replica() {
    let replica = Replica::answering(|_| ok(""));
    let proxy = Proxy::before(&[&replica]);
    proxy.fetch(
        "POST / HTTP/1.1\r\nHost: app.test\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nhi\r\n0\r\nX-Sum: 42\r\nx-Other: y\r\n\r\n",
    );
    let request = &replica.requests()[0];
    assert_eq!(String::from_utf8_lossy(&request.trailers), "X-Sum: 42\r\nx-Other: y\r\n");
    assert_eq!(request.body, b"hi");
}

#[test]
fn trailers_of_a_response_reach_the_client() {
    let replica = Replica::answering(|_| {
        b"HTTP/1.1 200 OK\r\nTrailer: Grpc-Status\r\nTransfer-Encoding: chunked\r\n\r\n\
          2\r\nhi\r\n0\r\nGrpc-Status: 0\r\n\r\n"
            .to_vec()
    });
    let proxy = Proxy::before(&[&replica]);
    let response = proxy.fetch("GET / HTTP/1.1\r\nHost: app.test\r\nTE: trailers\r\nConnection: TE\r\n\r\n");
    assert_eq!(response.text(), "hi");
    assert_eq!(String::from_utf8_lossy(&response.trailers), "Grpc-Status: 0\r\n");
    assert_eq!(replica.requests()[0].head.value("te").as_deref(), Some("trailers"), "the replica knows it may");
}

#[test]
fn a_trailer_cannot_frame_route_or_authorise() {
    let replica = Replica::answering(|_| ok(""));
    let proxy = Proxy::before(&[&replica]);
    for field in ["Content-Length: 5", "Transfer-Encoding: chunked", "Host: evil.test", "Authorization: x"] {
        let mut client = proxy.connect();
        let response = client.exchange(format!(
            "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n{field}\r\n\r\n"
        ));
        assert!([200, 400].contains(&response.status()), "{field}");
    }
    assert!(replica.requests().iter().all(|request| request.trailers.is_empty()));
}
