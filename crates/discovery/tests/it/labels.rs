//! Labels of containers, from the engine's answers to the snapshot; and services without containers.

use std::sync::Arc;
use std::time::Duration;

use divisi_model::spec::{Affinity, Question};
use divisi_model::{Health, Spec};
use divisi_testkit::engine::{FakeContainer, FakeEngine};

use crate::harness::{Discovery, Port, replica, until, web, web_reconciled};

impl Discovery {
    fn spec(&self) -> Arc<Spec> {
        let snapshot = self.published.load();
        snapshot.route().map(|service| Arc::clone(service.spec())).unwrap_or_default()
    }

    fn is_forgotten(&self) -> bool {
        self.published.load().route().is_ok_and(|service| service.is_forgotten())
    }
}

fn draining(number: u32, port: &Port, created: u64, drain: &str) -> FakeContainer {
    replica(number, port.number()).created(created).label("divisi.drain", drain)
}

#[test]
fn labels_are_read_from_lists_and_from_inspections() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let labelled = |number| {
        let container = replica(number, port.number()).label("divisi.sticky", "true").label("divisi.health", "/up");
        container.label("divisi.drain", "not a duration").label("divisi.weight", "3")
    };
    let listed = engine.run_silently(labelled(1));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1"]);
    let check = |discovery: &Discovery, number: u32| {
        let spec = discovery.spec();
        assert!(matches!(&spec.affinity, Affinity::Cookie(name) if &**name == "divisi"));
        assert_eq!((spec.check.question.clone(), spec.drain), (Question::Http("/up".into()), Spec::default().drain));
        let replica = &discovery.ready()[0];
        assert!(replica.token().starts_with(&format!("web.{number}.")), "{}", replica.token());
        assert_eq!(replica.health(), Health::Down, "it is to be checked first");
    };
    check(&discovery, 1);
    engine.stop(&listed);
    discovery.until_known(0);
    engine.run(labelled(2));
    discovery.until_ready(&["shop-web-2"]);
    check(&discovery, 2);
}

/// As with `docker compose up` after a change of labels: two sets of them exist at once.
#[test]
fn a_rolling_change_of_labels_loses_nobody_and_ends_with_the_new_ones() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let old: Vec<_> = (1..=3).map(|number| engine.run_silently(draining(number, &port, 1_700_000_000, "1s"))).collect();
    let discovery = Discovery::start(web_reconciled(&engine));
    until("all are ready", || discovery.ready().len() == 3);
    assert_eq!(discovery.spec().drain.as_secs(), 1);
    let state = Arc::clone(discovery.published.load().route().expect("routed").state());
    for (number, id) in (1..).zip(&old) {
        engine.run(draining(10 + number, &port, 1_700_000_100, "2s"));
        until("the new one is ready", || discovery.ready().len() == 4);
        assert_eq!(discovery.spec().drain.as_secs(), 2);
        engine.stop(id);
        until("the old one is gone", || discovery.ready().len() == 3);
        assert_eq!(discovery.spec().drain.as_secs(), 2);
    }
    assert!(Arc::ptr_eq(discovery.published.load().route().expect("routed").state(), &state));
}

#[test]
fn an_old_container_that_is_started_again_changes_no_label() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let old = engine.run_silently(draining(1, &port, 1_700_000_000, "1s"));
    engine.run_silently(draining(2, &port, 1_700_000_100, "2s"));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
    let before = discovery.ready()[0].id();
    engine.stop(&old);
    engine.start(&old);
    until("it is back", || discovery.ready().len() == 2 && discovery.ready()[0].id() != before);
    assert_eq!(discovery.spec().drain.as_secs(), 2);
}

#[test]
fn a_service_without_containers_is_forgotten_in_time_and_found_again() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let mut settings = web(&engine);
    settings.tuning.forget = Duration::from_millis(100);
    let discovery = Discovery::start(settings);
    discovery.until_known(0);
    until("it is forgotten that never was", || discovery.is_forgotten());
    let id = engine.run(replica(1, port.number()));
    discovery.until_ready(&["shop-web-1"]);
    assert!(!discovery.is_forgotten());
    engine.stop(&id);
    discovery.until_known(0);
    until("it is forgotten again", || discovery.is_forgotten());
    engine.start(&id);
    discovery.until_ready(&["shop-web-1"]);
    assert!(!discovery.is_forgotten());
}

#[test]
fn a_number_that_is_away_for_a_moment_is_expected() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let id = engine.run_silently(replica(7, port.number()));
    let mut settings = web(&engine);
    settings.tuning.absence = Duration::from_millis(300);
    let discovery = Discovery::start(settings);
    let expects = |number| discovery.published.load().route().is_ok_and(|service| service.expects(number));
    discovery.until_ready(&["shop-web-7"]);
    assert!(expects(7) && !expects(1));
    engine.stop(&id);
    discovery.until_known(0);
    assert!(expects(7));
    until("it is not expected any more", || !expects(7));
}
