//! The engine goes away and comes back.

use std::time::{Duration, Instant};

use divisi_testkit::engine::FakeContainer;

use crate::caller::until;
use crate::stage::Stage;
use crate::verdict::assert_failed_only_if_acted_on;

#[test]
fn the_engine_can_go_away() {
    let mut stage = Stage::new(5, &[], &[]);
    let load = stage.load();
    stage.engine.go_away();
    load.go_on_for(600);
    // One ends and one starts, and nobody says so.
    let mut ended = stage.replicas.remove(0);
    ended.kill_silently();
    stage.engine.forget(&ended.id);
    let started = stage.create(&[]);
    stage.engine.change_silently(&started.id, FakeContainer::set_running);
    load.go_on_for(600);
    stage.engine.listen();
    let back = Instant::now();
    let mut caller = stage.caller();
    until("the replica that started meanwhile answers", || caller.names(1).contains(&started.name));
    let seen = back.elapsed();
    load.go_on_for(200);
    assert_failed_only_if_acted_on("no engine, one killed and one started meanwhile", &load.stop());
    println!("   seen {seen:.2?} after the engine's return");
    assert!(seen < Duration::from_secs(1), "{seen:?}\n{}", stage.divisi.log());
}
