//! Replicas that prove who they are, or do not.

use std::time::Duration;

use divisi_model::speech::Trust;

use crate::client::post;
use crate::replica::Replica;
use crate::seal::Authority;
use crate::stage::{Pair, Stage, settings, spec};

/// Signed by somebody whom nobody trusts.
pub(crate) async fn of_a_stranger(pair: Pair) {
    let mut replica = Replica::signed_by(pair, &Authority::new("a stranger")).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut client = stage.client().await;
    let reply = client.fetch(post("a secret")).await.expect("a response");
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert!(reply.text().contains("TLS"), "{}", reply.text());
    assert!(replica.is_left_alone(), "it has got the secret");
}

/// The same replica, where the user has said that it need not prove anything.
pub(crate) async fn of_nobody(pair: Pair) {
    let mut replica = Replica::signed_by(pair, &Authority::new("a stranger")).await;
    let stage = Stage::trusting(pair, Trust::Unproven, spec(), settings(), &[&replica]);
    let mut client = stage.client().await;
    let (reply, ()) = tokio::join!(client.fetch(post("words")), async {
        replica.call().await.say(crate::client::whole("believed"));
    });
    assert_eq!(reply.expect("a response").text(), "believed");
    tokio::time::timeout(Duration::from_secs(20), stage.assert_at_peace()).await.expect("nobody is blamed");
}
