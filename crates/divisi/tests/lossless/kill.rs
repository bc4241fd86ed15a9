//! Replicas that are killed without a word.

use std::thread;
use std::time::{Duration, Instant};

use crate::engine::engine;
use crate::project::{PLAIN, Project};
use crate::verdict::assert_failed_only_if_acted_on;
use crate::{alone, load};

const REPLICAS: usize = 5;
const ROUNDS: usize = 10;
const PERIOD: Duration = Duration::from_secs(1);

#[test]
#[ignore = "takes minutes: cargo test -p divisi --test lossless -- --ignored --nocapture"]
fn a_kill_every_second_loses_no_get() {
    let Some(engine) = engine() else { return };
    let _alone = alone();
    let project = Project::new(engine, &PLAIN.replace("image: <echo>", "image: <echo>\n    command: --delay 5ms"));
    project.scale(REPLICAS);
    let load = load(&project, REPLICAS);
    let containers = project.containers("echo");
    for round in 0..ROUNDS {
        let began = Instant::now();
        let victim = &containers[round % REPLICAS];
        engine.docker(&["kill", "--signal", "KILL", victim]);
        engine.docker(&["start", victim]);
        // The pace is the scenario's own; nothing is waited for.
        thread::sleep(PERIOD.saturating_sub(began.elapsed()));
    }
    load.go_on_for(500);
    assert_failed_only_if_acted_on("SIGKILL for one of five every second", &load.stop());
}
