//! The end of divisi: what is open finishes, what comes then is refused, and connections end.

use std::time::Duration;

use http_body_util::BodyExt as _;

use crate::client::{Client, bytes, get, pieces, whole};
use crate::replica::Replica;
use crate::stage::{PATIENCE, Pair, Stage};

pub(crate) async fn finishes_what_is_open(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let mut stage = Stage::before(pair, &[&replica]);
    let (mut client, mut idle) = (stage.client().await, stage.client().await);
    let (reply, ()) = tokio::join!(idle.fetch(get()), async { replica.call().await.say(whole("hello")) });
    assert_eq!(reply.expect("a response").text(), "hello");

    let asked = tokio::spawn(client.send(get()));
    let (mut sender, body) = pieces();
    replica.call().await.say(body);
    let mut body = asked.await.expect("no panic").expect("a response").into_body();
    sender.send_data("begun".into()).await.expect("it is wanted");
    assert_eq!(bytes(&mut body, 5).await, b"begun");

    let (door, speaks) = (stage.door(), stage.pair.client);
    let stopped = stage.stop(Duration::from_secs(30));
    tokio::time::timeout(PATIENCE, idle.closed()).await.expect("what rests ends at once");
    if pair.client.is_http2() {
        refused_on(&mut client, &mut replica).await;
    }
    assert!(Client::connect(door, speaks, None).await.is_err(), "it still takes connections");

    sender.send_data(" and finished".into()).await.expect("it is wanted");
    drop(sender);
    assert_eq!(body.collect().await.expect("an end in order").to_bytes(), " and finished");
    tokio::time::timeout(PATIENCE, client.closed()).await.expect("its connection ends");
    assert!(stopped.await.expect("no panic"), "not everything has finished");
}

/// What was sent before the client has heard of the end may still be served.
async fn refused_on(client: &mut Client, replica: &mut Replica) {
    for _ in 0..1000 {
        let refused = tokio::select! {
            reply = client.fetch(get()) => reply.is_err(),
            call = replica.call() => {
                call.say(whole("still"));
                false
            }
        };
        if refused {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("requests are still served");
}
