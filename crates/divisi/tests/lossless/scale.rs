//! `--scale` up and down under load.

use crate::caller::Caller;
use crate::engine::engine;
use crate::project::{PLAIN, Project};
use crate::verdict::assert_nothing_failed;
use crate::{alone, load};

#[test]
#[ignore = "takes minutes: cargo test -p divisi --test lossless -- --ignored --nocapture"]
fn scaling_loses_nothing() {
    let Some(engine) = engine() else { return };
    let _alone = alone();
    let project = Project::new(engine, PLAIN);
    project.scale(2);
    let load = load(&project, 2);
    for count in [10, 1, 6] {
        project.scale(count);
        Caller::to(project.inner_addr()).wait_for_replicas(count);
        load.go_on_for(500);
    }
    assert_nothing_failed("scale 2 → 10 → 1 → 6", &load.stop());
}
