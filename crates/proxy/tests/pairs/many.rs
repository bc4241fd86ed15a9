//! Many exchanges at a time: on one connection of HTTP/2, on as many of HTTP/1.1.

use crate::client::{post, read};
use crate::replica::{Call, Replica};
use crate::stage::{Pair, Stage, until};

const MANY: usize = 100;

pub(crate) async fn at_once(pair: Pair) {
    let mut replicas = [Replica::start(pair).await, Replica::start(pair).await, Replica::start(pair).await];
    let stage = Stage::before(pair, &replicas.each_ref());
    let mut clients = vec![stage.client().await];
    let mut asked = Vec::new();
    for number in 0..MANY {
        if number > 0 && !pair.client.is_http2() {
            clients.push(stage.client().await);
        }
        let client = clients.last_mut().expect("one");
        client.ready().await.expect("it is open");
        asked.push(tokio::spawn(client.send(post("some words"))));
    }
    // None is answered before all have come, so all of them are open at a time.
    let in_flight = || stage.members.iter().map(|replica| replica.in_flight()).sum::<usize>();
    until("all of them are at replicas", || in_flight() == MANY).await;
    let mut calls: Vec<(usize, Call)> = Vec::new();
    for (number, replica) in replicas.iter_mut().enumerate() {
        let share = stage.members[number].in_flight();
        assert!((33..=34).contains(&share), "replica {number} has {share} of {MANY}");
        for _ in 0..share {
            calls.push((number, replica.call().await));
        }
    }
    for (number, call) in calls {
        call.say(crate::client::whole(["a", "b", "c"][number]));
    }
    for asked in asked {
        let reply = read(asked.await.expect("no panic").expect("a response")).await.expect("a body");
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    stage.assert_at_peace().await;
}
