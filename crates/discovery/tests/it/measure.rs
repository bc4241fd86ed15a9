//! Figures, by hand: `cargo test --release -p divisi-discovery --test it -- --ignored --nocapture --test-threads 1`.

use std::time::{Duration, Instant};

use divisi_testkit::engine::FakeEngine;

use crate::harness::{Discovery, Port, replica, until, web};

const REPLICAS: u32 = 10_000;

/// From before `cause` until `effect`, waiting without sleep; so what the fake engine spends counts too.
fn timed(cause: impl FnOnce(), mut effect: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    cause();
    while !effect() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited in vain");
        std::thread::yield_now();
    }
    began.elapsed()
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{what}: median {:?}, p99 {:?}, max {:?} of {}", at(0.5), at(0.99), at(1.0), times.len());
}

#[test]
#[ignore = "measures, by hand"]
fn ten_thousand_replicas() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let ids: Vec<_> = (1..=REPLICAS)
        .map(|number| engine.run_silently(replica(number, port.number()).healthcheck("healthy")))
        .collect();
    let began = Instant::now();
    let discovery = Discovery::start(web(&engine));
    until("the first snapshot is there", || discovery.ready().len() == ids.len());
    println!("first snapshot of {REPLICAS} after {:?}", began.elapsed());
    until("the background inspections are done", || engine.calls().inspects == ids.len());
    println!("background inspections done after {:?}", began.elapsed());
    let count = || discovery.published.load().route().map_or(0, |service| service.ready().len());
    let (mut drains, mut starts, mut health) = (Vec::new(), Vec::new(), Vec::new());
    for id in ids.iter().step_by(20) {
        health.push(timed(|| engine.health(id, "unhealthy"), || count() == ids.len() - 1));
        timed(|| engine.health(id, "healthy"), || count() == ids.len());
        drains.push(timed(|| engine.signal(id, 15), || count() == ids.len() - 1));
        engine.die(id);
        starts.push(timed(|| engine.start(id), || count() == ids.len()));
    }
    report("health event to snapshot", health);
    report("kill event to snapshot", drains);
    report("start event, inspection, to snapshot", starts);
}

#[test]
#[ignore = "measures, by hand"]
fn from_the_first_accepted_connection_to_the_snapshot() {
    let engine = FakeEngine::new();
    let discovery = Discovery::start(web(&engine));
    discovery.until_known(0);
    let mut times = Vec::new();
    for _ in 0..200 {
        let port = Port::closed();
        let id = engine.run(replica(1, port.number()));
        discovery.until_known(1);
        std::thread::sleep(Duration::from_millis(100));
        times.push(timed(|| port.listen(), || discovery.ready().len() == 1));
        engine.stop(&id);
        discovery.until_known(0);
    }
    report("port accepts to snapshot", times);
}

#[test]
#[ignore = "measures, by hand"]
fn ten_thousand_starting_at_once() {
    let (engine, port) = (FakeEngine::new(), Port::closed());
    for number in 1..=REPLICAS {
        engine.run_silently(replica(number, port.number()));
    }
    let discovery = Discovery::start(web(&engine));
    discovery.until_known(REPLICAS as usize);
    std::thread::sleep(Duration::from_secs(5));
    port.accept_for_ever();
    let began = Instant::now();
    until("all are ready", || discovery.ready().len() == REPLICAS as usize);
    println!("{REPLICAS} ready {:?} after their ports accepted", began.elapsed());
}
