//! A replica that has said everything before it has heard everything.

use bytes::Bytes;
use http::Response;

use crate::client::{get, pieces, read, request, whole};
use crate::replica::Replica;
use crate::stage::{Pair, Stage};

/// Larger than everything that waits on the way.
const ENDLESS: usize = 64 << 20;

pub(crate) async fn response_before_the_upload_ends(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let (mut sender, body) = pieces();
    let asked = tokio::spawn(client.send(request("POST", "/", body)));
    sender.send_data("some".into()).await.expect("it is wanted");
    let call = replica.call().await;
    call.answer(Response::builder().status(413).body(whole("too much")).expect("a response"));
    let reply = read(asked.await.expect("no panic").expect("a response")).await.expect("a body");
    assert_eq!((reply.status, &*reply.text()), (413, "too much"));
    // Nobody wants the rest, and nobody waits for it for ever.
    let megabyte = Bytes::from(vec![b'x'; 1 << 20]);
    let mut sent = 0;
    while sender.send_data(megabyte.clone()).await.is_ok() {
        sent += megabyte.len();
        assert!(sent < ENDLESS, "all of it was taken");
    }
    // HTTP/2 has a place for the next one on the same connection, HTTP/1.1 has not.
    if !pair.client.is_http2() {
        client = stage.client().await;
    }
    let next = tokio::spawn(client.send(get()));
    replica.call().await.say(whole("next"));
    assert_eq!(read(next.await.expect("no panic").expect("a response")).await.expect("a body").text(), "next");
    stage.assert_at_peace().await;
}
