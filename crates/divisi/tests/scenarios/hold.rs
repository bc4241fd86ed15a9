//! No replica at all: requests wait for one, up to a bound.

use std::time::{Duration, Instant};

use crate::stage::Stage;
use crate::verdict::assert_nothing_failed;

#[test]
fn scaling_to_nothing_and_back_loses_nothing() {
    let mut stage = Stage::new(3, &[], &[]);
    let load = stage.load();
    stage.scale(0);
    stage.scale(3);
    load.go_on_for(200);
    assert_nothing_failed("scale 3 → 0 → 3", &load.stop());
}

#[test]
fn past_the_bound_the_client_is_told() {
    let mut stage = Stage::new(1, &[], &[("DIVISI_HOLD", "1s")]);
    let mut caller = stage.caller();
    stage.scale(0);
    let asked = Instant::now();
    let response = caller.get();
    let waited = asked.elapsed();
    println!("\n== scale to 0, held for 1 s\n   {} after {waited:.2?}: {}", response.status(), response.text().trim());
    assert_eq!(response.status(), 503);
    assert!(response.head.has("retry-after") && response.text().contains("1s (--hold)"), "{response:?}");
    assert!(waited >= Duration::from_secs(1) && waited < Duration::from_secs(3), "{waited:?}");
    stage.scale(1);
    caller.wait_for_a_replica();
}
