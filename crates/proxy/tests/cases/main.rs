//! Raw requests and replies through the proxy, each with what must come of it.
//!
//! `http1.json` holds them as bytes, with the rule or flaw each comes from. A MUST that fails fails the test; a SHOULD or
//! a POLICY that does is named in [`known`] with its reason. Cases that need a rule for a path have a
//! proxy of their own, in [`paths`].
//!
//! The same cases through any other proxy that forwards to 127.0.0.1:9000:
//! `CASES_PROXY=127.0.0.1:8080 cargo test -p divisi-proxy --test cases -- --ignored --nocapture`.

mod answer;
mod case;
mod judge;
mod known;
mod lane;
mod paths;
mod slow;
#[path = "../support/mod.rs"]
mod support;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::thread;

use case::Case;
use judge::{Verdict, judge};
use lane::Lane;
use support::Proxy;

/// How many cases go at a time, each through a proxy of its own: they mostly wait.
const LANES: usize = 12;

#[test]
fn every_case_gets_what_it_must() {
    let todo: Mutex<VecDeque<Case>> = Mutex::new(quick_cases().into());
    let next = || todo.lock().expect("no lane panics while it takes a case").pop_front();
    let mut results: Vec<_> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(|| run_lane(&next))).collect();
        lanes.into_iter().flat_map(|lane| lane.join().expect("a lane ends")).collect()
    });
    results.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
    let wrong: Vec<_> = results.iter().filter_map(|(case, verdict)| complaint(case, verdict)).collect();
    println!("{} cases, {} known", results.len(), known::KNOWN.len());
    assert!(wrong.is_empty(), "{} cases went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_known_difference_belongs_to_a_case() {
    let cases = quick_cases();
    for (name, _) in known::KNOWN {
        assert!(cases.iter().any(|case| case.name == *name), "no case is called {name}");
    }
}

#[test]
#[ignore = "needs another proxy"]
fn another_proxy() {
    let proxy: SocketAddr = std::env::var("CASES_PROXY").ok().and_then(|addr| addr.parse().ok()).expect("CASES_PROXY");
    let lane = Lane::new(SocketAddr::from(([127, 0, 0, 1], 9000)), |_| proxy);
    for case in quick_cases() {
        println!("{} {} {:?}", case.id, case.name, judge(&case, &lane.run(&case)));
    }
}

fn quick_cases() -> Vec<Case> {
    case::all().into_iter().filter(|case| case.requires.is_none() && !case.is_slow()).collect()
}

fn run_lane(next: &dyn Fn() -> Option<Case>) -> Vec<(Case, Verdict)> {
    let mut proxy = None;
    let lane = Lane::new(SocketAddr::from(([127, 0, 0, 1], 0)), |origin| proxy.insert(Proxy::before(&[origin])).addr());
    let judged = |case: Case| {
        let verdict = judge(&case, &lane.run(&case));
        (case, verdict)
    };
    std::iter::from_fn(next).map(judged).collect()
}

fn complaint(case: &Case, verdict: &Verdict) -> Option<String> {
    let known = known::KNOWN.iter().any(|(name, _)| *name == case.name);
    let what = match verdict {
        Verdict::Pass if known => "passes: take it off the list of known differences".to_owned(),
        Verdict::Pass => return None,
        Verdict::Fail(faults) if !known || case.must() => faults.join("; "),
        Verdict::Warn(other) if !known => other.clone(),
        Verdict::Fail(_) | Verdict::Warn(_) => return None,
    };
    Some(format!("{} {} {}: {what} ({})", case.id, case.level, case.name, case.why))
}
