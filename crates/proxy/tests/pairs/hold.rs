//! Requests that wait for a replica.

use divisi_model::spec::HoldLimits;
use divisi_model::{Service, Spec};

use crate::client::{post, read};
use crate::replica::Replica;
use crate::stage::{PATIENCE, Pair, Stage, settings, spec, until};

pub(crate) async fn until_a_replica_is_ready(pair: Pair) {
    let replica = Replica::saying(pair, "at last").await;
    let patient = Spec { hold: HoldLimits { time: PATIENCE, ..HoldLimits::default() }, ..spec() };
    let stage = Stage::with(pair, patient, settings(), &[&replica.replica]);
    stage.ready(&[]);
    let mut clients = Vec::new();
    let mut asked = Vec::new();
    for _ in 0..3 {
        let mut client = stage.client().await;
        asked.push(tokio::spawn(client.send(post("some words"))));
        clients.push(client);
    }
    let service: &Service = &stage.service;
    until("all of them wait", || service.state().waiting() == 3).await;
    assert_eq!(replica.count(), 0);
    stage.ready(&stage.members);
    for asked in asked {
        let reply = read(asked.await.expect("no panic").expect("a response")).await.expect("a body");
        assert_eq!((reply.status, &*reply.text()), (200, "at last"));
    }
    stage.assert_at_peace().await;
}
