//! Clients that ask now and then: between two requests their connection costs next to nothing, and they must not notice.

use std::time::Duration;

use fastrand::Rng;

use crate::client::{Client, Reply, request, whole};
use crate::replica::Replica;
use crate::stage::{Downstream, Pair, Stage, until};

/// How often each client rests.
const RESTS: usize = 3;
const CLIENTS: usize = 4;

/// Heads of all kinds, of which some were said before and some were not: what header compression makes of them lasts.
pub(crate) async fn between_requests(pair: Pair) {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let mut replica = Replica::start(pair).await;
    let stage = Stage::before(pair, &[&replica]);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(stage.client().await);
    }
    for round in 0..=RESTS {
        for client in &mut clients {
            for _ in 0..rng.usize(1..6) {
                exchange(client, &mut replica, &mut rng).await;
            }
        }
        if round < RESTS {
            rest(&stage, pair).await;
        }
    }
    stage.assert_at_peace().await;
}

async fn rest(stage: &Stage, pair: Pair) {
    if pair.client == Downstream::Http1InTls {
        // Which rests where it is, and is counted nowhere.
        tokio::time::sleep(Duration::from_millis(50)).await;
        return;
    }
    let gauges = stage.running.as_ref().expect("it runs").gauges();
    // The gauge is some milliseconds old.
    tokio::time::sleep(Duration::from_millis(200)).await;
    until("all clients rest", || gauges.resting_connections() == CLIENTS).await;
}

async fn exchange(client: &mut Client, replica: &mut Replica, rng: &mut Rng) {
    let (asked, said) = (fields(rng), fields(rng));
    let upload = "u".repeat(rng.usize(0..2) * rng.usize(0..100_000));
    let download = "d".repeat(rng.usize(0..2) * rng.usize(0..100_000));
    let mut question = request("POST", &format!("/{}", rng.u8(0..4)), whole(upload.clone()));
    for (name, value) in &asked {
        question
            .headers_mut()
            .append(name.parse::<http::HeaderName>().expect("a name"), value.parse().expect("a value"));
    }
    let answered = async {
        let (request, answer) = replica.call().await.open();
        let (head, body) = request.into_parts();
        let body = http_body_util::BodyExt::collect(body).await.expect("a body in order").to_bytes();
        assert_eq!(body.len(), upload.len());
        for (name, value) in &asked {
            assert_eq!(head.headers.get(name).map(http::HeaderValue::as_bytes), Some(value.as_bytes()), "{name}");
        }
        let mut response = http::Response::new(whole(download.clone()));
        for (name, value) in &said {
            let name = name.parse::<http::HeaderName>().expect("a name");
            response.headers_mut().append(name, value.parse().expect("a value"));
        }
        answer.give(response);
    };
    let (reply, ()) = tokio::join!(client.fetch(question), answered);
    let reply: Reply = reply.expect("a response");
    assert_eq!((reply.status, reply.body.len()), (200, download.len()));
    for (name, value) in &said {
        assert_eq!(reply.field(name), Some(value.as_str()));
    }
}

/// Some fields, each name at most once.
fn fields(rng: &mut Rng) -> Vec<(String, String)> {
    let names = rng.choose_multiple(0..8, rng.clone().usize(0..5));
    names.into_iter().map(|name| (format!("x-{name}"), "v".repeat(rng.usize(0..3) * 7 + 1))).collect()
}
