//! What the engine can do to us: be away, be slow, be wrong.

use std::sync::Arc;
use std::time::Duration;

use divisi_testkit::engine::FakeEngine;

use crate::harness::{Discovery, Port, replica, until, web, web_reconciled};

#[test]
fn an_engine_that_comes_late_is_found() {
    let (mut engine, port) = (FakeEngine::unreachable(), Port::open());
    let discovery = Discovery::start(web(&engine));
    discovery.until_reason("cannot reach the Docker engine at unix://");
    assert!(discovery.reason().contains("mount the socket with"), "{}", discovery.reason());
    engine.run_silently(replica(1, port.number()));
    engine.listen();
    discovery.until_ready(&["shop-web-1"]);
}

#[test]
fn without_the_engine_the_last_snapshot_stays_and_probes_go_on() {
    let (mut engine, port, late) = (FakeEngine::new(), Port::open(), Port::closed());
    engine.run_silently(replica(1, port.number()));
    engine.run_silently(replica(2, late.number()));
    let gone = engine.run_silently(replica(3, port.number()));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1", "shop-web-3"]);
    let kept = Arc::clone(&discovery.ready()[0]);
    engine.go_away();
    late.listen();
    discovery.until_ready(&["shop-web-1", "shop-web-2", "shop-web-3"]);
    engine.forget(&gone);
    engine.run_silently(replica(4, port.number()));
    engine.listen();
    discovery.until_ready(&["shop-web-1", "shop-web-2", "shop-web-4"]);
    assert!(Arc::ptr_eq(&discovery.ready()[0], &kept));
}

#[test]
fn without_the_engine_a_replica_that_refuses_gets_no_requests() {
    let (mut engine, port, dying) = (FakeEngine::new(), Port::open(), Port::open());
    engine.run_silently(replica(1, port.number()));
    engine.run_silently(replica(2, dying.number()));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
    engine.go_away();
    dying.refuse();
    discovery.until_ready(&["shop-web-1"]);
}

#[test]
fn a_cut_event_stream_is_taken_up_again() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let discovery = Discovery::start(web(&engine));
    discovery.until_known(0);
    for number in 1..=3 {
        engine.cut_events();
        engine.run(replica(number, port.number()));
        until("it is ready", || discovery.ready().len() == number as usize);
    }
}

#[test]
fn nonsense_among_the_events_is_survived() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let discovery = Discovery::start(web(&engine));
    discovery.until_known(0);
    engine.emit_raw("{}\n{\"Type\":\"container\"}\n{\"Type\":7}\n{\"Type\":\"container\",\"Action\":\"kill\"}\n");
    engine.run(replica(1, port.number()));
    discovery.until_ready(&["shop-web-1"]);
    engine.emit_raw([0xff, 0xfe, b'\n']);
    engine.run(replica(2, port.number()));
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
}

#[test]
fn failing_lists_leave_everything_as_it_is() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(web_reconciled(&engine));
    discovery.until_ready(&["shop-web-1"]);
    engine.fail_lists(true);
    let lists = engine.calls().lists;
    until("lists have failed often enough for a new link", || {
        assert_eq!(discovery.names(), ["shop-web-1"]);
        engine.calls().lists > lists + 5
    });
    engine.fail_lists(false);
    engine.run_silently(replica(2, port.number()));
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
}

#[test]
fn a_first_list_that_fails_is_said_and_made_up_for() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.fail_lists(true);
    engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(web_reconciled(&engine));
    discovery.until_reason("lists no containers");
    engine.fail_lists(false);
    discovery.until_ready(&["shop-web-1"]);
}

#[test]
fn a_list_that_never_comes_is_given_up() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.run_silently(replica(1, port.number()));
    let mut settings = web_reconciled(&engine);
    settings.tuning.answer_timeout = Duration::from_millis(100);
    let discovery = Discovery::start(settings);
    discovery.until_ready(&["shop-web-1"]);
    engine.delay_lists(Duration::from_secs(3600));
    let lists = engine.calls().lists;
    until("it was asked for again", || engine.calls().lists > lists + 2);
    assert_eq!(discovery.names(), ["shop-web-1"]);
    engine.delay_lists(Duration::ZERO);
    engine.run_silently(replica(2, port.number()));
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
}

#[test]
fn a_container_that_vanishes_before_its_inspection_is_forgotten() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let discovery = Discovery::start(web_reconciled(&engine));
    discovery.until_known(0);
    for number in 1..=20 {
        let id = engine.run(replica(number, port.number()));
        // Where the inspection is faster than this, the reconcile finds it.
        engine.forget(&id);
    }
    engine.run(replica(21, port.number()));
    discovery.until_ready(&["shop-web-21"]);
}

#[test]
fn inspections_that_say_nonsense_are_made_up_for_by_the_list() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let discovery = Discovery::start(web(&engine));
    discovery.until_known(0);
    for nonsense in ["", "{", "[]", "{\"Id\":7}", "{\"Id\":\"x\",\"State\":{\"Running\":\"perhaps\"}}"] {
        engine.answer_inspects_with(Some(nonsense));
        let id = engine.run(replica(1, port.number()));
        discovery.until_ready(&["shop-web-1"]);
        engine.stop(&id);
        engine.destroy(&id);
        discovery.until_known(0);
    }
}

#[test]
fn an_engine_that_refuses_old_versions_is_spoken_to_in_a_new_one() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.refuse_below(41);
    engine.run_silently(replica(1, port.number()));
    Discovery::start(web(&engine)).until_ready(&["shop-web-1"]);
}

#[test]
fn more_events_than_fit_lead_to_another_list() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let mut settings = web(&engine);
    settings.tuning.event_queue = 1;
    let discovery = Discovery::start(settings);
    discovery.until_known(0);
    // Slow enough for events to be dropped while a list is on its way that does not have them.
    engine.delay_lists(Duration::from_millis(50));
    let ids: Vec<_> = (1..=200).map(|number| engine.run(replica(number, port.number()))).collect();
    until("all are ready", || discovery.ready().len() == ids.len());
    for id in &ids {
        engine.stop(id);
    }
    discovery.until_known(0);
}
