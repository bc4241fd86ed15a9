//! Replicas that break off: what was begun is never passed on as complete (design, invariant 8).

use divisi_model::Health;
use http::Response;
use http_body_util::BodyExt as _;

use crate::client::{bytes, get, pieces, post, whole};
use crate::replica::Replica;
use crate::stage::{Pair, Stage, until};

pub(crate) async fn within_the_body(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    for length in [None, Some("1000")] {
        let mut client = stage.client().await;
        let asked = tokio::spawn(client.send(get()));
        let (mut sender, body) = pieces();
        let mut response = Response::new(body);
        length.map(|length| response.headers_mut().insert("content-length", length.parse().expect("a number")));
        replica.call().await.answer(response);
        let mut body = asked.await.expect("no panic").expect("a response").into_body();
        sender.send_data("some".into()).await.expect("it is wanted");
        assert_eq!(bytes(&mut body, 4).await, b"some");
        sender.abort(std::io::Error::other("broken off"));
        let end = body.frame().await;
        assert!(matches!(end, Some(Err(_))), "it looks complete: {end:?}");
    }
    let gauges = stage.running.as_ref().expect("it runs").gauges();
    until("both are counted as broken", || gauges.totals().broken == 2).await;
}

/// A GET goes on to another replica.
pub(crate) async fn before_the_head_of_a_get(pair: Pair) {
    let (bad, good) = (Replica::serving(pair, drop).await, Replica::saying(pair, "good").await);
    let stage = Stage::before(pair, &[&bad.replica, &good.replica]);
    let mut client = stage.client().await;
    // In turn, so one of two comes to the bad one first.
    for _ in 0..2 {
        let reply = client.fetch(get()).await.expect("a response");
        assert_eq!((reply.status, &*reply.text()), (200, "good"));
    }
    assert!(bad.count() > 0);
    until("the bad one is found out", || stage.members[0].health() == Health::Ejected).await;
}

/// A POST does not: the replica may have acted on it.
pub(crate) async fn before_the_head_of_a_post(pair: Pair) {
    let mut bad = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&bad]);
    let mut client = stage.client().await;
    let (reply, ()) = tokio::join!(client.fetch(post("once")), async {
        let (asked_of, answer) = bad.call().await.open();
        asked_of.into_body().collect().await.expect("a body");
        drop(answer);
    });
    let reply = reply.expect("a response");
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert!(bad.is_left_alone(), "it was sent twice");
    // The client's connection is as good as before.
    let asked = tokio::spawn(client.send(get()));
    bad.call().await.say(whole("well again"));
    asked.await.expect("no panic").expect("a response");
}
