//! Clients that leave: the replica sees it within moments, and nobody is blamed.

use http_body_util::BodyExt as _;

use crate::client::{get, piece, pieces, read, request, whole};
use crate::replica::Replica;
use crate::stage::{MOMENTS, Pair, Stage};

/// In HTTP/2 the connection lives on; in HTTP/1.1 it ends with the exchange.
async fn assert_served_anew(stage: &Stage, replica: &mut Replica, client: crate::client::Client) {
    let mut client = if stage.pair.client.is_http2() { client } else { stage.client().await };
    let next = tokio::spawn(client.send(get()));
    replica.call().await.say(whole("next"));
    assert_eq!(read(next.await.expect("no panic").expect("a response")).await.expect("a body").text(), "next");
    stage.assert_at_peace().await;
}

pub(crate) async fn before_the_response(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let asked = tokio::spawn(client.send(get()));
    let (_, mut answer) = replica.call().await.open();
    asked.abort();
    tokio::time::timeout(MOMENTS, answer.unwanted()).await.expect("the replica sees it");
    assert!(replica.is_left_alone(), "nobody asks again for who has left");
    assert_served_anew(&stage, &mut replica, client).await;
}

pub(crate) async fn within_the_response(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let asked = tokio::spawn(client.send(get()));
    let (mut sender, body) = pieces();
    replica.call().await.say(body);
    let mut response = asked.await.expect("no panic").expect("a response");
    sender.send_data("some".into()).await.expect("it is wanted");
    assert_eq!(piece(response.body_mut()).await, "some");
    drop(response);
    let unwanted = async { while sender.send_data("more".into()).await.is_ok() {} };
    tokio::time::timeout(MOMENTS, unwanted).await.expect("the replica sees it");
    assert_served_anew(&stage, &mut replica, client).await;
}

pub(crate) async fn within_the_upload(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let (mut sender, body) = pieces();
    let asked = tokio::spawn(client.send(request("POST", "/", body)));
    sender.send_data("some".into()).await.expect("it is wanted");
    let (asked_of, answer) = replica.call().await.open();
    let mut body = asked_of.into_body();
    assert_eq!(piece(&mut body).await, "some");
    sender.abort(std::io::Error::other("given up"));
    let rest = tokio::time::timeout(MOMENTS, body.frame()).await.expect("the replica sees it");
    assert!(matches!(rest, Some(Err(_))), "it must not look complete");
    assert!(asked.await.expect("no panic").is_err());
    drop(answer);
    assert_served_anew(&stage, &mut replica, client).await;
}
