//! From a container's start to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_model::Readiness;
use divisi_testkit::engine::FakeEngine;

use crate::harness::{Discovery, Port, replica, until, web, web_reconciled};

#[test]
fn what_runs_already_is_ready_in_the_order_of_its_numbers() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    for number in [10, 2, 1] {
        engine.run_silently(replica(number, port.number()));
    }
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1", "shop-web-2", "shop-web-10"]);
    assert_eq!(discovery.ready()[1].authority(), format!("127.1.0.2:{}", port.number()));
}

#[test]
fn a_replica_is_ready_as_soon_as_its_port_accepts() {
    let (engine, port) = (FakeEngine::new(), Port::closed());
    let discovery = Discovery::start(web(&engine));
    discovery.until_known(0);
    engine.run(replica(1, port.number()));
    discovery.until_known(1);
    let opened = Instant::now();
    port.listen();
    discovery.until_ready(&["shop-web-1"]);
    println!("ready {:?} after its port accepted", opened.elapsed());
}

#[test]
fn with_a_healthcheck_only_its_word_counts() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let before = engine.run_silently(replica(1, port.number()).healthcheck("starting"));
    let discovery = Discovery::start(web(&engine));
    let after = engine.run(replica(2, port.number()).healthcheck("starting"));
    discovery.until_known(2);
    engine.health(&before, "healthy");
    discovery.until_ready(&["shop-web-1"]);
    engine.health(&after, "healthy");
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
    let unhealthy = Arc::clone(&discovery.ready()[0]);
    engine.health(&before, "unhealthy");
    discovery.until_ready(&["shop-web-2"]);
    assert_eq!(unhealthy.readiness(), Readiness::Unhealthy);
}

#[test]
fn health_is_in_the_list_too() {
    let (engine, port) = (FakeEngine::new(), Port::closed());
    engine.run_silently(replica(1, port.number()).healthcheck("healthy"));
    engine.run_silently(replica(2, port.number()).healthcheck("unhealthy"));
    Discovery::start(web(&engine)).until_ready(&["shop-web-1"]);
}

#[test]
fn a_stop_drains_and_then_the_replica_is_gone() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let id = engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1"]);
    let replica = Arc::clone(&discovery.ready()[0]);
    engine.signal(&id, 15);
    discovery.until_known(1);
    assert_eq!(replica.readiness(), Readiness::Draining);
    engine.die(&id);
    discovery.until_known(0);
    assert_eq!(replica.readiness(), Readiness::Gone);
}

#[test]
fn only_the_containers_own_stop_signal_is_a_stop() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let plain = engine.run_silently(replica(1, port.number()));
    let quits = engine.run_silently(replica(2, port.number()).stop_signal("SIGQUIT"));
    let killed = engine.run_silently(replica(3, port.number()).stop_signal("RTMIN+3"));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1", "shop-web-2", "shop-web-3"]);
    until("every container was inspected", || engine.calls().inspects == 3);
    engine.signal(&plain, 1);
    engine.signal(&quits, 15);
    engine.signal(&killed, 9);
    // Events keep their order: once the last has had its effect, the others have had theirs.
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
    engine.signal(&quits, 3);
    discovery.until_ready(&["shop-web-1"]);
}

#[test]
fn a_strange_signal_before_the_inspection_is_judged_after_it() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.answer_inspects_with(Some("{"));
    let id = engine.run_silently(replica(1, port.number()).stop_signal("SIGQUIT"));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1"]);
    until("the inspection failed", || engine.calls().inspects >= 1);
    engine.answer_inspects_with(None);
    engine.signal(&id, 3);
    discovery.until_known(1);
}

#[test]
fn what_survives_its_stop_is_ready_again() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let id = engine.run_silently(replica(1, port.number()).stop_timeout(0));
    let mut settings = web(&engine);
    settings.tuning.stop_margin = Duration::from_millis(50);
    let discovery = Discovery::start(settings);
    discovery.until_ready(&["shop-web-1"]);
    until("its stop timeout is known", || engine.calls().inspects == 1);
    let replica = Arc::clone(&discovery.ready()[0]);
    engine.signal(&id, 15);
    discovery.until_known(1);
    discovery.until_ready(&["shop-web-1"]);
    assert_eq!(discovery.ready()[0].id(), replica.id(), "the process is the same, and so are its connections");
}

