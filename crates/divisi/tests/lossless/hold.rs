//! No replica at all: requests wait for one, up to a bound.

use std::time::{Duration, Instant};

use crate::caller::Caller;
use crate::engine::engine;
use crate::project::{PLAIN, Project};
use crate::verdict::assert_nothing_failed;
use crate::{alone, load};

#[test]
#[ignore = "takes minutes: cargo test -p divisi --test lossless -- --ignored --nocapture"]
fn scaling_to_nothing_and_back_loses_nothing() {
    let Some(engine) = engine() else { return };
    let _alone = alone();
    let project = Project::new(engine, PLAIN);
    project.scale(3);
    let load = load(&project, 3);
    load.go_on_for(500);
    project.scale(0);
    project.scale(3);
    load.go_on_for(500);
    assert_nothing_failed("scale 3 → 0 → 3", &load.stop());
}

#[test]
#[ignore = "takes minutes: cargo test -p divisi --test lossless -- --ignored --nocapture"]
fn past_the_bound_the_client_is_told() {
    let Some(engine) = engine() else { return };
    let _alone = alone();
    let file = PLAIN.replace("image: <divisi>", "image: <divisi>\n    environment: [DIVISI_HOLD=2s]");
    let project = Project::new(engine, &file);
    project.scale(1);
    let mut caller = Caller::to(project.inner_addr());
    caller.wait_for_a_replica();
    project.scale(0);
    let asked = Instant::now();
    let response = caller.get();
    let waited = asked.elapsed();
    println!("\n== scale to 0, held for 2 s\n   {} after {waited:.2?}: {}", response.status(), response.text().trim());
    assert_eq!(response.status(), 503);
    assert!(response.head.has("retry-after") && response.text().contains("2s (--hold)"), "{response:?}");
    assert!(waited >= Duration::from_secs(2) && waited < Duration::from_secs(4), "{waited:?}");
    project.scale(1);
    caller.wait_for_a_replica();
}
