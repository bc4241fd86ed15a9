//! What a scenario says and asserts about its counts.

#![allow(dead_code, reason = "each test program uses its part")]

use std::time::Duration;

use divisi_testkit::load::Report;

/// How divisi tells a client that a replica may have acted on its request.
const MAY_HAVE_ACTED: &str = "502 \"divisi: the replica closed the connection without a response";

/// Prints what was counted.
pub(crate) fn say(scenario: &str, report: &Report) {
    println!("\n== {scenario}\n{report}");
}

/// Not one request may have failed.
pub(crate) fn assert_nothing_failed(scenario: &str, report: &Report) {
    say(scenario, report);
    assert_eq!(report.failed(), 0, "{scenario}");
}

/// Only a POST may have failed, and only because its replica ended after it had got it: whether it acted on it nobody
/// knows, so it must not be sent again.
pub(crate) fn assert_failed_only_if_acted_on(scenario: &str, report: &Report) {
    say(scenario, report);
    let acted_on = report.posts.failed_with(MAY_HAVE_ACTED);
    println!("   POSTs that a replica had got when it ended, and may have acted on: {acted_on}");
    assert_eq!((report.gets.failed(), report.posts.failed()), (0, acted_on), "{scenario}: failed GETs and POSTs");
}

/// What can be wrong with one replica of five, and the share of requests that must succeed all the same.
///
/// An error or a silence is taken for what it is after a few requests. A replica that drops every other request is not found
/// out so soon; its GETs are asked again elsewhere, its POSTs must not be.
pub(crate) const ILLNESSES: &[(&str, f64)] = &[("error", 0.99), ("close", 0.97), ("silent", 0.99), ("frozen", 0.99)];

/// An ill replica must cost hardly anything: neither requests nor time. Where waits are of a few milliseconds, three times as
/// much is noise, because clients, divisi and replicas share the cores; so `noise` more is allowed in any case.
pub(crate) fn assert_hardly_felt(illness: &str, least: f64, report: &Report, healthy: &Report, noise: Duration) {
    let (p99, well) = (report.percentile(99), healthy.percentile(99));
    say(&format!("one of five: {illness}"), report);
    println!("   success {:.2} %, p99 {p99:.1?} where all are well {well:.1?}", report.success() * 100.0);
    assert!(report.success() >= least, "{illness}: less than {least} succeeded");
    assert!(p99 <= (well * 3).max(well + noise), "{illness}: p99 {p99:?}, healthy {well:?}");
}