#[test]
fn a_paused_replica_is_passed_over_until_it_goes_on() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let id = engine.run_silently(replica(1, port.number()));
    engine.run_silently(replica(2, port.number()));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
    let paused = discovery.ready()[0].id();
    engine.pause(&id);
    discovery.until_ready(&["shop-web-2"]);
    engine.unpause(&id);
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
    assert_eq!(discovery.ready()[0].id(), paused);
}

#[test]
fn a_run_is_no_replica() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let once = |number| replica(number, port.number()).label("com.docker.compose.oneoff", "True");
    engine.run_silently(once(1));
    let discovery = Discovery::start(web(&engine));
    discovery.until_known(0);
    engine.run(once(2));
    engine.run(replica(3, port.number()));
    discovery.until_ready(&["shop-web-3"]);
}

#[test]
fn a_restart_makes_a_new_replica_and_leaves_the_others_alone() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let id = engine.run_silently(replica(1, port.number()));
    engine.run_silently(replica(2, port.number()));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
    let before = discovery.ready();
    engine.signal(&id, 15);
    engine.die(&id);
    engine.start(&id);
    until("the first is another one", || {
        let now = discovery.ready();
        now.len() == 2 && now[0].id() != before[0].id()
    });
    assert_eq!(before[0].readiness(), Readiness::Gone);
    assert!(Arc::ptr_eq(&discovery.ready()[1], &before[1]), "an unchanged replica keeps its identity");
}

#[test]
fn a_lost_kill_or_start_is_found_by_the_reconcile() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let id = engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(web_reconciled(&engine));
    discovery.until_ready(&["shop-web-1"]);
    let kept = discovery.ready();
    engine.run_silently(replica(2, port.number()));
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
    assert!(Arc::ptr_eq(&discovery.ready()[0], &kept[0]));
    engine.forget(&id);
    discovery.until_ready(&["shop-web-2"]);
    assert_eq!(kept[0].readiness(), Readiness::Gone);
}

#[test]
fn a_reconcile_does_not_end_a_drain() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let id = engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(web_reconciled(&engine));
    discovery.until_ready(&["shop-web-1"]);
    engine.signal(&id, 15);
    discovery.until_known(1);
    let lists = engine.calls().lists;
    until("it was listed some more", || engine.calls().lists > lists + 3);
    assert_eq!(discovery.known(), Some(1));
}

#[test]
fn an_old_list_does_not_raise_the_dead() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let id = engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(web_reconciled(&engine));
    discovery.until_ready(&["shop-web-1"]);
    engine.delay_lists(Duration::from_millis(300));
    let lists = engine.calls().lists;
    until("a slow list is on its way", || engine.calls().lists > lists + 1);
    engine.stop(&id);
    discovery.until_known(0);
    let lists = engine.calls().lists;
    until("the slow list has come", || {
        assert_eq!(discovery.known(), Some(0), "it has the container as it was before");
        engine.calls().lists > lists
    });
}

#[test]
fn no_change_costs_more_than_one_inspection() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let ids: Vec<_> = (1..=20).map(|number| engine.run_silently(replica(number, port.number()))).collect();
    let discovery = Discovery::start(web(&engine));
    until("all are ready and inspected", || discovery.ready().len() == 20 && engine.calls().inspects == 20);
    engine.stop(&ids[0]);
    engine.start(&ids[0]);
    engine.pause(&ids[1]);
    engine.unpause(&ids[1]);
    engine.signal(&ids[2], 1);
    engine.rename(&ids[3], "another");
    engine.stop(&ids[4]);
    until("one is gone and the others are ready", || {
        discovery.ready().len() == 19 && !discovery.names().contains(&"shop-web-5".to_owned())
    });
    assert_eq!(engine.calls().inspects, 21, "one for the start");
    assert_eq!(engine.calls().lists, 1);
}
