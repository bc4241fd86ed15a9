//! Replicas that are killed without a word.

use crate::stage::Stage;
use crate::verdict::assert_failed_only_if_acted_on;

const REPLICAS: usize = 5;

#[test]
fn kill_after_kill_loses_no_get() {
    let mut stage = Stage::new(REPLICAS, &["--delay", "5ms"], &[]);
    let load = stage.load();
    for round in 0..2 * REPLICAS {
        stage.kill_and_start(round % REPLICAS);
        load.go_on_for(100);
    }
    assert_failed_only_if_acted_on("SIGKILL for one of five, ten times", &load.stop());
}
