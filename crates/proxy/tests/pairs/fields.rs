//! What changes in heads, and what does not get through.

use http::Response;

use crate::client::{get, read, whole};
use crate::replica::Replica;
use crate::seal::HOST;
use crate::stage::{Pair, Stage};

/// Nobody is believed who says himself who he is.
pub(crate) async fn forwarded(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let mut asked = get();
    for (name, value) in [
        ("x-forwarded-proto", "gopher"),
        ("x-forwarded-for", "10.9.8.7"),
        ("x-forwarded-host", "else.test"),
        ("x-real-ip", "10.9.8.7"),
        ("forwarded", "for=10.9.8.7"),
        ("cookie", "a=b"),
    ] {
        asked.headers_mut().append(name, value.parse().expect("a value"));
    }
    asked.headers_mut().append("cookie", "c=d".parse().expect("a value"));
    let asked = tokio::spawn(client.send(asked));
    let call = replica.call().await;
    let headers = call.request.headers();
    let of = |name: &str| {
        let values: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect();
        values.join("|")
    };
    assert_eq!(of("x-forwarded-proto"), pair.client.scheme());
    assert_eq!(of("x-forwarded-for"), "127.0.0.1");
    assert_eq!(of("x-forwarded-host"), HOST);
    assert_eq!(of("x-real-ip"), "127.0.0.1");
    assert_eq!(of("forwarded"), "");
    if pair.is_http2_upstream() {
        assert_eq!(call.request.uri().authority().map(http::uri::Authority::as_str), Some(HOST));
        let scheme = if pair.replica.is_secure() { "https" } else { "http" };
        assert_eq!(call.request.uri().scheme_str(), Some(scheme));
    } else {
        assert_eq!(of("host"), HOST);
    }
    // RFC 9113 8.2.3: crumbs are one field where HTTP/2 is left, and count as one in it.
    if pair.client.is_http2() && !pair.is_http2_upstream() {
        assert_eq!(of("cookie"), "a=b; c=d");
    } else {
        assert_eq!(of("cookie").replace('|', "; "), "a=b; c=d");
    }
    call.say(whole(""));
    asked.await.expect("no panic").expect("a response");
    stage.assert_at_peace().await;
}

/// RFC 9110 7.6.1: what is for one connection stays on it. HTTP/2 has no such fields but `TE: trailers` (RFC 9113 8.2.2).
pub(crate) async fn hop_by_hop(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let mut asked = get();
    let headers = asked.headers_mut();
    headers.insert("x-public", "yes".parse().expect("a value"));
    headers.insert("te", "trailers".parse().expect("a value"));
    if !pair.client.is_http2() {
        headers.insert("connection", "keep-alive, x-private, te".parse().expect("a value"));
        headers.insert("keep-alive", "timeout=5".parse().expect("a value"));
        headers.insert("x-private", "yes".parse().expect("a value"));
        headers.insert("te", "trailers, deflate;q=0.5".parse().expect("a value"));
        headers.insert("proxy-authorization", "Basic YTpi".parse().expect("a value"));
    }
    let asked = tokio::spawn(client.send(asked));
    let call = replica.call().await;
    let headers = call.request.headers();
    assert_eq!(headers["x-public"], "yes");
    assert_eq!(headers["te"], "trailers");
    for name in ["keep-alive", "x-private", "proxy-authorization", "transfer-encoding", "upgrade"] {
        assert!(!headers.contains_key(name), "{name}: {headers:?}");
    }
    let connection = headers.get("connection").map(|value| value.to_str().expect("text"));
    assert_eq!(connection, if pair.is_http2_upstream() { None } else { Some("TE") });

    let mut response = Response::builder().header("x-public", "yes");
    if !pair.is_http2_upstream() {
        response =
            response.header("connection", "x-private").header("x-private", "yes").header("keep-alive", "timeout=5");
    }
    call.answer(response.body(whole("hello")).expect("a response"));
    let reply = read(asked.await.expect("no panic").expect("a response")).await.expect("a body");
    assert_eq!((reply.field("x-public"), &*reply.text()), (Some("yes"), "hello"));
    for name in ["connection", "keep-alive", "x-private", "transfer-encoding"] {
        assert_eq!(reply.field(name), None, "{:?}", reply.headers);
    }
    assert!(reply.field("date").is_some());
    stage.assert_at_peace().await;
}
