//! Who does not read is not written to: what waits on the way is bounded, and nothing of it is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::client::{Pieces, get, pieces, read, request, whole};
use crate::replica::Replica;
use crate::stage::{Pair, Stage};

const WHOLE: usize = 64 << 20;

/// What may wait on the way: windows, the proxy's buffers, and the kernel's for two connections, which are most of it.
const ON_THE_WAY: usize = 24 << 20;

/// Sends as fast as it is taken, and counts.
async fn send(mut sender: Pieces, count: Arc<AtomicUsize>) {
    let piece = Bytes::from(vec![b'x'; 64 << 10]);
    while count.load(Ordering::Relaxed) < WHOLE {
        sender.send_data(piece.clone()).await.expect("it is wanted");
        count.fetch_add(piece.len(), Ordering::Relaxed);
    }
}

/// Waits until no more is sent, and says how much it was.
async fn stalled(counts: &[Arc<AtomicUsize>]) -> usize {
    let mut was = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = counts.iter().map(|count| count.load(Ordering::Relaxed)).sum();
        if now == was && now > 0 {
            return now;
        }
        was = now;
    }
}

async fn length(mut body: Incoming) -> usize {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.expect("a piece").data_ref().map_or(0, Bytes::len);
    }
    length
}

pub(crate) async fn reader(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let asked = tokio::spawn(client.send(get()));
    let (sender, body) = pieces();
    replica.call().await.say(body);
    let count = Arc::new(AtomicUsize::new(0));
    let sending = tokio::spawn(send(sender, Arc::clone(&count)));
    let response = asked.await.expect("no panic").expect("a response");
    let sent = stalled(&[count]).await;
    assert!(sent < ON_THE_WAY, "{sent} bytes were taken for a client that reads none");
    assert_eq!(length(response.into_body()).await, WHOLE);
    sending.await.expect("no panic");
    stage.assert_at_peace().await;
}

/// As many of them as one connection's window would be for (RFC 9113 6.9.1), and more.
const MANY: usize = 24;

/// Whoever does not read holds up nobody else, though all of them share a connection to the replica where that speaks HTTP/2.
pub(crate) async fn readers_hold_up_nobody_else(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let (mut slow, mut counts) = (Vec::new(), Vec::new());
    for _ in 0..MANY {
        let mut client = stage.client().await;
        let asked = tokio::spawn(client.send(get()));
        let (sender, body) = pieces();
        replica.call().await.say(body);
        let count = Arc::new(AtomicUsize::new(0));
        let sending = tokio::spawn(send(sender, Arc::clone(&count)));
        slow.push((client, asked.await.expect("no panic").expect("a response"), sending));
        counts.push(count);
    }
    stalled(&counts).await;
    let mut client = stage.client().await;
    let asked = tokio::spawn(client.send(get()));
    replica.call().await.say(whole("in time"));
    assert_eq!(read(asked.await.expect("no panic").expect("a response")).await.expect("a body").text(), "in time");
    slow.iter().for_each(|(_, _, sending)| sending.abort());
}

pub(crate) async fn replica_in_reading(pair: Pair) {
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let (sender, body) = pieces();
    let asked = tokio::spawn(client.send(request("POST", "/", body)));
    let count = Arc::new(AtomicUsize::new(0));
    let sending = tokio::spawn(send(sender, Arc::clone(&count)));
    let (asked_of, answer) = replica.call().await.open();
    let sent = stalled(&[count]).await;
    assert!(sent < ON_THE_WAY, "{sent} bytes were taken for a replica that reads none");
    assert_eq!(length(asked_of.into_body()).await, WHOLE);
    answer.say(whole("thanks"));
    assert_eq!(read(asked.await.expect("no panic").expect("a response")).await.expect("a body").text(), "thanks");
    sending.await.expect("no panic");
    stage.assert_at_peace().await;
}
