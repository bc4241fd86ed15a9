//! What is wrong with what a case came to: the answer, how many complete requests the origin saw, whether what reached
//! it was canonical, and whether a clean request still works right after.

use regex::bytes::Regex;

use crate::answer::{Answer, answers, finals, find};
use crate::case::{Case, expand, latin1};
use crate::lane::Outcome;
use crate::paths::resolved;
use divisi_testkit::client::Closed;

/// How a case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// Safe, but another status than asked for: nothing complete reached the origin, and the answer is an error.
    Warn(String),
    Fail(Vec<String>),
}

/// Judges `case` by its `outcome`.
pub(crate) fn judge(case: &Case, outcome: &Outcome) -> Verdict {
    let seen = Seen::new(case, outcome);
    let mut faults = seen.by_expectation();
    let other_status = faults.len() == 1 && outcome.record.requests.is_empty() && is_status_only(&faults[0]);
    faults.extend(seen.common());
    match (faults.len(), other_status) {
        (0, _) => Verdict::Pass,
        (1, true) => Verdict::Warn(faults.remove(0)),
        _ => Verdict::Fail(faults),
    }
}

fn is_status_only(fault: &str) -> bool {
    let fault = fault.strip_prefix("neither: reject(").unwrap_or(fault);
    let error = fault.strip_prefix("status ").is_some_and(|rest| rest.starts_with(['4', '5']));
    error && fault.get(10..).is_some_and(|rest| rest.starts_with(" not in ["))
}

/// What was seen of a case, in the shapes in which it is judged.
struct Seen<'a> {
    case: &'a Case,
    outcome: &'a Outcome,
    finals: Vec<Answer>,
    status: Option<u16>,
    requests: usize,
}

impl<'a> Seen<'a> {
    fn new(case: &'a Case, outcome: &'a Outcome) -> Self {
        let finals = finals(&outcome.out, case.raw.starts_with("HEAD "));
        let status = finals.first().map(|answer| answer.status);
        Self { case, outcome, finals, status, requests: outcome.record.requests.len() }
    }

    fn by_expectation(&self) -> Vec<String> {
        match self.case.expect.as_str() {
            "reject" => self.rejected(),
            "forward" | "normalise" => self.forwarded(),
            "reject-or-normalise" | "forward-or-reject" => self.either(),
            "incomplete" => fault_if(self.requests > 0, || "origin saw a complete request".to_owned()),
            "forward-then-reject" => self.forwarded_then_rejected(),
            "forward-two" | "forward-n" => self.forwarded_all(),
            "any-safe" => self.at_most(self.case.backend_max_requests.unwrap_or(1)),
            "path-consistent" => self.kept_out(),
            "response-502" => fault_if(self.status != Some(502), || format!("status {:?}, want 502", self.status)),
            "response-abort" => self.aborted(),
            "response-502-or-normalise" if self.status == Some(502) => Vec::new(),
            "response-502-or-normalise" | "response-pass" | "response-normalise" => self.passed(),
            other => panic!("nobody judges {other}"),
        }
    }

