//! Every replica of the service replaced under load.

use divisi_testkit::load::Report;

use crate::engine::{Engine, engine};
use crate::project::{PLAIN, Project};
use crate::verdict::{assert_failed_only_if_acted_on, assert_nothing_failed};
use crate::{alone, load};

/// The plain project with replicas that take two seconds to start and this to end.
fn slow_to_start(on_term: &str) -> String {
    // An answer takes a while, so that some are always being made when the end comes.
    let command = format!("image: <echo>\n    command: --startup-delay 2s --delay 5ms --on-term {on_term}");
    PLAIN.replace("image: <echo>", &command)
}

/// Replaces so many replicas with new ones: those of `next`, if that is another file, and else forcibly.
fn replace(engine: &Engine, replicas: usize, file: &str, next: &str) -> Report {
    let project = Project::new(engine, file);
    project.scale(replicas);
    let load = load(&project, replicas);
    load.go_on_for(500);
    let before = project.containers("echo");
    project.write(next);
    let scale = format!("echo={replicas}");
    let mut words = vec!["up", "-d", "--no-deps", "--scale", &scale];
    if file == next {
        words.push("--force-recreate");
    }
    words.push("echo");
    project.compose(&words);
    let after = project.containers("echo");
    assert!(after.len() == replicas && after.iter().all(|id| !before.contains(id)), "{before:?} {after:?}");
    load.go_on_for(1000);
    load.stop()
}

#[test]
#[ignore = "takes minutes: cargo test -p divisi --test lossless -- --ignored --nocapture"]
fn replacing_the_only_replica_loses_nothing() {
    let Some(engine) = engine() else { return };
    let _alone = alone();
    let file = slow_to_start("graceful");
    let report = replace(engine, 1, &file, &file);
    assert_nothing_failed("recreate one of one, 2 s to start, finishes what it began", &report);
}

#[test]
#[ignore = "takes minutes: cargo test -p divisi --test lossless -- --ignored --nocapture"]
fn replacing_the_only_replica_loses_nothing_but_what_that_drops() {
    let Some(engine) = engine() else { return };
    let _alone = alone();
    let file = slow_to_start("exit");
    let report = replace(engine, 1, &file, &file);
    assert_failed_only_if_acted_on("recreate one of one, 2 s to start, drops what it began", &report);
}

#[test]
#[ignore = "takes minutes: cargo test -p divisi --test lossless -- --ignored --nocapture"]
fn replacing_five_replicas_loses_nothing() {
    let Some(engine) = engine() else { return };
    let _alone = alone();
    let file = slow_to_start("graceful");
    let report = replace(engine, 5, &file, &file);
    assert_nothing_failed("recreate five of five, 2 s to start, finish what they began", &report);
    let file = slow_to_start("exit");
    let report = replace(engine, 5, &file, &file);
    assert_failed_only_if_acted_on("recreate five of five, 2 s to start, drop what they began", &report);
}

#[test]
#[ignore = "takes minutes: cargo test -p divisi --test lossless -- --ignored --nocapture"]
fn a_new_image_and_a_new_label_lose_nothing() {
    let Some(engine) = engine() else { return };
    let _alone = alone();
    let file = slow_to_start("graceful");
    let report = replace(engine, 5, &file, &file.replace("<echo>", "<next>"));
    assert_nothing_failed("a new image for five", &report);
    let report = replace(engine, 5, &file, &file.replace("<echo>", "<echo>\n    labels: [release=next]"));
    assert_nothing_failed("a new label for five", &report);
}
