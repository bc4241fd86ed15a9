//! Exchanges whose bodies are there as a whole.

use bytes::Bytes;
use divisi_testkit::pattern::Pattern;
use http::{Response, header};

use crate::client::{get, post, read, request, whole};
use crate::replica::Replica;
use crate::stage::{Pair, Stage};

/// 8 MiB.
const LARGE: usize = 8 << 20;

pub(crate) async fn small(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    // The second one goes over the connections of the first.
    for _ in 0..2 {
        let asked = client.send(request("GET", "/some/path?x=y", whole("")));
        let call = replica.call().await;
        assert_eq!((call.request.method().as_str(), call.request.uri().path()), ("GET", "/some/path"));
        call.answer(
            Response::builder().status(203).header("x-some", "thing").body(whole("hello")).expect("a response"),
        );
        let reply = read(asked.await.expect("a response")).await.expect("a body");
        assert_eq!((reply.status, reply.field("x-some"), &*reply.text()), (203, Some("thing"), "hello"));
        assert_eq!(reply.field("content-length"), Some("5"));
        client.ready().await.expect("it stays open");

        let asked = client.send(post("some words"));
        let (asked_of, answer) = replica.call().await.open();
        assert_eq!(asked_of.headers()[header::CONTENT_LENGTH], "10");
        let body = http_body_util::BodyExt::collect(asked_of.into_body()).await.expect("a body").to_bytes();
        answer.say(whole(body));
        assert_eq!(read(asked.await.expect("a response")).await.expect("a body").text(), "some words");
        client.ready().await.expect("it stays open");
    }
    assert_eq!(replica.accepted(), 1, "connections to the replica");
    stage.assert_at_peace().await;
}

/// A kilobyte of a pattern.
fn whole_piece(pattern: &Pattern, offset: usize) -> Vec<u8> {
    let mut piece = Vec::with_capacity(1 << 10);
    while piece.len() < 1 << 10 {
        piece.extend_from_slice(pattern.piece(offset + piece.len(), (1 << 10) - piece.len()));
    }
    piece
}

pub(crate) async fn large(pair: Pair) {
    let [up, down] = [1, 2].map(|seed| {
        let pattern = Pattern::new(seed);
        let pieces = (0..).step_by(1 << 10).take(LARGE >> 10).flat_map(|at| whole_piece(&pattern, at));
        Bytes::from_iter(pieces)
    });
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let asked = tokio::spawn(client.send(request("POST", "/", whole(up.clone()))));
    let (asked_of, answer) = replica.call().await.open();
    let came = http_body_util::BodyExt::collect(asked_of.into_body()).await.expect("a body").to_bytes();
    assert!(came == up, "the request's body has changed");
    answer.say(whole(down.clone()));
    let reply = read(asked.await.expect("no panic").expect("a response")).await.expect("a body");
    assert!(reply.body == down, "the response's body has changed");
    stage.assert_at_peace().await;
}

/// Responses that never have a body, whatever they say of its length.
pub(crate) async fn empty(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    for (method, status, field, value) in
        [("HEAD", 200, "content-length", "5"), ("GET", 204, "x-some", "thing"), ("GET", 304, "etag", "\"a\"")]
    {
        let asked = client.send(request(method, "/", whole("")));
        let response = Response::builder().status(status).header(field, value).body(whole(""));
        replica.call().await.answer(response.expect("a response"));
        let reply = read(asked.await.expect("a response")).await.expect("an end");
        assert_eq!((reply.status, reply.field(field), &*reply.text()), (status, Some(value), ""), "{method}");
        client.ready().await.expect("it stays open");
    }
    let asked = tokio::spawn(client.send(get()));
    replica.call().await.say(whole("still in step"));
    assert_eq!(
        read(asked.await.expect("no panic").expect("a response")).await.expect("a body").text(),
        "still in step"
    );
    stage.assert_at_peace().await;
}