    /// What reaches the origin must not be what the rule keeps from it, whatever the origin makes of its path.
    fn kept_out(&self) -> Vec<String> {
        let closed = self.case.backend_path_must_not_resolve_to.as_deref().unwrap_or_default();
        let reached = self.outcome.record.requests.iter().map(|request| request.head.target());
        let inside =
            |path: &str| path.strip_prefix(closed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let leads_in = reached.filter(|target| inside(&resolved(target)));
        let mut faults: Vec<_> = leads_in.map(|target| format!("{target} leads to {closed}")).collect();
        faults.extend(fault_if(self.status.is_none(), || "no answer".to_owned()));
        faults
    }

    fn rejected(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.requests > self.case.backend_max_requests.unwrap_or(0) {
            faults.push(format!("reached the origin x{}", self.requests));
        }
        let allowed = self.case.status.clone().unwrap_or_else(|| vec![400]);
        match self.status {
            None if self.outcome.closed.is_none() => faults.push("no answer, no close".to_owned()),
            Some(status) if !allowed.contains(&status) => faults.push(format!("status {status} not in {allowed:?}")),
            _ => {}
        }
        faults.extend(self.closed());
        faults
    }

    fn forwarded(&self) -> Vec<String> {
        let mut faults = fault_if(self.requests < 1, || format!("not forwarded (status {:?})", self.status));
        faults.extend(self.at_most(self.case.backend_max_requests.unwrap_or(1)));
        let full: Vec<u8> = self.outcome.record.requests.iter().flat_map(whole).collect();
        faults.extend(lacks("origin", &self.case.backend_must, &full));
        if let (Some(wanted), Some(first)) = (&self.case.body_equals, self.outcome.record.requests.first()) {
            faults.extend(fault_if(first.body != latin1(wanted), || format!("body {}", shown(&first.body))));
        }
        match self.status {
            None => faults.push("client got nothing".to_owned()),
            Some(status) if status != 200 && self.case.backend_raw.is_none() => {
                faults.push(format!("client got {status}"));
            }
            Some(_) => {}
        }
        faults.extend(self.closed());
        faults
    }

    fn either(&self) -> Vec<String> {
        let (rejected, forwarded) = (self.rejected(), self.forwarded());
        let neither = !rejected.is_empty() && !forwarded.is_empty();
        fault_if(neither, || format!("neither: reject({}) forward({})", rejected.join("; "), forwarded.join("; ")))
    }

    fn forwarded_then_rejected(&self) -> Vec<String> {
        let mut faults = self.at_most(1);
        let second = self.finals.get(1).map(|answer| answer.status);
        faults.extend(fault_if(second.is_some_and(|status| status < 400), || format!("second answer {second:?}")));
        faults
    }

    fn forwarded_all(&self) -> Vec<String> {
        let mut faults = self.at_most(self.case.backend_max_requests.unwrap_or(2));
        let wrong = self.case.responses.is_some_and(|wanted| wanted != self.finals.len());
        faults.extend(fault_if(wrong, || format!("{} responses", self.finals.len())));
        faults
    }

    fn aborted(&self) -> Vec<String> {
        let Some(first) = self.finals.first().filter(|answer| answer.status < 500) else { return Vec::new() };
        let hidden = match first.complete {
            Some(complete) => complete,
            None => self.outcome.closed == Some(Closed::Fin),
        };
        fault_if(hidden, || "truncated answer presented as complete".to_owned())
    }

    fn passed(&self) -> Vec<String> {
        let wanted =
            self.case.backend_raw.as_deref().map(expand).and_then(|raw| Some(finals(&raw, true).first()?.status));
        let wanted = wanted.filter(|status| *status > 0).unwrap_or(200);
        let mut faults = fault_if(self.status != Some(wanted), || format!("status {:?} want {wanted}", self.status));
        if let (Some(body), Some(first)) = (&self.case.client_body, self.finals.first()) {
            faults.extend(fault_if(first.body != latin1(body), || format!("client body {}", shown(&first.body))));
        }
        faults.extend(lacks("client", &self.case.client_must, &self.outcome.out));
        faults
    }

    /// What holds for every case.
    fn common(&self) -> Vec<String> {
        let record = &self.outcome.record;
        let mut faults = Vec::new();
        if !record.faults.is_empty() {
            faults.push(format!("not canonical upstream: {}", record.faults.join("; ")));
        }
        faults.extend(has("origin", &self.case.backend_must_not, &record.raw));
        let after_head = find(&record.raw, b"\r\n\r\n").map_or(&b""[..], |at| &record.raw[at..]);
        faults.extend(has("origin after the head", &self.case.backend_must_not_after_body, after_head));
        faults.extend(has("client", &self.case.client_must_not, &self.outcome.out));
        if let Err(why) = &self.outcome.clean {
            faults.push(format!("clean request after: {why}"));
        }
        if self.case.no_upstream_reuse && self.outcome.reused {
            faults.push("upstream connection reused after a bad answer".to_owned());
        }
        faults
    }

    fn at_most(&self, most: usize) -> Vec<String> {
        fault_if(self.requests > most, || format!("origin saw {} requests", self.requests))
    }

    fn closed(&self) -> Vec<String> {
        fault_if(self.case.close && self.outcome.closed.is_none(), || "not closed".to_owned())
    }
}

fn whole(request: &divisi_testkit::replica::Request) -> Vec<u8> {
    [request.head.bytes(), b"\r\n\r\n", &request.body].concat()
}

fn fault_if(wrong: bool, fault: impl FnOnce() -> String) -> Vec<String> {
    if wrong { vec![fault()] } else { Vec::new() }
}

fn lacks(who: &str, patterns: &[String], bytes: &[u8]) -> Vec<String> {
    let missing = patterns.iter().filter(|pattern| !regex(pattern).is_match(bytes));
    missing.map(|pattern| format!("{who} lacks {pattern:?}")).collect()
}

fn has(who: &str, patterns: &[String], bytes: &[u8]) -> Vec<String> {
    let present = patterns.iter().filter(|pattern| regex(pattern).is_match(bytes));
    present.map(|pattern| format!("{who} saw {pattern:?}")).collect()
}

/// The pattern over bytes, in which a dot is any byte.
fn regex(pattern: &str) -> Regex {
    Regex::new(&format!("(?s-u){pattern}")).unwrap_or_else(|error| panic!("{pattern:?}: {error}"))
}

fn shown(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]))
}

#[test]
fn every_pattern_is_valid() {
    for case in crate::case::all() {
        let patterns = [&case.backend_must, &case.backend_must_not, &case.client_must, &case.client_must_not];
        patterns.into_iter().chain([&case.backend_must_not_after_body]).flatten().for_each(|pattern| {
            regex(pattern);
        });
    }
}

#[test]
fn another_error_status_is_told_from_a_failure() {
    assert!(is_status_only("status 431 not in [400]"));
    assert!(is_status_only("neither: reject(status 501 not in [400]) forward(client got 501)"));
    assert!(!is_status_only("status 200 not in [400]"));
    assert!(!is_status_only("reached the origin x1"));
    assert_eq!(answers(b"", false).len(), 0);
}
