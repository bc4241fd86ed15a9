//! One replica of five is ill: what does that cost?

use std::time::Duration;

use divisi_testkit::load::Report;

use crate::caller::until;
use crate::stage::Stage;
use crate::verdict::{ILLNESSES, assert_hardly_felt, say};

const HEALTHY: usize = 4;
const REQUESTS: usize = 1500;
/// Other tests start and stop processes beside this one. A hanging replica would cost ten times as much.
const NOISE: Duration = Duration::from_millis(50);
/// When a silence is called one; by default only after a minute.
const SILENCE: (&str, &str) = ("DIVISI_RESPONSE_TIMEOUT", "500ms");

/// A load before and while there is a fifth replica with that fault.
fn measure(stage: &mut Stage, illness: &'static str) -> Report {
    let load = stage.load();
    let is_frozen = illness == "frozen";
    let mut fifth = stage.create(&["--fault", if is_frozen { "none" } else { illness }]);
    stage.engine.start(&fifth.id);
    until("divisi has taken the fifth in", || stage.divisi.log().contains(&format!("replica {} is ready", fifth.name)));
    if is_frozen {
        load.go_on_for(100);
        fifth.process.signal("STOP");
    }
    load.go_on_for(REQUESTS);
    let report = load.stop();
    fifth.kill(&stage.engine);
    report
}

#[test]
fn an_ill_replica_is_hardly_felt() {
    let mut stage = Stage::new(HEALTHY, &[], &[SILENCE]);
    // The first second is told as a sum, and after it every replica by its name.
    until("divisi has told of the first four", || stage.divisi.log().contains("more changes of replicas"));
    let healthy = measure(&mut stage, "none");
    say("five of five are well", &healthy);
    assert_eq!(healthy.failed(), 0, "{healthy}");
    for (illness, least) in ILLNESSES {
        assert_hardly_felt(illness, *least, &measure(&mut stage, illness), &healthy, NOISE);
    }
}
