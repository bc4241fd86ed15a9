//! Fields behind a body: behind the last chunk of HTTP/1.1 (RFC 9112 7.1.2), a frame of their own in HTTP/2 (RFC 9113 8.1).

use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;

use crate::client::{pieces, read, request, whole};
use crate::replica::Replica;
use crate::stage::{Pair, Stage};

fn checksum() -> HeaderMap {
    HeaderMap::from_iter([("x-checksum".parse().expect("a name"), HeaderValue::from_static("12 34"))])
}

/// hyper sends only those that were announced.
fn announced<B>(request: Request<B>) -> Request<B> {
    let (mut head, body) = request.into_parts();
    head.headers.insert("trailer", HeaderValue::from_static("x-checksum"));
    head.headers.insert("te", HeaderValue::from_static("trailers"));
    Request::from_parts(head, body)
}

pub(crate) async fn of_requests(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let (mut sender, body) = pieces();
    let asked = tokio::spawn(client.send(announced(request("POST", "/", body))));
    let (asked_of, answer) = replica.call().await.open();
    sender.send_data("some".into()).await.expect("it is wanted");
    sender.send_trailers(checksum()).await.expect("they are wanted");
    drop(sender);
    let body = asked_of.into_body().collect().await.expect("a body");
    assert_eq!(body.trailers(), Some(&checksum()));
    assert_eq!(body.to_bytes(), "some");
    answer.say(whole(""));
    asked.await.expect("no panic").expect("a response");
    stage.assert_at_peace().await;
}

pub(crate) async fn of_responses(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    // With a body before them, and without one.
    for data in ["some", ""] {
        let asked = tokio::spawn(client.send(announced(request("GET", "/", whole("")))));
        let call = replica.call().await;
        assert_eq!(call.request.headers()["te"], "trailers");
        let (mut sender, body) = pieces();
        call.answer(Response::builder().header("trailer", "x-checksum").body(body).expect("a response"));
        let response = asked.await.expect("no panic").expect("a response");
        if !data.is_empty() {
            sender.send_data(data.into()).await.expect("it is wanted");
        }
        sender.send_trailers(checksum()).await.expect("they are wanted");
        drop(sender);
        let reply = read(response).await.expect("a body");
        assert_eq!((&*reply.text(), reply.trailers), (data, Some(checksum())));
        client.ready().await.expect("it stays open");
    }
    stage.assert_at_peace().await;
}
