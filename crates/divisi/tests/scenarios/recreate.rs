//! Every replica is replaced. To divisi a new image and a new label are just this: other containers.

use divisi_testkit::load::Report;

use crate::stage::Stage;
use crate::verdict::{assert_failed_only_if_acted_on, assert_nothing_failed};

/// Replaces so many replicas that take half a second to start and this to end.
fn recreate(replicas: usize, on_term: &'static str) -> Report {
    // An answer takes a while, so that some are always being made when the end comes.
    let mut stage = Stage::new(replicas, &["--startup-delay", "500ms", "--delay", "5ms", "--on-term", on_term], &[]);
    let load = stage.load();
    stage.recreate();
    stage.caller().wait_for_replicas(replicas);
    load.go_on_for(200);
    load.stop()
}

#[test]
fn replacing_the_only_replica_loses_nothing() {
    assert_nothing_failed("recreate one of one, finishes what it began", &recreate(1, "graceful"));
}

#[test]
fn replacing_the_only_replica_loses_nothing_but_what_that_drops() {
    assert_failed_only_if_acted_on("recreate one of one, drops what it began", &recreate(1, "exit"));
}

#[test]
fn replacing_five_replicas_loses_nothing() {
    assert_nothing_failed("recreate five of five, finish what they began", &recreate(5, "graceful"));
}

#[test]
fn replacing_five_replicas_loses_nothing_but_what_those_drop() {
    assert_failed_only_if_acted_on("recreate five of five, drop what they began", &recreate(5, "exit"));
}
