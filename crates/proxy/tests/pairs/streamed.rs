//! Bodies that arrive as they are sent, piece by piece.

use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::client::{bytes, end, get, pieces, read, request, whole};
use crate::replica::Replica;
use crate::stage::{Pair, Stage};

pub(crate) async fn downloads(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let asked = tokio::spawn(client.send(get()));
    let (mut sender, body) = pieces();
    replica.call().await.say(body);
    let mut body = asked.await.expect("no panic").expect("a response").into_body();
    // Each piece is sent only when the one before it has come.
    for text in ["one", "two", "three"] {
        sender.send_data(text.into()).await.expect("it is wanted");
        assert_eq!(bytes(&mut body, text.len()).await, text.as_bytes());
    }
    drop(sender);
    end(&mut body).await;
    stage.assert_at_peace().await;
}

pub(crate) async fn uploads(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let (mut sender, body) = pieces();
    let asked = tokio::spawn(client.send(request("POST", "/", body)));
    sender.send_data("one".into()).await.expect("it is wanted");
    let (asked_of, answer) = replica.call().await.open();
    let mut body = asked_of.into_body();
    assert_eq!(bytes(&mut body, 3).await, b"one");
    for text in ["two", "three"] {
        sender.send_data(text.into()).await.expect("it is wanted");
        assert_eq!(bytes(&mut body, text.len()).await, text.as_bytes());
    }
    drop(sender);
    end(&mut body).await;
    answer.say(whole("thanks"));
    let reply = read(asked.await.expect("no panic").expect("a response")).await.expect("a body");
    assert_eq!(reply.text(), "thanks");
    stage.assert_at_peace().await;
}

/// Says every piece again.
pub(crate) async fn echo(request: Request<Incoming>, sender: &mut crate::client::Pieces) {
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        if sender.send_data(data).await.is_err() {
            return;
        }
    }
}

/// The response begins before the request ends, and each waits for the other.
pub(crate) async fn both_ways(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let (mut sender, body) = pieces();
    let asked = tokio::spawn(client.send(request("POST", "/", body)));
    let (asked_of, answer) = replica.call().await.open();
    let (mut back, body) = pieces();
    answer.say(body);
    let echo = tokio::spawn(async move { echo(asked_of, &mut back).await });
    let mut body = asked.await.expect("no panic").expect("a response").into_body();
    for number in 0..20 {
        let text = format!("piece {number}");
        sender.send_data(text.clone().into()).await.expect("it is wanted");
        assert_eq!(bytes(&mut body, text.len()).await, text.as_bytes());
    }
    drop(sender);
    end(&mut body).await;
    echo.await.expect("no panic");
    stage.assert_at_peace().await;
}
