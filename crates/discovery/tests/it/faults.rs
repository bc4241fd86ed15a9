//! Events that come late, twice, in another order or not at all; answers that are not what the API promises; a daemon that
//! is restarted. Whatever happens, the last good snapshot serves, and all is well soon after.

use std::sync::Arc;
use std::time::{Duration, Instant};

use divisi_discovery::Tuning;
use divisi_model::Readiness;
use divisi_testkit::engine::{FakeContainer, FakeEngine};
use serde_json::{Value, json};

use crate::harness::{Discovery, Port, replica, until, web, web_reconciled};

/// An entry of a list that is not what the API promises, about a container that runs.
fn wrong_entry(name: &str) -> Value {
    let labels = json!({ "com.docker.compose.project": "shop", "com.docker.compose.service": "web" });
    json!({ "Id": name, "Names": [format!("/{name}")], "State": 7, "Labels": labels })
}

fn restart_silently(engine: &FakeEngine, id: &str) {
    engine.change_silently(id, FakeContainer::set_ended);
    engine.change_silently(id, FakeContainer::set_running);
}

/// With the pauses that an untouched divisi makes.
#[test]
fn what_changed_while_the_engine_was_away_is_seen_within_a_second_of_its_return() {
    let (mut engine, port) = (FakeEngine::new(), Port::open());
    let stays = engine.run_silently(replica(1, port.number()));
    let goes = engine.run_silently(replica(2, port.number()));
    let mut settings = web(&engine);
    settings.tuning = Tuning::default();
    assert!(
        settings.tuning.backoff_most <= Duration::from_millis(500),
        "an attempt, a list and a probe fit into a second"
    );
    let discovery = Discovery::start(settings);
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
    let kept = discovery.ready();
    let mut worst = Duration::ZERO;
    for round in 0..2_u32 {
        engine.go_away();
        // Long enough for the pauses between two attempts to have become as long as they become.
        std::thread::sleep(Duration::from_secs(1));
        assert!(Arc::ptr_eq(&discovery.ready()[0], &kept[0]), "the last good snapshot serves");
        engine.forget(&goes);
        let new = engine.run_silently(replica(10 + round, port.number()));
        engine.forget_history();
        engine.listen();
        let back = Instant::now();
        let expected = ["shop-web-1".to_owned(), format!("shop-web-{}", 10 + round)];
        until("the changes are seen", || discovery.names() == expected);
        worst = worst.max(back.elapsed());
        engine.forget(&new);
    }
    println!("seen {worst:?} after the return at worst");
    assert!(worst < Duration::from_secs(1), "seen {worst:?} after the engine's return");
    assert!(Arc::ptr_eq(&discovery.ready()[0], &kept[0]));
    engine.forget(&stays);
}

#[test]
fn a_daemon_that_is_restarted_with_its_containers_is_followed_again() {
    let (mut engine, port) = (FakeEngine::new(), Port::open());
    let ids: Vec<_> = (1..=3).map(|number| engine.run_silently(replica(number, port.number()))).collect();
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1", "shop-web-2", "shop-web-3"]);
    engine.go_away();
    // One has another address now, one has not come back.
    engine.change_silently(&ids[0], |container| container.set_network("shop_default", "127.9.0.1"));
    restart_silently(&engine, &ids[1]);
    engine.change_silently(&ids[2], FakeContainer::set_ended);
    engine.forget_history();
    engine.listen();
    until("the new address is taken", || {
        let ready = discovery.ready();
        ready.len() == 2 && ready[0].authority().starts_with("127.9.0.1:")
    });
    engine.start(&ids[2]);
    discovery.until_ready(&["shop-web-1", "shop-web-2", "shop-web-3"]);
}

#[test]
fn a_container_that_restarts_is_a_fresh_replica_however_it_is_restarted() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let id = engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1"]);
    let by_hand: fn(&FakeEngine, &str) = FakeEngine::stop;
    let by_policy: fn(&FakeEngine, &str) = FakeEngine::die;
    let unnoticed: fn(&FakeEngine, &str) = |_, _| {};
    for ends in [by_hand, by_policy, unnoticed] {
        let before = Arc::clone(&discovery.ready()[0]);
        ends(&engine, &id);
        engine.start(&id);
        until("it is another replica", || discovery.ready().first().is_some_and(|now| now.id() != before.id()));
        assert_eq!(before.readiness(), Readiness::Gone);
    }
}

