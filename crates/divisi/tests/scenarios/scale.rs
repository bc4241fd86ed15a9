//! Replicas come and go.

use crate::stage::Stage;
use crate::verdict::assert_nothing_failed;

#[test]
fn scaling_loses_nothing() {
    let mut stage = Stage::new(2, &[], &[]);
    let load = stage.load();
    for count in [10, 1, 6] {
        stage.scale(count);
        stage.caller().wait_for_replicas(count);
        load.go_on_for(200);
    }
    assert_nothing_failed("scale 2 → 10 → 1 → 6", &load.stop());
}
