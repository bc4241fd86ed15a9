//! Replicas that say that they have not acted on a request: another one gets it, whatever the method.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use h2::Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{Wire, get, post};
use crate::replica::{Replica, Server, Strange};
use crate::stage::{Pair, Stage, until};

/// Requests until each replica has got one.
const ROUNDS: usize = 4;

/// Every POST is served by the good replica, though the other one gets some of them first.
async fn assert_all_go_on(pair: Pair, bad: &Strange, refused: &AtomicUsize) {
    let good = Replica::saying(pair, "good").await;
    let stage = Stage::at(pair, &[bad.addr(), good.replica.addr()]);
    let mut client = stage.client().await;
    for _ in 0..ROUNDS {
        let reply = client.fetch(post("some words")).await.expect("a response");
        assert_eq!((reply.status, &*reply.text()), (200, "good"));
    }
    assert!(refused.load(Ordering::Relaxed) > 0, "nothing was refused");
    assert_eq!(good.count(), ROUNDS);
}

/// RFC 9113 8.7: REFUSED_STREAM says that nothing was done.
pub(crate) async fn stream(pair: Pair) {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let bad = Strange::start(pair, move |wire| {
        let count = Arc::clone(&count);
        async move {
            let Ok(mut connection) = h2::server::handshake(wire).await else { return };
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                respond.send_reset(Reason::REFUSED_STREAM);
            }
        }
    })
    .await;
    assert_all_go_on(pair, &bad, &refused).await;
}

/// RFC 9113 6.8: GOAWAY says that nothing was done with the streams beyond the one that it names.
pub(crate) async fn goaway(pair: Pair) {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let bad = Strange::start(pair, move |wire| {
        let count = Arc::clone(&count);
        async move { drop(send_away(wire, &count).await) }
    })
    .await;
    assert_all_go_on(pair, &bad, &refused).await;
}

/// Takes a request, and says that it has taken none.
async fn send_away(mut wire: Box<dyn Wire>, count: &AtomicUsize) -> std::io::Result<()> {
    const HEADERS: u8 = 1;
    // RFC 9113 4.1: length, type, flags, stream; the last stream is none, and the reason is no error.
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    wire.write_all(&SETTINGS).await?;
    wire.read_exact(&mut [0; 24]).await?;
    loop {
        let mut head = [0; 9];
        wire.read_exact(&mut head).await?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        wire.read_exact(&mut vec![0; length]).await?;
        if head[3] == HEADERS {
            count.fetch_add(1, Ordering::Relaxed);
            wire.write_all(&GOAWAY).await?;
            wire.flush().await?;
        }
    }
}

/// A replica that ends as it should, while requests come: HTTP/2 says GOAWAY, HTTP/1.1 closes what rests. None is lost.
pub(crate) async fn graceful_end(pair: Pair) {
    let servers: [Server; 2] = [Replica::saying(pair, "a").await, Replica::saying(pair, "b").await];
    let [first, second] = &servers;
    let stage = Stage::before(pair, &[&first.replica, &second.replica]);
    let mut client = stage.client().await;
    let mut asked = 0;
    for round in 0..100 {
        if round % 20 == 10 {
            [first, second][round / 20 % 2].replica.stop();
        }
        for _ in 0..3 {
            // What meets the end of a connection of HTTP/1.1 may have been read, and nothing says that it was not.
            let request = if pair.is_http2_upstream() { post("some words") } else { get() };
            let reply = client.fetch(request).await.expect("a response");
            assert_eq!(reply.status, 200, "{}", reply.text());
            asked += 1;
        }
    }
    until("each was served once", || first.count() + second.count() == asked).await;
    stage.assert_at_peace().await;
}