#[test]
fn events_that_come_twice_change_nothing() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let first = engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1"]);
    engine.hold_events();
    engine.stop(&first);
    engine.start(&first);
    engine.run(replica(2, port.number()));
    engine.release_events(|count| (0..count).collect());
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
    let kept = discovery.ready();
    // Everything once more, and a marker after it.
    engine.hold_events();
    engine.stop(&first);
    engine.start(&first);
    engine.run(replica(3, port.number()));
    engine.release_events(|count| (0..count).chain(0..count).chain(0..count).collect());
    discovery.until_ready(&["shop-web-1", "shop-web-2", "shop-web-3"]);
    assert!(Arc::ptr_eq(&discovery.ready()[1], &kept[1]), "nothing happened to it");
    let settled = discovery.ready();
    std::thread::sleep(Duration::from_millis(50));
    let ids = |ready: &[Arc<divisi_model::Replica>]| ready.iter().map(|one| one.id()).collect::<Vec<_>>();
    assert_eq!(ids(&discovery.ready()), ids(&settled));
}

#[test]
fn events_that_come_late_do_not_undo_what_a_list_has_told() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let first = engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(web_reconciled(&engine));
    discovery.until_ready(&["shop-web-1"]);
    engine.hold_events();
    engine.run(replica(2, port.number()));
    engine.die(&first);
    discovery.until_ready(&["shop-web-2"]);
    until("everything was inspected", || engine.calls().inspects >= 2);
    // Asked is not answered; two lists later it is.
    let lists = engine.calls().lists;
    until("two more lists were asked for", || engine.calls().lists >= lists + 2);
    let kept = discovery.ready();
    engine.release_events(|count| (0..count).collect());
    engine.run(replica(3, port.number()));
    discovery.until_ready(&["shop-web-2", "shop-web-3"]);
    assert!(Arc::ptr_eq(&discovery.ready()[0], &kept[0]));
}

/// Whatever becomes of the events: some time after it is over, the ready replicas are those that run.
#[test]
fn any_disorder_ends_in_the_truth() {
    let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8) | 1;
    println!("seed {seed}");
    let mut random = Random(seed);
    let (mut engine, port) = (FakeEngine::new(), Port::open());
    let made = |number| replica(number, port.number()).stop_timeout(0);
    let ids: Vec<_> = (1..=5).map(|number| engine.run_silently(made(number))).collect();
    let mut settings = web_reconciled(&engine);
    settings.tuning.stop_margin = Duration::from_millis(50);
    settings.tuning.answer_timeout = Duration::from_millis(100);
    settings.tuning.recheck = Duration::from_millis(20);
    let discovery = Discovery::start(settings);
    for round in 0..30 {
        engine.hold_events();
        let mut runs = [true; 5];
        for _ in 0..random.below(12) {
            let at = random.below(ids.len());
            runs[at] = disturb(&engine, &ids[at], &mut random);
        }
        match random.below(6) {
            0 => engine.cut_events(),
            1 => engine.go_away(),
            2 => engine.hang(true),
            3 => engine.fail_lists(true),
            4 => engine.answer_lists_with(Some("[{\"Id\":7}]")),
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(random.below(30) as u64));
        // Some are lost, some come twice, and all in any order.
        engine.release_events(|count| (0..random.below(2 * count + 1)).map(|_| random.below(count.max(1))).collect());
        engine.hang(false);
        engine.fail_lists(false);
        engine.answer_lists_with(None);
        engine.listen();
        for (id, runs) in ids.iter().zip(runs) {
            engine.change_silently(id, |container| {
                container.set_ended();
                if runs {
                    container.set_running();
                }
            });
        }
        let running = (1..).zip(runs).filter(|(_, runs)| *runs).map(|(number, _)| format!("shop-web-{number}"));
        let expected: Vec<_> = running.collect();
        until(&format!("round {round} of seed {seed} ends with {expected:?}"), || discovery.names() == expected);
    }
}

/// Does something to a container; tells whether it runs after that.
fn disturb(engine: &FakeEngine, id: &str, random: &mut Random) -> bool {
    match random.below(6) {
        0 => {
            engine.stop(id);
            return false;
        }
        1 => {
            engine.die(id);
            return false;
        }
        2 => engine.signal(id, 15),
        3 => engine.start(id),
        4 => {
            engine.stop(id);
            engine.start(id);
        }
        _ => {
            engine.start(id);
            engine.pause(id);
            engine.unpause(id);
        }
    }
    true
}

/// Marsaglia's xorshift: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).expect("less than a usize")
    }
}

#[test]
fn an_engine_that_hangs_is_asked_again() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.hang(true);
    engine.run_silently(replica(1, port.number()));
    let mut settings = web_reconciled(&engine);
    settings.tuning.answer_timeout = Duration::from_millis(100);
    let discovery = Discovery::start(settings);
    discovery.until_reason("no answer within 0.1 s");
    engine.hang(false);
    discovery.until_ready(&["shop-web-1"]);
    engine.hang(true);
    engine.cut_events();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(discovery.names(), ["shop-web-1"]);
    engine.hang(false);
    engine.run(replica(2, port.number()));
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
}

#[test]
fn an_engine_that_says_nothing_before_the_first_event_is_followed() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.send_heads_late();
    engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1"]);
    engine.run(replica(2, port.number()));
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
}

#[test]
fn lists_that_say_nonsense_leave_everything_as_it_is() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(web_reconciled(&engine));
    discovery.until_ready(&["shop-web-1"]);
    let kept = Arc::clone(&discovery.ready()[0]);
    let deep = "[".repeat(100_000);
    for nonsense in ["", "[", "{}", "null", "[7]", "[{\"Id\":7}]", "[{\"Id\":\"a\"},", "\u{1}\u{fffd}", &deep] {
        engine.answer_lists_with(Some(nonsense));
        let lists = engine.calls().lists;
        until("it was asked for again", || engine.calls().lists > lists + 1);
        assert_eq!(discovery.names(), ["shop-web-1"], "{nonsense:.20}");
    }
    engine.answer_lists_with(None);
    engine.run_silently(replica(2, port.number()));
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
    assert!(Arc::ptr_eq(&discovery.ready()[0], &kept));
}

#[test]
fn one_entry_that_cannot_be_read_loses_only_itself() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.run_silently(replica(1, port.number()));
    engine.run_silently(replica(2, port.number()).listed_as(wrong_entry("shop-web-2")));
    let known = engine.run_silently(replica(3, port.number()));
    let discovery = Discovery::start(web_reconciled(&engine));
    discovery.until_ready(&["shop-web-1", "shop-web-3"]);
    let kept = Arc::clone(&discovery.ready()[1]);
    engine.change_silently(&known, |container| *container = container.clone().listed_as(wrong_entry(&known)));
    let lists = engine.calls().lists;
    until("it was listed some more", || engine.calls().lists > lists + 3);
    assert!(Arc::ptr_eq(&discovery.ready()[1], &kept), "what is known of it stays");
    engine.die(&known);
    discovery.until_ready(&["shop-web-1"]);
}

#[test]
fn a_container_that_vanishes_between_list_and_inspection_harms_nobody() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(web_reconciled(&engine));
    discovery.until_ready(&["shop-web-1"]);
    let kept = Arc::clone(&discovery.ready()[0]);
    let inspects = engine.calls().inspects;
    let vanishing = engine.run_silently(replica(2, port.number()).vanishing());
    until("it was inspected in vain", || engine.calls().inspects > inspects + 3);
    engine.forget(&vanishing);
    discovery.until_ready(&["shop-web-1"]);
    assert!(Arc::ptr_eq(&discovery.ready()[0], &kept));
}

#[test]
fn an_inspection_of_any_length_is_survived() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let discovery = Discovery::start(web(&engine));
    discovery.until_known(0);
    let long = format!("{{\"Id\":\"{}\"}}", "x".repeat(5 * 1024 * 1024));
    engine.answer_inspects_with(Some(&long));
    engine.run(replica(1, port.number()));
    discovery.until_ready(&["shop-web-1"]);
}

#[test]
fn an_event_of_any_length_is_survived() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    engine.run_silently(replica(1, port.number()));
    let discovery = Discovery::start(web(&engine));
    discovery.until_ready(&["shop-web-1"]);
    let subscriptions = engine.calls().events;
    engine.emit_raw("x".repeat(3 * 1024 * 1024));
    until("the link was made anew", || engine.calls().events > subscriptions);
    engine.run(replica(2, port.number()));
    discovery.until_ready(&["shop-web-1", "shop-web-2"]);
}

#[test]
fn an_event_that_cannot_be_read_leads_to_a_list() {
    let (engine, port) = (FakeEngine::new(), Port::open());
    let discovery = Discovery::start(web(&engine));
    discovery.until_known(0);
    let subscriptions = engine.calls().events;
    for (number, nonsense) in
        (1..).zip(["{", "{\"Type\":\"container\",\"Actor\":{\"Attributes\":{\"x\":1}}}", "\u{1}", "7"])
    {
        engine.run_silently(replica(number, port.number()));
        engine.emit_raw(format!("{nonsense}\n"));
        until("what it may have told is found", || discovery.ready().len() == number as usize);
    }
    assert_eq!(engine.calls().events, subscriptions, "the link is as good as before");
}
